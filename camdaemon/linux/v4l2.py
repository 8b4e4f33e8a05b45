"""The few V4L2 ioctls we need, spoken to the kernel directly (linux/videodev2.h, 64-bit). Standard library only.

The camera (capture) and the virtual camera (output) both ask their node what it is and say why it would not open;
neither may import the other, so the words they share are here. Safe from any thread; every `fd` is borrowed, and a
refused ioctl is an OSError.
"""

from __future__ import annotations

import errno
import grp
import os
import struct
from dataclasses import dataclass
from enum import IntEnum
from fcntl import ioctl
from fractions import Fraction
from typing import Any

from camdaemon.errors import DeviceError
from camdaemon.linux.holders import name_holders

READ, WRITE = 2, 1  # _IOC_READ: the kernel fills the struct; _IOC_WRITE: the kernel reads it


def request(direction: int, number: int, layout: struct.Struct) -> int:
    """_IOC(direction, 'V', number, sizeof struct): the number of a V4L2 ioctl."""
    return direction << 30 | layout.size << 16 | ord("V") << 8 | number


_CAPABILITY = struct.Struct("=16s32s32sIII12x")  # v4l2_capability: driver card bus_info version capabilities own_caps
_FORMAT = struct.Struct("=I4xIII188x")  # v4l2_format: type, then a union aligned to 8: pix.width height pixelformat
_STREAMPARM = struct.Struct("=I8xII184x")  # v4l2_streamparm: type (capability mode) timeperframe
_CONTROL = struct.Struct("=Ii")  # v4l2_control: id value
_INT = struct.Struct("=i")  # enum v4l2_buf_type

_QUERYCAP = request(READ, 0, _CAPABILITY)  # what is this node?
_G_FMT = request(READ | WRITE, 4, _FORMAT)  # the format in force
_S_FMT = request(READ | WRITE, 5, _FORMAT)  # ask for a format; the driver answers with what it made of it
_STREAMON = request(WRITE, 18, _INT)  # begin to stream
_S_PARM = request(READ | WRITE, 22, _STREAMPARM)  # ask for a frame rate; the driver answers likewise
_G_CTRL = request(READ | WRITE, 27, _CONTROL)  # read a control
_S_CTRL = request(READ | WRITE, 28, _CONTROL)  # set a control; the driver answers with what it made of it

KEEP_FORMAT = 0x00980900 + 0xF000  # v4l2loopback's control that pins format and direction (V4L2_CID_USER_BASE + …)


class Stream(IntEnum):
    """enum v4l2_buf_type."""

    CAPTURE = 1
    OUTPUT = 2
    CAPTURE_MPLANE = 9


@dataclass(frozen=True, slots=True)
class Capability:
    """What a node says of itself. `flags`: V4L2_CAP_* of this node or, where the driver is silent, of its device."""

    driver: str
    card: str
    bus_info: str
    flags: int

    @property
    def can_capture(self) -> bool:
        return bool(self.flags & 0x1001)  # VIDEO_CAPTURE, VIDEO_CAPTURE_MPLANE

    @property
    def can_output(self) -> bool:
        return bool(self.flags & 0x2)  # VIDEO_OUTPUT

    @property
    def is_loopback(self) -> bool:
        return self.driver == "v4l2 loopback"


@dataclass(frozen=True, slots=True)
class Format:
    """A pixel format by its four characters, and a size in pixels."""

    fourcc: str
    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height} {self.fourcc}"


def open_node(path: str, flags: int, *, if_missing: str) -> int:
    """Open a video node; the caller closes the fd. DeviceError says what to type, `if_missing` for no such node."""
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        raise DeviceError(f"{path} does not exist; {if_missing}") from None
    except PermissionError:
        raise DeviceError(f"{path}: permission denied; {_way_in(path)}") from None
    except OSError as exc:
        if exc.errno == errno.EBUSY:
            raise DeviceError(
                f"{path} is in use by {name_holders(path)}; close that, see it with: fuser -v {path}"
            ) from None
        raise DeviceError(f"{path}: {exc.strerror}; see what is there with: camdaemon devices") from None


def _way_in(path: str) -> str:
    try:
        status = os.stat(path)
        group = grp.getgrgid(status.st_gid).gr_name
    except (OSError, KeyError):
        return f"see who may use it with: ls -l {path}"
    if status.st_gid == 0 or status.st_mode & 0o060 != 0o060:
        return f"no group may use it; let the group video: sudo chgrp video {path} && sudo chmod 660 {path}"
    return f"it is for the group {group}; join it, then log out and in again: sudo usermod -aG {group} $USER"


def query_capability(fd: int) -> Capability:
    """OSError (ENOTTY, EINVAL) when the node is no V4L2 device."""
    driver, card, bus_info, _, whole, own = call(fd, _QUERYCAP, _CAPABILITY, b"", b"", b"", 0, 0, 0)
    return Capability(text(driver), text(card), text(bus_info), own if whole & 0x8000_0000 else whole)  # DEVICE_CAPS


def get_format(fd: int, stream: Stream) -> Format:
    """The single-plane format in force."""
    return _format(call(fd, _G_FMT, _FORMAT, stream, 0, 0, 0))


def set_format(fd: int, stream: Stream, wanted: Format) -> Format:
    """Ask for a single-plane format; returns what the driver made of it, which may be something else."""
    return _format(call(fd, _S_FMT, _FORMAT, stream, wanted.width, wanted.height, code(wanted.fourcc)))


def set_rate(fd: int, stream: Stream, fps: float) -> float:
    """Ask for `fps` frames per second; returns what the driver made of it."""
    asked = Fraction(fps).limit_denominator(1001)
    return rate(*call(fd, _S_PARM, _STREAMPARM, stream, asked.denominator, asked.numerator)[1:])


def stream_on(fd: int, stream: Stream) -> None:
    call(fd, _STREAMON, _INT, stream)


def get_control(fd: int, control: int) -> int:
    return int(call(fd, _G_CTRL, _CONTROL, control, 0)[1])


def set_control(fd: int, control: int, value: int) -> None:
    """Ask for a value; the driver may round it, or take it and change nothing: read it back."""
    call(fd, _S_CTRL, _CONTROL, control, value)


def call(fd: int, number: int, layout: struct.Struct, *values: int | bytes) -> tuple[Any, ...]:
    """One ioctl: `values` packed as `layout`; returns the struct's fields as the kernel left them."""
    buffer = bytearray(layout.pack(*values))
    ioctl(fd, number, buffer)
    return layout.unpack(buffer)


def fourcc(number: int) -> str:
    """0x56595559 → 'YUYV'. Bit 31 marks a format's big-endian variant and is not part of a letter."""
    return (number & 0x7FFF_FFFF).to_bytes(4, "little").decode("ascii", "replace").rstrip()


def code(four: str) -> int:
    """'YUYV' → 0x56595559."""
    return int.from_bytes(four.ljust(4).encode("ascii"), "little")


def rate(numerator: int, denominator: int) -> float:
    """Frames per second of a frame interval given in seconds; 0 where the driver does not know."""
    return denominator / numerator if numerator else 0.0


def _format(answer: tuple[Any, ...]) -> Format:
    _, width, height, number = answer
    return Format(fourcc(number), width, height)


def text(raw: bytes) -> str:
    """Return the text of a fixed-size C string, up to its final zero."""
    return raw.split(b"\0")[0].decode("utf-8", "replace")
