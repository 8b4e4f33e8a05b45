"""Locking a camera: exposure, white balance and focus stay as they are, so that the room keeps looking like its plate.

What a camera was before is written to a file before anything is changed, so that it can be put back even after a crash.
Locked values are kept beside the plate that was taken with them. Any thread, also while the camera streams.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from camdaemon.capture import controls
from camdaemon.capture.controls import Values
from camdaemon.errors import ConfigError
from camdaemon.linux import devices, v4l2_controls
from camdaemon.linux.files import replace_atomically
from camdaemon.linux.v4l2_controls import Control, Known

log = logging.getLogger(__name__)

Step = tuple[Control, int]  # what to set it to


@dataclass(frozen=True, slots=True)
class Locked:
    """before: what was changed, as it was.   now: everything that holds the picture, as it is; to be kept with a plate.

    refused: sentences about what the camera would not do; the rest is done all the same.
    """

    before: Values
    now: Values
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Leftover:
    """A camera that is locked, or was when camdaemon was killed. camera: its name.   device: where it was."""

    camera: str
    device: str
    before: Values


def lock(path: str) -> Locked:
    """Switch everything automatic off at the values of this moment. Nothing changes where there is nothing to lock.

    Raises DeviceError when the camera does not open or is unplugged meanwhile, and ConfigError, before anything is
    changed, when its present state cannot be kept.
    """
    with controls.opened(path) as fd:
        found = v4l2_controls.read_all(fd)
        return _change(path, fd, found, planned(found))


def planned(found: list[Control]) -> Values:
    """What `lock` sets: automatic modes off, then what they steer as it is now.

    A value that makes no sense is left out: some drivers tell nonsense while it is automatic, and what they settle on
    is read after the switch.
    """
    switches = {control.name: off for control in found if (off := controls.off_value(control)) is not None}
    steered = {number for control in found if (mode := controls.automatic(control)) for number in mode.steers}
    return switches | _present(control for control in found if control.id in steered and _sensible(control))


def apply(path: str, stored: Values) -> Locked:
    """Put values back that `lock` gave as `now`, for a plate of that time. Controls that are gone are left out.

    Raises as `lock` does.
    """
    with controls.opened(path) as fd:
        return _change(path, fd, v4l2_controls.read_all(fd), stored)


def restore(path: str) -> Locked | None:
    """Put back what `lock` and `apply` changed, automatic modes last; None when they changed nothing.

    What has vanished is left out, and so is a value that the camera sets by itself again. DeviceError when the camera
    does not open or is unplugged; what it was is then kept for another time, as it is when the driver refuses.
    """
    camera = devices.describe(path).name
    before = _remembered(camera)
    if not before:
        return None
    with controls.opened(path) as fd:
        found = v4l2_controls.read_all(fd)
        steps = [step for step in _steps(found, before) if not controls.steered_by(found, step[0])]
        refused = _write(path, fd, reversed(steps))
        now = _holding(v4l2_controls.read_all(fd))
    if not refused:
        with suppress(OSError):  # it would be put back once more at the next start
            _state(camera).unlink()
    return Locked(_present(control for control, _ in steps), now, tuple(refused.values()))


def unlock(path: str) -> Locked:
    """`restore`, or where nothing is known of before: everything automatic on. DeviceError."""
    if restored := restore(path):
        return restored
    with controls.opened(path) as fd:
        found = v4l2_controls.read_all(fd)
        on = {control.name: value for control in found if (value := controls.on_value(control)) is not None}
        steps = [(control, value) for control, value in _steps(found, on) if value != control.value]
        refused = _write(path, fd, steps)
        return Locked(
            _present(control for control, _ in steps), _holding(v4l2_controls.read_all(fd)), tuple(refused.values())
        )


def _change(path: str, fd: int, found: list[Control], wanted: Values) -> Locked:
    steps = [
        (control, value)
        for control, value in _steps(found, wanted)
        if value != control.value or controls.steered_by(found, control)
    ]
    before = _present(control for control, value in steps if control.value != value)
    if before:
        _remember(devices.describe(path).name, path, before)
    switches = [step for step in steps if controls.automatic(step[0])]
    refused = _write(path, fd, switches)
    switched = v4l2_controls.read_all(fd)  # a value is refused or ignored while the camera sets it by itself
    free = [step for step in steps if step not in switches and not controls.steered_by(switched, step[0])]
    refused |= _write(path, fd, free)
    after = v4l2_controls.read_all(fd)
    for control in filter(_stays_on, after):
        refused.setdefault(control.name, f"{control.name} stays on: the camera does not let it be switched off")
    return Locked(before, _holding(after), tuple(refused.values()))


def _steps(found: list[Control], wanted: Values) -> list[Step]:
    """What of `wanted` this camera can take, automatic modes first."""
    pairs = [(control, value) for name, value in wanted.items() if (control := controls.named(found, name))]
    usable = [(control, value) for control, value in pairs if control.settable and control.accepts(value)]
    return sorted(usable, key=lambda step: controls.automatic(step[0]) is None)


def _write(path: str, fd: int, steps: Iterable[Step]) -> dict[str, str]:
    """Set them all; returns what was refused: name → sentence. That a camera is gone shows when it is read again."""
    refused = {}
    for control, value in steps:
        try:
            v4l2_controls.set_value(fd, control, value)
        except OSError as exc:
            refused[control.name] = str(controls.refusal(path, control.name, exc))
    return refused


def _sensible(control: Control) -> bool:
    return control.value is not None and control.accepts(control.value)


def _present(found: Iterable[Control]) -> Values:
    return {control.name: control.value for control in found if control.value is not None}


def _holding(found: list[Control]) -> Values:
    """The values that hold the picture as it is, without those that the camera still sets by itself."""
    holding = {*planned(found), *(control.name for control in found if control.id == Known.POWER_LINE_FREQUENCY)}
    held = [control for control in found if control.name in holding and control.settable and _sensible(control)]
    return _present(each for each in held if not _stays_on(each) and not controls.steered_by(found, each))


def _stays_on(control: Control) -> bool:
    mode = controls.automatic(control)
    return mode is not None and mode.on != () and controls.is_on(control)


def save(plate: Path, values: Values) -> None:
    """Keep `Locked.now` beside the plate's file, NAME.controls.json beside NAME.png; none removes what is there.

    ConfigError when it cannot be written.
    """
    beside = plate.with_suffix(".controls.json")
    try:
        if values:
            _put(beside, values)
        else:
            beside.unlink(missing_ok=True)
    except OSError as exc:
        raise ConfigError(f"the camera's settings cannot be kept in {plate.parent}: {exc.strerror}") from None


def load(plate: Path) -> Values:
    """What was kept beside the plate's file; nothing where there is none, or it is broken (which is logged)."""
    return _values(_read(plate.with_suffix(".controls.json")))


def leftovers() -> list[Leftover]:
    """The cameras that are locked now, or were when camdaemon was killed."""
    found = []
    for path in sorted(_folder().glob("[!.]*.json")):
        kept = _read(path)
        if before := _values(kept.get("before")):
            found.append(Leftover(str(kept.get("camera")), str(kept.get("device")), before))
    return found


def _folder() -> Path:
    return platformdirs.user_state_path("camdaemon") / "locked"


def _state(camera: str) -> Path:
    return _folder() / f"{devices.key_of(camera)}.json"


def _remembered(camera: str) -> Values:
    return _values(_read(_state(camera)).get("before"))


def _remember(camera: str, device: str, before: Values) -> None:
    """Add to what is known of before; what is known already is older, and stays."""
    path = _state(camera)
    try:
        _put(path, {"camera": camera, "device": device, "before": before | _remembered(camera)})
    except OSError as exc:
        raise ConfigError(
            f"the camera is not locked, because what it was cannot be kept in {path.parent}: {exc.strerror}; "
            f"see: df -h {path.anchor}"
        ) from None


def _put(path: Path, content: Mapping[str, object]) -> None:
    replace_atomically(path, json.dumps(content, indent=1) + "\n")


def _read(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        log.warning("%s cannot be read and is ignored: %s", path, exc)
        return {}
    return content if isinstance(content, dict) else {}


def _values(content: object) -> Values:
    if not isinstance(content, dict):
        return {}
    return {str(name): value for name, value in content.items() if isinstance(value, int)}
