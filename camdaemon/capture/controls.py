"""Reading and setting a camera's controls by name, and what is known of its automatic modes.

Safe while the camera streams. Every `fd` is borrowed. Any thread. Standard library only.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from camdaemon.errors import ConfigError, DeviceError, did_you_mean
from camdaemon.linux import v4l2, v4l2_controls
from camdaemon.linux.holders import name_holders
from camdaemon.linux.v4l2_controls import Control, Flag, Kind, Known

Values = dict[str, int]  # by name

_SEE = "see them with: camdaemon camera show"
_NEW_NAMES = {  # names in older kernels → in newer ones
    "exposure_auto": "auto_exposure",
    "exposure_absolute": "exposure_time_absolute",
    "exposure_auto_priority": "exposure_dynamic_framerate",
    "white_balance_temperature_auto": "white_balance_automatic",
    "focus_auto": "focus_automatic_continuous",
    "hue_auto": "hue_automatic",
}
_OTHER_NAMES = _NEW_NAMES | {new: old for old, new in _NEW_NAMES.items()}


@dataclass(frozen=True, slots=True)
class Automatic:
    """A mode in which the camera changes its picture by itself."""

    switch: Known  # the control that turns it on and off
    off: tuple[int, ...] = (0,)  # values of the switch, best first
    on: tuple[int, ...] = (1,)  # values of the switch, best first; none: an extra of another mode, useless without it
    steers: tuple[Known, ...] = ()  # the controls that it sets


AUTOMATICS = (
    Automatic(
        Known.AUTO_EXPOSURE,
        off=(1, 2),  # manual; shutter priority, which some cameras have instead: the time stays as it is set
        on=(3, 0),  # aperture priority, what a webcam calls automatic; all automatic
        steers=(Known.EXPOSURE_TIME_ABSOLUTE, Known.EXPOSURE, Known.GAIN),
    ),
    Automatic(Known.EXPOSURE_DYNAMIC_FRAMERATE, on=()),
    Automatic(Known.GAIN_AUTOMATIC, steers=(Known.GAIN,)),
    Automatic(Known.BRIGHTNESS_AUTOMATIC, steers=(Known.BRIGHTNESS,)),
    Automatic(Known.BACKLIGHT_COMPENSATION, on=()),
    Automatic(
        Known.WHITE_BALANCE_AUTOMATIC,
        steers=(Known.WHITE_BALANCE_TEMPERATURE, Known.RED_BALANCE, Known.BLUE_BALANCE),
    ),
    Automatic(Known.HUE_AUTOMATIC, steers=(Known.HUE,)),
    Automatic(Known.FOCUS_AUTOMATIC_CONTINUOUS, steers=(Known.FOCUS_ABSOLUTE,)),
)


@contextlib.contextmanager
def open_controls(path: str) -> Iterator[int]:
    """Open the camera at `path` for its controls. Raises DeviceError when that fails, or it is unplugged inside."""
    fd = v4l2.open_node(path, os.O_RDWR | os.O_NONBLOCK, if_missing="camdaemon devices")
    try:
        yield fd
    except OSError as exc:
        raise explain_refusal(path, "the camera", exc) from None
    finally:
        os.close(fd)


def list_controls(path: str) -> list[Control]:
    """Return every control of the camera at `path`. Raises DeviceError."""
    with open_controls(path) as fd:
        return v4l2_controls.read_all(fd)


def set_controls(path: str, wanted: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Set controls by name, automatic modes first.

    Returns:
        Name → (value asked for, value that the driver made of it), without buttons.

    Raises:
        ConfigError: One of them cannot be set so; nothing was set.
        DeviceError: The driver refused one; those before it are restored.
    """
    done: list[Control] = []
    with open_controls(path) as fd:
        asked = check(v4l2_controls.read_all(fd), wanted)
        for control, value in asked:
            try:
                v4l2_controls.set_value(fd, control, value)
                done.append(control)
            except OSError as exc:
                _put_back(fd, done)
                raise explain_refusal(path, control.name, exc) from None
        now = {control.id: control for control in v4l2_controls.read_all(fd)}
    made = [(control.name, value, now[control.id].value) for control, value in asked if control.id in now]
    return {name: (value, result) for name, value, result in made if result is not None}


def _put_back(fd: int, done: list[Control]) -> None:
    for control in reversed(done):
        with contextlib.suppress(OSError):
            if control.value is not None:
                v4l2_controls.set_value(fd, control, control.value)


def check(found: list[Control], wanted: Mapping[str, int]) -> list[tuple[Control, int]]:
    """Return the controls to set, automatic modes first. Raises ConfigError for the first that cannot be set so."""
    asked = [(_require(found, name), value) for name, value in wanted.items()]
    freed = {control.id for control, value in asked if (mode := find_mode(control)) and value in mode.off}
    for control, value in asked:
        if control.flags & (Flag.READ_ONLY | Flag.DISABLED):
            raise ConfigError(f"{control.name} can only be looked at; {_SEE}")
        if not control.is_settable and control.kind is not Kind.BUTTON:
            raise ConfigError(f"{control.name} is not a number, so it cannot be set here; {_SEE}")
        if control.kind is not Kind.BUTTON and not control.can_take(value):
            allowed = f"none of {control.range}" if control.menu else f"not {control.range}"
            usual = f"camdaemon camera set {control.name}={control.default}"
            raise ConfigError(f"{control.name} cannot be {value}, which is {allowed}; try: {usual}")
        switch = find_switch(found, control)
        if control.flags & Flag.INACTIVE and (switch is None or switch.id not in freed):
            raise ConfigError(_explain_switch(control, value, switch))
    return sorted(asked, key=lambda pair: find_mode(pair[0]) is None)


def _require(found: list[Control], name: str) -> Control:
    control = find(found, name)
    if control is None:
        guess = did_you_mean(name, [control.name for control in found])
        raise ConfigError(f"this camera has no control {name!r}; {guess or _SEE}")
    return control


def _explain_switch(control: Control, value: int, switch: Control | None) -> str:
    if switch is None:
        return f"{control.name} cannot be set now, because another control is in charge of it; {_SEE}"
    both = f"{switch.name}={off_value(switch)} {control.name}={value}"
    return f"{control.name} is set by the camera itself while {switch.name} is on; try: camdaemon camera set {both}"


def find(found: Iterable[Control], name: str) -> Control | None:
    """Return the control of that name, or of the name that an older or newer kernel gives to the same one."""
    by_name = {control.name: control for control in found}
    return by_name.get(name) or by_name.get(_OTHER_NAMES.get(name, ""))


def find_mode(control: Control) -> Automatic | None:
    """Return the automatic mode that `control` switches; None if it switches none."""
    return next((mode for mode in AUTOMATICS if mode.switch == control.id), None)


def is_on(switch: Control) -> bool:
    """Whether `switch` is that of an automatic mode, and on."""
    mode = find_mode(switch)
    return mode is not None and switch.value is not None and switch.value not in mode.off


def find_switch(found: Iterable[Control], control: Control) -> Control | None:
    """Return the switch of the automatic mode that is on and sets `control`; None if there is none."""
    switches = (switch for switch in found if (mode := find_mode(switch)) and control.id in mode.steers)
    return next(filter(is_on, switches), None)


def off_value(switch: Control) -> int | None:
    """Return the value of `switch` that turns its mode off on this camera; None if none does."""
    mode = find_mode(switch)
    return next(filter(switch.can_take, mode.off), None) if mode else None


def on_value(switch: Control) -> int | None:
    """Return the value that turns the mode on, by preference the driver's default; None for no mode, or an extra."""
    mode = find_mode(switch)
    if mode and switch.default in mode.on:
        return switch.default
    return next(filter(switch.can_take, mode.on), None) if mode else None


def explain_refusal(path: str, what: str, exc: OSError) -> DeviceError:
    """Make the error for a refused ioctl about the control `what`."""
    if v4l2_controls.is_gone(exc):
        return DeviceError(f"{path} was unplugged; plug it in and check: camdaemon devices")
    if exc.errno == errno.EBUSY:
        return DeviceError(f"{what} is held by {name_holders(path)}; close that, see it with: fuser -v {path}")
    return DeviceError(f"{what} was refused by the camera's driver ({exc.strerror}); {_SEE}")
