"""Reading and setting a camera's controls by name, and what is known of those by which it changes its picture itself.

Safe beside a running stream; every `fd` is borrowed; any thread. Standard library only.
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
_TODAY = {  # what older kernels call them → newer ones
    "exposure_auto": "auto_exposure",
    "exposure_absolute": "exposure_time_absolute",
    "exposure_auto_priority": "exposure_dynamic_framerate",
    "white_balance_temperature_auto": "white_balance_automatic",
    "focus_auto": "focus_automatic_continuous",
    "hue_auto": "hue_automatic",
}
_ALSO = _TODAY | {today: before for before, today in _TODAY.items()}


@dataclass(frozen=True, slots=True)
class Automatic:
    """A control by which the camera changes its picture by itself. off, on: values, best first.   steers: what it sets.

    Without `on` it is an extra of another mode: of no use while that is off, and off in most cameras.
    """

    switch: Known
    off: tuple[int, ...] = (0,)
    on: tuple[int, ...] = (1,)
    steers: tuple[Known, ...] = ()


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
def opened(path: str) -> Iterator[int]:
    """An fd for the controls of the camera at `path`. DeviceError when it does not open, or is unplugged inside."""
    fd = v4l2.open_node(path, os.O_RDWR | os.O_NONBLOCK, if_missing="see your cameras with: camdaemon devices")
    try:
        yield fd
    except OSError as exc:
        raise refusal(path, "the camera", exc) from None
    finally:
        os.close(fd)


def list_controls(path: str) -> list[Control]:
    """Every control of the camera at `path`; none of one that has none. DeviceError."""
    with opened(path) as fd:
        return v4l2_controls.read_all(fd)


def set_controls(path: str, wanted: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Set them all, automatic modes first; returns name → (what was asked, what the driver made of it), no buttons.

    ConfigError, before anything is set, for what cannot be. DeviceError when the driver refuses one: those before it
    are put back.
    """
    done: list[Control] = []
    with opened(path) as fd:
        asked = check(v4l2_controls.read_all(fd), wanted)
        for control, value in asked:
            try:
                v4l2_controls.set_value(fd, control, value)
                done.append(control)
            except OSError as exc:
                _put_back(fd, done)
                raise refusal(path, control.name, exc) from None
        now = {control.id: control for control in v4l2_controls.read_all(fd)}
    made = [(control.name, value, now[control.id].value) for control, value in asked if control.id in now]
    return {name: (value, result) for name, value, result in made if result is not None}


def _put_back(fd: int, done: list[Control]) -> None:
    for control in reversed(done):
        with contextlib.suppress(OSError):
            if control.value is not None:
                v4l2_controls.set_value(fd, control, control.value)


def check(found: list[Control], wanted: Mapping[str, int]) -> list[tuple[Control, int]]:
    """The controls to set, automatic modes first. ConfigError for the first that cannot be, and what would do."""
    asked = [(_there(found, name), value) for name, value in wanted.items()]
    freed = {control.id for control, value in asked if (mode := automatic(control)) and value in mode.off}
    for control, value in asked:
        if control.flags & (Flag.READ_ONLY | Flag.DISABLED):
            raise ConfigError(f"{control.name} can only be looked at; {_SEE}")
        if not control.settable and control.kind is not Kind.BUTTON:
            raise ConfigError(f"{control.name} is not a number, so it cannot be set here; {_SEE}")
        if control.kind is not Kind.BUTTON and not control.accepts(value):
            allowed = f"none of {control.range}" if control.menu else f"not {control.range}"
            usual = f"camdaemon camera set {control.name}={control.default}"
            raise ConfigError(f"{control.name} cannot be {value}, which is {allowed}; try: {usual}")
        switch = steered_by(found, control)
        if control.flags & Flag.INACTIVE and (switch is None or switch.id not in freed):
            raise ConfigError(_in_charge(control, value, switch))
    return sorted(asked, key=lambda pair: automatic(pair[0]) is None)


def _there(found: list[Control], name: str) -> Control:
    control = named(found, name)
    if control is None:
        guess = did_you_mean(name, [control.name for control in found])
        raise ConfigError(f"this camera has no control {name!r}; {guess or _SEE}")
    return control


def _in_charge(control: Control, value: int, switch: Control | None) -> str:
    if switch is None:
        return f"{control.name} cannot be set now, because another control is in charge of it; {_SEE}"
    both = f"{switch.name}={off_value(switch)} {control.name}={value}"
    return f"{control.name} is set by the camera itself while {switch.name} is on; try: camdaemon camera set {both}"


def named(found: Iterable[Control], name: str) -> Control | None:
    """The control of that name, or of the name that an older or newer kernel gives to the same one."""
    by_name = {control.name: control for control in found}
    return by_name.get(name) or by_name.get(_ALSO.get(name, ""))


def automatic(control: Control) -> Automatic | None:
    """What is known of `control` as an automatic mode; None where it is none."""
    return next((mode for mode in AUTOMATICS if mode.switch == control.id), None)


def is_on(switch: Control) -> bool:
    """Whether it is an automatic mode that is on."""
    mode = automatic(switch)
    return mode is not None and switch.value is not None and switch.value not in mode.off


def steered_by(found: Iterable[Control], control: Control) -> Control | None:
    """The automatic mode that is on and sets `control`."""
    switches = (switch for switch in found if (mode := automatic(switch)) and control.id in mode.steers)
    return next(filter(is_on, switches), None)


def off_value(switch: Control) -> int | None:
    """What turns the automatic mode `switch` off on this camera; None where nothing does."""
    mode = automatic(switch)
    return next(filter(switch.accepts, mode.off), None) if mode else None


def on_value(switch: Control) -> int | None:
    """What turns it on, the driver's own choice where it has one; None where it is no such mode, or an extra."""
    mode = automatic(switch)
    if mode and switch.default in mode.on:
        return switch.default
    return next(filter(switch.accepts, mode.on), None) if mode else None


def refusal(path: str, what: str, wrong: OSError) -> DeviceError:
    """A refused ioctl about the control `what`, for people."""
    if v4l2_controls.gone(wrong):
        return DeviceError(f"{path} was unplugged; plug it in and check: camdaemon devices")
    if wrong.errno == errno.EBUSY:
        return DeviceError(f"{what} is held by {name_holders(path)}; close that, see it with: fuser -v {path}")
    return DeviceError(f"{what} was refused by the camera's driver ({wrong.strerror}); {_SEE}")
