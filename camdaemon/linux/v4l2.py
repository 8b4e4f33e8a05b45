"""The few V4L2 ioctls we need, sent to the kernel directly (linux/videodev2.h, 64-bit). Standard library only.

capture and output share them without importing each other. Safe from any thread; every `fd` stays the caller's, and a
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
from camdaemon.linux import hidden
from camdaemon.linux.holders import name_holders

READ, WRITE = 2, 1  # _IOC_READ: the kernel fills the struct; _IOC_WRITE: the kernel reads it


def request(direction: int, number: int, layout: struct.Struct) -> int:
    """Return the number of a V4L2 ioctl: _IOC(direction, 'V', number, sizeof struct)."""
    return direction << 30 | layout.size << 16 | ord("V") << 8 | number


_CAPABILITY = struct.Struct("=16s32s32sIII12x")  # v4l2_capability: driver card bus_info version capabilities own_caps
_FORMAT = struct.Struct("=I4xIII188x")  # v4l2_format: type, then a union aligned to 8: pix.width height pixelformat
_STREAMPARM = struct.Struct("=I8xII184x")  # v4l2_streamparm: type (capability mode) timeperframe
_CONTROL = struct.Struct("=Ii")  # v4l2_control: id value
_INT = struct.Struct("=i")  # enum v4l2_buf_type

_QUERYCAP = request(READ, 0, _CAPABILITY)  # what is this node?
_G_FMT = request(READ | WRITE, 4, _FORMAT)  # the current format
_S_FMT = request(READ | WRITE, 5, _FORMAT)  # ask for a format; the driver answers with the one it chose
_STREAMON = request(WRITE, 18, _INT)  # start streaming
_S_PARM = request(READ | WRITE, 22, _STREAMPARM)  # ask for a frame rate; the driver answers likewise
_G_CTRL = request(READ | WRITE, 27, _CONTROL)  # read a control
_S_CTRL = request(READ | WRITE, 28, _CONTROL)  # set a control; the driver answers with the value it chose

KEEP_FORMAT = 0x00980900 + 0xF000  # v4l2loopback's control that pins format and direction (V4L2_CID_USER_BASE + …)


class Stream(IntEnum):
    """enum v4l2_buf_type."""

    CAPTURE = 1
    OUTPUT = 2
    CAPTURE_MPLANE = 9


@dataclass(frozen=True, slots=True)
class Capability:
    """What a node reports of itself.

    Attributes:
        driver: name of the driver.
        card: name of the device.
        bus_info: where the device is plugged in.
        flags: V4L2_CAP_* of this node or, where the driver does not tell them apart, of its device.
    """

    driver: str
    card: str
    bus_info: str
    flags: int

    @property
    def can_capture(self) -> bool:
        """Whether frames can be read from it."""
        return bool(self.flags & 0x1001)  # VIDEO_CAPTURE, VIDEO_CAPTURE_MPLANE

    @property
    def can_output(self) -> bool:
        """Whether frames can be written to it."""
        return bool(self.flags & 0x2)  # VIDEO_OUTPUT

    @property
    def is_loopback(self) -> bool:
        """Whether it is a device of v4l2loopback."""
        return self.driver == "v4l2 loopback"


@dataclass(frozen=True, slots=True)
class Format:
    """A pixel format by its four characters, and the size of a frame in pixels."""

    fourcc: str
    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height} {self.fourcc}"


def open_node(path: str, flags: int, *, if_missing: str) -> int:
    """Open a video node and return the descriptor, which the caller closes. A hidden camera is had of its service.

    Args:
        path: of the node.
        flags: of os.open.
        if_missing: the command to type when there is no such node.

    Raises:
        DeviceError: it cannot be opened; the message says why and what to type.
    """
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        raise DeviceError(f"{path} does not exist. Run: {if_missing}") from None
    except PermissionError:
        if hidden.is_hidden(path):
            return hidden.fetch(path)
        raise DeviceError(f"{path}: permission denied{_explain_rights(path)}") from None
    except OSError as exc:
        if exc.errno == errno.EBUSY:
            raise DeviceError(
                f"{path} is in use by {name_holders(path)}. Close that; to see it, run: fuser -v {path}"
            ) from None
        raise DeviceError(f"{path}: {exc.strerror}. Run: camdaemon devices") from None


def _explain_rights(path: str) -> str:
    try:
        status = os.stat(path)
        group = grp.getgrgid(status.st_gid).gr_name
    except (OSError, KeyError):
        return f". Run: ls -l {path}"
    if status.st_gid == 0 or status.st_mode & 0o060 != 0o060:
        return f": no group may use it. Run: sudo chgrp video {path} && sudo chmod 660 {path}"
    return f": only the group {group} may use it. Run: sudo usermod -aG {group} $USER, then log out and in again"


def query_capability(fd: int) -> Capability:
    """Return what the node is. Raises OSError (ENOTTY, EINVAL) when it is not a V4L2 device."""
    driver, card, bus_info, _, whole, own = call(fd, _QUERYCAP, _CAPABILITY, b"", b"", b"", 0, 0, 0)
    return Capability(text(driver), text(card), text(bus_info), own if whole & 0x8000_0000 else whole)  # DEVICE_CAPS


def get_format(fd: int, stream: Stream) -> Format:
    """Return the current single-plane format."""
    return _format(call(fd, _G_FMT, _FORMAT, stream, 0, 0, 0))


def set_format(fd: int, stream: Stream, wanted: Format) -> Format:
    """Ask for a single-plane format and return the one that the driver chose, which may differ."""
    return _format(call(fd, _S_FMT, _FORMAT, stream, wanted.width, wanted.height, code(wanted.fourcc)))


def set_rate(fd: int, stream: Stream, fps: float) -> float:
    """Ask for a frame rate and return the one that the driver chose."""
    asked = Fraction(fps).limit_denominator(1001)
    return rate(*call(fd, _S_PARM, _STREAMPARM, stream, asked.denominator, asked.numerator)[1:])


def stream_on(fd: int, stream: Stream) -> None:
    """Start streaming."""
    call(fd, _STREAMON, _INT, stream)


def get_control(fd: int, control: int) -> int:
    """Return the value of a control."""
    return int(call(fd, _G_CTRL, _CONTROL, control, 0)[1])


def set_control(fd: int, control: int, value: int) -> None:
    """Ask for a value. The driver may round it, or accept it and change nothing: read it back."""
    call(fd, _S_CTRL, _CONTROL, control, value)


def call(fd: int, number: int, layout: struct.Struct, *values: int | bytes) -> tuple[Any, ...]:
    """Pack `values` as `layout`, do one ioctl, and return the struct's fields as the kernel left them."""
    buffer = bytearray(layout.pack(*values))
    ioctl(fd, number, buffer)
    return layout.unpack(buffer)


def fourcc(number: int) -> str:
    """Return the four characters of a pixel format: 0x56595559 → 'YUYV'. Bit 31 only marks a big-endian variant."""
    return (number & 0x7FFF_FFFF).to_bytes(4, "little").decode("ascii", "replace").rstrip()


def code(four: str) -> int:
    """Return the number of a pixel format: 'YUYV' → 0x56595559."""
    return int.from_bytes(four.ljust(4).encode("ascii"), "little")


def rate(numerator: int, denominator: int) -> float:
    """Return the frames per second of a frame interval in seconds; 0 where the driver does not know."""
    return denominator / numerator if numerator else 0.0


def _format(answer: tuple[Any, ...]) -> Format:
    _, width, height, number = answer
    return Format(fourcc(number), width, height)


def text(raw: bytes) -> str:
    """Return the text of a fixed-size C string, up to its final zero."""
    return raw.split(b"\0")[0].decode("utf-8", "replace")
