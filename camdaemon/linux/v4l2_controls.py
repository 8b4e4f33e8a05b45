"""Controls of a V4L2 node (exposure, focus, …) as the kernel describes them: kind, range, value.

Starts no stream, and works while another program streams. Safe from any thread; every `fd` stays the caller's. Standard
library only.
"""

from __future__ import annotations

import errno
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any

from camdaemon.linux import v4l2
from camdaemon.linux.v4l2 import READ, WRITE, request

_QUERYCTRL = struct.Struct("=II32siiiiI8x")  # v4l2_queryctrl: id type name minimum maximum step default flags
_QUERYMENU = struct.Struct("=II32s4x")  # v4l2_querymenu: id index name (of an integer menu a 64-bit number)
_ASK_CONTROL = request(READ | WRITE, 36, _QUERYCTRL)  # describe a control
_ASK_ITEM = request(READ | WRITE, 37, _QUERYMENU)  # an item of a menu

_NEXT = 0x8000_0000  # V4L2_CTRL_FLAG_NEXT_CTRL: the first control after this id
_MOST = 256  # controls, and items of a menu: some drivers never end their list


class Known(IntEnum):
    """V4L2_CID_* of the controls whose meaning we know. Names have changed between kernels, numbers have not."""

    BRIGHTNESS = 0x00980900
    HUE = 0x00980903
    WHITE_BALANCE_AUTOMATIC = 0x0098090C
    RED_BALANCE = 0x0098090E
    BLUE_BALANCE = 0x0098090F
    EXPOSURE = 0x00980911
    GAIN_AUTOMATIC = 0x00980912
    GAIN = 0x00980913
    POWER_LINE_FREQUENCY = 0x00980918
    HUE_AUTOMATIC = 0x00980919
    WHITE_BALANCE_TEMPERATURE = 0x0098091A
    BACKLIGHT_COMPENSATION = 0x0098091C
    BRIGHTNESS_AUTOMATIC = 0x00980920
    AUTO_EXPOSURE = 0x009A0901
    EXPOSURE_TIME_ABSOLUTE = 0x009A0902
    EXPOSURE_DYNAMIC_FRAMERATE = 0x009A0903
    FOCUS_ABSOLUTE = 0x009A090A
    FOCUS_AUTOMATIC_CONTINUOUS = 0x009A090C


class Kind(IntEnum):
    """The kinds of enum v4l2_ctrl_type that cameras have."""

    INTEGER = 1
    BOOLEAN = 2
    MENU = 3
    BUTTON = 4
    INTEGER64 = 5
    STRING = 7
    BITMASK = 8
    INTEGER_MENU = 9


_NUMBERS = (Kind.INTEGER, Kind.BOOLEAN, Kind.MENU, Kind.INTEGER_MENU)


class Flag(IntFlag):
    """V4L2_CTRL_FLAG_*."""

    DISABLED = 0x1
    GRABBED = 0x2  # while the camera streams, it cannot be set
    READ_ONLY = 0x4
    INACTIVE = 0x10  # another control, an automatic mode, sets it
    WRITE_ONLY = 0x40
    VOLATILE = 0x80  # changes by itself


@dataclass(frozen=True, slots=True)
class Control:
    """A control as its driver described it at one moment.

    Attributes:
        id: V4L2_CID_*.
        name: as v4l2-ctl writes it.
        kind: of its value.
        low: smallest value; of a menu the first index. Not every index needs to exist.
        high: largest value; of a menu the last index.
        step: between values.
        default: the driver's.
        flags: what can be done with it now.
        menu: index → text.
        value: None if the value is not 32-bit or cannot be read.
    """

    id: int
    name: str
    kind: Kind
    low: int
    high: int
    step: int
    default: int
    flags: Flag
    menu: dict[int, str]
    value: int | None

    @property
    def is_settable(self) -> bool:
        """Whether it is a number that can be set at all."""
        return self.kind in _NUMBERS and not self.flags & (Flag.DISABLED | Flag.READ_ONLY)

    def can_take(self, value: int) -> bool:
        """Whether `value` is in range. The driver rounds to its steps, so they are not checked."""
        return value in self.menu if self.menu else self.low <= value <= self.high

    @property
    def range(self) -> str:
        """For users: '3 to 2047', '0 or 1', or '1 (Manual Mode), 3 (Aperture Priority Mode)'."""
        if self.menu:
            return ", ".join(f"{index} ({words})" for index, words in self.menu.items())
        if self.high - self.low == 1:
            return f"{self.low} or {self.high}"
        return f"{self.low} to {self.high}" + (f" in steps of {self.step}" if self.step > 1 else "")


def read_all(fd: int) -> list[Control]:
    """Return every control, in the driver's order. Raises OSError only when the camera is gone."""
    return [_control(fd, *described) for described in _descriptions(fd) if described[1] in {*Kind}]


def set_value(fd: int, control: Control, value: int) -> None:
    """Ask for `value`. The driver may round it, or accept it and change nothing. Raises OSError when it refuses."""
    v4l2.set_control(fd, control.id, value)


def is_gone(exc: OSError) -> bool:
    """Whether a refused ioctl means that the camera is no longer there."""
    return exc.errno in (errno.ENODEV, errno.ENXIO)


def _descriptions(fd: int) -> Iterator[tuple[Any, ...]]:
    """The driver's list, which ends early when the camera cannot describe one control; then those we know by id."""
    last = 0
    for _ in range(_MOST):
        described = _describe(fd, last | _NEXT)
        if described is None or described[0] <= last:
            break
        last = described[0]
        yield described
    for known in sorted(Known):
        if known > last and (described := _describe(fd, known)):
            yield described


def _describe(fd: int, control: int) -> tuple[Any, ...] | None:
    try:
        return v4l2.call(fd, _ASK_CONTROL, _QUERYCTRL, control, 0, b"", 0, 0, 0, 0, 0)
    except OSError as exc:
        if is_gone(exc):
            raise
        return None


def _control(
    fd: int, number: int, kind: int, title: bytes, low: int, high: int, step: int, default: int, flags: int
) -> Control:
    return Control(
        id=number,
        name=re.sub(r"[^a-z0-9]+", "_", v4l2.text(title).lower()).strip("_"),
        kind=Kind(kind),
        low=low,
        high=high,
        step=step,
        default=default,
        flags=Flag(flags & sum(Flag)),
        menu=dict(_items(fd, number, Kind(kind), low, high)),
        value=_value(fd, number, Kind(kind)),
    )


def _items(fd: int, control: int, kind: Kind, low: int, high: int) -> Iterator[tuple[int, str]]:
    if kind not in (Kind.MENU, Kind.INTEGER_MENU):
        return
    for index in range(max(low, 0), min(high + 1, _MOST)):
        try:
            raw: bytes = v4l2.call(fd, _ASK_ITEM, _QUERYMENU, control, index, b"")[2]
        except OSError as exc:
            if is_gone(exc):
                raise
            continue  # menus have holes
        yield index, v4l2.text(raw) if kind is Kind.MENU else str(int.from_bytes(raw[:8], "little", signed=True))


def _value(fd: int, control: int, kind: Kind) -> int | None:
    if kind not in _NUMBERS:
        return None
    try:
        return v4l2.get_control(fd, control)
    except OSError as exc:
        if is_gone(exc):
            raise
        return None
