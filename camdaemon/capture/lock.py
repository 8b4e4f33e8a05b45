"""Locking a camera: exposure, white balance and focus stay as they are, so that the room keeps looking like its plate.

The previous values are on disk before anything is changed, so that they can be restored even after a crash. Locked
values are stored next to the plate that was taken with them. Any thread, also while the camera streams.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from camdaemon.capture import controls
from camdaemon.capture.controls import Values
from camdaemon.errors import ConfigError
from camdaemon.linux import devices, folders, v4l2_controls
from camdaemon.linux.files import read_regular, replace_atomically
from camdaemon.linux.v4l2_controls import Control, Known

log = logging.getLogger(__name__)

_MOST_BYTES = 1 << 20  # of a stored state: a thousand times what is written

Step = tuple[Control, int]  # a control, and the value to set


@dataclass(frozen=True, slots=True)
class Locked:
    """What came of locking or restoring a camera."""

    before: Values  # previous values of the controls that were changed
    now: Values  # values of all controls that hold the picture; to be stored with a plate
    refused: tuple[str, ...] = ()  # a sentence for each thing that the camera would not do; the rest is done


@dataclass(frozen=True, slots=True)
class Leftover:
    """A camera that is locked, or was when camdaemon was killed."""

    camera: str  # its name
    device: str  # the path it was at
    before: Values  # previous values of what was changed


def lock(path: str) -> Locked:
    """Switch everything automatic off, at the values of this moment. Nothing changes where there is nothing to lock.

    Raises:
        DeviceError: The camera does not open, or is unplugged meanwhile.
        ConfigError: The previous values cannot be stored; nothing was changed.
    """
    with controls.open_controls(path) as fd:
        found = v4l2_controls.read_all(fd)
        return _change(path, fd, found, plan_lock(found))


def plan_lock(found: list[Control]) -> Values:
    """Return what `lock` sets: automatic modes off, then what they control at its present value.

    A value that makes no sense is omitted: some drivers report nonsense while it is automatic, and what they settle on
    is read after the switch.
    """
    switches = {control.name: off for control in found if (off := controls.off_value(control)) is not None}
    steered = {number for control in found if (mode := controls.find_mode(control)) for number in mode.steers}
    return switches | _present(control for control in found if control.id in steered and _is_sensible(control))


def apply(path: str, stored: Values) -> Locked:
    """Set the values that `lock` returned as `now` with an earlier plate. Controls that are gone are skipped.

    Raises as `lock` does.
    """
    with controls.open_controls(path) as fd:
        return _change(path, fd, v4l2_controls.read_all(fd), stored)


def restore(path: str) -> Locked | None:
    """Restore what `lock` and `apply` changed, automatic modes last; None when they changed nothing.

    Controls that are gone are skipped, and so are values that the camera sets by itself again. The stored values are
    kept for another time when the driver refuses one, or the camera fails.

    Raises:
        DeviceError: The camera does not open, or is unplugged meanwhile.
    """
    camera = devices.describe(path).name
    before = _remembered(camera)
    if not before:
        return None
    with controls.open_controls(path) as fd:
        found = v4l2_controls.read_all(fd)
        steps = [step for step in _steps(found, before) if not controls.find_switch(found, step[0])]
        refused = _write(path, fd, reversed(steps))
        now = _holding(v4l2_controls.read_all(fd))
    if not refused:
        with suppress(OSError):  # if it stays, the same values are restored again at the next start
            _state(camera).unlink()
    return Locked(_present(control for control, _ in steps), now, tuple(refused.values()))


def unlock(path: str) -> Locked:
    """Restore the camera; without stored values, switch everything automatic on. Raises DeviceError."""
    if restored := restore(path):
        return restored
    with controls.open_controls(path) as fd:
        found = v4l2_controls.read_all(fd)
        on = {control.name: value for control in found if (value := controls.on_value(control)) is not None}
        steps = [(control, value) for control, value in _steps(found, on) if value != control.value]
        refused = _write(path, fd, steps)
        return Locked(
            _present(control for control, _ in steps), _holding(v4l2_controls.read_all(fd)), tuple(refused.values())
        )


def _change(path: str, fd: int, found: list[Control], wanted: Values) -> Locked:
    """Set `wanted`, automatic modes first, after the previous values are stored."""
    steps = [
        (control, value)
        for control, value in _steps(found, wanted)
        if value != control.value or controls.find_switch(found, control)
    ]
    before = _present(control for control, value in steps if control.value != value)
    if before:
        _remember(devices.describe(path).name, path, before)
    switches = [step for step in steps if controls.find_mode(step[0])]
    refused = _write(path, fd, switches)
    switched = v4l2_controls.read_all(fd)  # a value is refused, or ignored, while the camera sets it by itself
    free = [step for step in steps if step not in switches and not controls.find_switch(switched, step[0])]
    refused |= _write(path, fd, free)
    after = v4l2_controls.read_all(fd)
    for control in filter(_stays_on, after):
        refused.setdefault(control.name, f"{control.name} stays on: the camera does not let it be switched off")
    return Locked(before, _holding(after), tuple(refused.values()))


def _steps(found: list[Control], wanted: Values) -> list[Step]:
    """Return what of `wanted` this camera accepts, automatic modes first."""
    pairs = [(control, value) for name, value in wanted.items() if (control := controls.find(found, name))]
    usable = [(control, value) for control, value in pairs if control.is_settable and control.can_take(value)]
    return sorted(usable, key=lambda step: controls.find_mode(step[0]) is None)


def _write(path: str, fd: int, steps: Iterable[Step]) -> dict[str, str]:
    """Set them all; return what was refused: name → sentence. A camera that is gone shows when it is read again."""
    refused = {}
    for control, value in steps:
        try:
            v4l2_controls.set_value(fd, control, value)
        except OSError as exc:
            refused[control.name] = str(controls.explain_refusal(path, control.name, exc))
    return refused


def _is_sensible(control: Control) -> bool:
    return control.value is not None and control.can_take(control.value)


def _present(found: Iterable[Control]) -> Values:
    return {control.name: control.value for control in found if control.value is not None}


def _holding(found: list[Control]) -> Values:
    """Return the values that hold the picture as it is, without those that the camera still sets by itself."""
    holding = {*plan_lock(found), *(control.name for control in found if control.id == Known.POWER_LINE_FREQUENCY)}
    held = [control for control in found if control.name in holding and control.is_settable and _is_sensible(control)]
    return _present(each for each in held if not _stays_on(each) and not controls.find_switch(found, each))


def _stays_on(control: Control) -> bool:
    mode = controls.find_mode(control)
    return mode is not None and mode.on != () and controls.is_on(control)


def list_leftovers() -> list[Leftover]:
    """List the cameras that are locked now, or were when camdaemon was killed."""
    found = []
    for path in sorted(_folder().glob("[!.]*.json")):
        kept = _read(path)
        if before := _values(kept.get("before")):
            found.append(Leftover(str(kept.get("camera")), str(kept.get("device")), before))
    return found


def _folder() -> Path:
    return folders.find_folder("state") / "locked"


def _state(camera: str) -> Path:
    return _folder() / f"{devices.key_of(camera)}.json"


def _remembered(camera: str) -> Values:
    return _values(_read(_state(camera)).get("before"))


def _remember(camera: str, device: str, before: Values) -> None:
    """Store previous values, in addition to those already stored, which are older and stay."""
    path = _state(camera)
    try:
        _put(path, {"camera": camera, "device": device, "before": before | _remembered(camera)})
    except OSError as exc:
        raise ConfigError(
            f"camera not locked: cannot store its previous settings in {path.parent}: {exc.strerror}; "
            f"see: df -h {path.anchor}"
        ) from None


def _put(path: Path, content: Mapping[str, object]) -> None:
    replace_atomically(path, json.dumps(content, indent=1) + "\n")


def _read(path: Path) -> dict[str, object]:
    try:
        content = json.loads(read_regular(path, _MOST_BYTES))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as exc:
        log.warning("ignored, cannot be read: %s: %s", path, exc)
        return {}
    return content if isinstance(content, dict) else {}


def _values(content: object) -> Values:
    if not isinstance(content, dict):
        return {}
    return {str(name): value for name, value in content.items() if isinstance(value, int)}
