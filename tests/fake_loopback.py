"""A fake v4l2loopback: a file as its node, and a kernel that answers its ioctls."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from camdaemon.frames.frame import Size
from camdaemon.linux import holders, v4l2

QUERYCAP, G_FMT, S_FMT = 0x80685600, 0xC0D05604, 0xC0D05605
STREAMON, S_PARM, G_CTRL = 0x40045612, 0xC0CC5616, 0xC008561B
CAPTURE, OUTPUT = 1, 2
SIZE = Size(128, 96)
BYTES = 128 * 96 * 3 // 2


class FakeLoopback:
    """A device of v4l2loopback with exclusive_caps=1, as 0.12.7, 0.13.2 or 0.15.0 behave in the lab.

    A frame before a format, a second STREAMON, an ioctl for the wrong kind of stream or on a closed fd is a bug of
    the caller.
    """

    def __init__(self, node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = str(node)
        node.touch()
        self.driver, self.flags = b"v4l2 loopback", OUTPUT
        self.held: tuple[bytes, int, int] | None = None  # a reader keeps the device at this format
        self.refuses: dict[int, int] = {}  # ioctl → errno
        self.write_error = 0
        self.takes = BYTES  # of one write
        self.keep_format = 0
        self.format: tuple[bytes, int, int] | None = None
        self.interval: tuple[int, int] | None = None
        self.events: list[str] = []
        self._fds = set[int]()
        self._open, self._close, self._write = os.open, os.close, os.write
        monkeypatch.setattr(v4l2, "ioctl", self.ioctl)
        monkeypatch.setattr(holders, "list_holders", lambda path: ["zoom (pid 7)"])
        for name in ("open", "close", "write"):
            monkeypatch.setattr(os, name, getattr(self, name))

    @property
    def is_open(self) -> bool:
        return bool(self._fds)

    def open(self, path: str, *arguments: int, **more: int) -> int:
        fd = self._open(path, *arguments, **more)
        if path == self.path:
            assert arguments[0] & os.O_ACCMODE in (os.O_WRONLY, os.O_RDWR)
            self._fds.add(fd)
        return fd

    def close(self, fd: int) -> None:
        if fd in self._fds:
            self._fds.remove(fd)
            self.events.append("close")
        self._close(fd)  # EBADF for a descriptor closed twice

    def write(self, fd: int, data: memoryview) -> int:
        if fd not in self._fds:
            return self._write(fd, data)
        assert self.format is not None, "a frame before its format"
        self.events.append("write")
        if self.write_error:
            raise OSError(self.write_error, os.strerror(self.write_error))
        return min(self._write(fd, data), self.takes)

    def ioctl(self, fd: int, number: int, buffer: bytearray) -> int:
        assert fd in self._fds
        assert len(buffer) == number >> 16 & 0x3FFF
        name = {QUERYCAP: "caps", G_FMT: "get", S_FMT: "set", STREAMON: "on", S_PARM: "rate", G_CTRL: "control"}[number]
        self.events.append(name)
        if number in self.refuses:
            raise OSError(self.refuses[number], os.strerror(self.refuses[number]))
        getattr(self, f"_{name}")(buffer)
        return 0

    def _caps(self, buffer: bytearray) -> None:
        struct.pack_into("16s32s32sIII", buffer, 0, self.driver, b"A card", b"platform:1", 0, 0x80000000, self.flags)

    def _set(self, buffer: bytearray) -> None:
        self._is_output(buffer)
        width, height, pixels = struct.unpack_from("II4s", buffer, 8)
        self.format = self.held or (pixels, width, height)
        self._answer(buffer)

    def _get(self, buffer: bytearray) -> None:
        self._is_output(buffer)
        self.format = self.format or self.held or (b"YU12", 128, 96)
        self._answer(buffer)

    def _answer(self, buffer: bytearray) -> None:
        assert self.format is not None
        pixels, width, height = self.format
        struct.pack_into("II4s", buffer, 8, width, height, pixels)

    def _rate(self, buffer: bytearray) -> None:
        self._is_output(buffer)
        self.interval = struct.unpack_from("II", buffer, 12)

    def _on(self, buffer: bytearray) -> None:
        self._is_output(buffer)
        assert self.events.count("on") == 1, "STREAMON said twice"

    def _control(self, buffer: bytearray) -> None:
        assert struct.unpack_from("I", buffer) == (0x0098F900,)
        struct.pack_into("i", buffer, 4, self.keep_format)

    @staticmethod
    def _is_output(buffer: bytearray) -> None:
        assert struct.unpack_from("I", buffer) == (OUTPUT,)
