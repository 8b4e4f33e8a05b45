"""A fake camera: OpenCV's calls on a driver queue with its own clock, and its controls at the level of ioctls."""

from __future__ import annotations

import errno
import functools
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from camdaemon.capture import v4l2 as source_module
from camdaemon.capture.v4l2 import V4l2Source
from camdaemon.frames.frame import HostFrame, Size
from camdaemon.linux import devices, holders, v4l2
from camdaemon.linux.devices import Device, Mode, Rates, Sizes

VGA = Size(640, 480)

Stamp = Callable[[int, float], float]
# The driver's timestamp of a frame made at `at`: monotonic, none, wall clock.
STAMPS: list[Stamp] = [lambda number, at: at, lambda number, at: 0.0, lambda number, at: at + 1.7e9]


class Clock:
    """Replaces the module `time`; only the camera and the tests advance it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class FakeCapture:
    """Replaces cv2.VideoCapture; films at `fps` from its opening on and drops frames when its buffers are full.

    Settings after the first grab, in another order than the driver needs, or after release, fail the test.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.opened = True
        self.released = False
        self.set_order: list[int] = []
        self.values: dict[int, float] = {cv2.CAP_PROP_CONVERT_RGB: 1, cv2.CAP_PROP_FPS: 30}
        self.gives: dict[int, float] = {}  # read back in place of what was asked
        self.film = 30.0  # frames per second it really makes
        self.queue: list[int] = []  # numbers of filled buffers, oldest first
        self.made = self.shown = -1
        self.began: float | None = None
        self.stalls_at: int | None = None  # number of the first frame that never comes
        self.breaks_at: int | None = None  # number of the frame whose grab fails at once
        self.broken: set[int] = set()  # frames without a picture
        self.cut: set[int] = set()  # frames of which half was lost, if they are JPEGs
        self.stamp_of = STAMPS[0]
        self.one_row = False  # raw pictures as OpenCV 4 gives them
        self.grabs = 0

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.opened and not self.released

    def set(self, key: int, value: float) -> bool:
        assert self.isOpened()
        assert self.began is None, "set while streaming"
        self.set_order.append(key)
        self.values[key] = value
        return True

    def get(self, key: int) -> float:
        assert self.isOpened()
        if key == cv2.CAP_PROP_POS_MSEC:
            return 1000 * self.stamp_of(self.shown, self.time_of(self.shown))
        return self.gives.get(key, self.values[key])

    def time_of(self, number: int) -> float:
        assert self.began is not None
        return self.began + (number + 1) / self.film

    def grab(self) -> bool:
        assert self.isOpened()
        self.grabs += 1
        if self.began is None:
            self.began = self.clock.now
        self._film_until_now()
        if not self.queue:
            if self.stalls_at is not None and self.made + 1 >= self.stalls_at:
                self.clock.sleep(2.0)
                return False
            self.clock.now = max(self.clock.now, self.time_of(self.made + 1))
            self._film_until_now()
        self.shown = self.queue.pop(0)
        return self.shown != self.breaks_at

    def _film_until_now(self) -> None:
        while self.time_of(self.made + 1) <= self.clock.now + 1e-9:
            if self.stalls_at is not None and self.made + 1 >= self.stalls_at:
                return
            self.made += 1
            if len(self.queue) < self.get(cv2.CAP_PROP_BUFFERSIZE):
                self.queue.append(self.made)

    def retrieve(self, into: NDArray[np.uint8] | None = None) -> tuple[bool, NDArray[np.uint8] | None]:
        assert self.isOpened()
        assert self.shown >= 0, "retrieve without a grab"
        if self.shown in self.broken:
            return True, None
        assert into is None or self.values[cv2.CAP_PROP_CONVERT_RGB] or not self._is_jpeg(), "of another size each time"
        width, height = int(self.get(cv2.CAP_PROP_FRAME_WIDTH)), int(self.get(cv2.CAP_PROP_FRAME_HEIGHT))
        raw = not self.values[cv2.CAP_PROP_CONVERT_RGB]
        if raw and self._is_jpeg():
            data = jpeg_of(self.shown, width, height)
            return True, (data[: data.size // 2] if self.shown in self.cut else data).reshape(1, -1)
        picture = picture_of(self.shown, width, height, 2 if raw else 3)
        return True, picture.reshape(1, -1) if self.one_row else picture

    def _is_jpeg(self) -> bool:
        return v4l2.fourcc(int(self.get(cv2.CAP_PROP_FOURCC))) == "MJPG"

    def release(self) -> None:
        self.released = True


def picture_of(number: int, width: int, height: int, channels: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([(x + 3 * y + number + 50 * c) & 255 for c in range(channels)], axis=2).astype(np.uint8)


@functools.cache
def jpeg_of(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """What a camera sends of `picture_of`, in one row."""
    return np.asarray(cv2.imencode(".jpg", picture_of(number, width, height, 3))[1], np.uint8).reshape(-1)


def decoded(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """What `jpeg_of` shows, uint8 (H,W,3)."""
    return np.asarray(cv2.imdecode(jpeg_of(number, width, height), cv2.IMREAD_COLOR), np.uint8)


def mode(fourcc: str, *sizes: tuple[int, int], fps: float = 30) -> list[Mode]:
    return [Mode(fourcc, Sizes(size, size), (Rates(fps, fps),)) for size in sizes]


def camera(*modes: list[Mode], **more: Any) -> Device:
    device = Device("/dev/video7", card="Cam", driver="uvcvideo", bus_info="usb-1", can_capture=True)
    return replace(device, modes=tuple(one for some in modes for one in some), **more)


USUAL = camera(mode("YUYV", (640, 480)), mode("YUYV", (1280, 720), fps=10), mode("MJPG", (640, 480), (1280, 720)))


class Rig:
    """A clock, a camera, and what its node says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        self.capture = FakeCapture(self.clock)
        self.device = USUAL
        self.opened_with: list[tuple[str, int]] = []
        monkeypatch.setattr(source_module, "time", self.clock)
        monkeypatch.setattr(devices, "describe", lambda path: self.device)
        monkeypatch.setattr(holders, "list_holders", lambda path: [])
        monkeypatch.setattr(cv2, "VideoCapture", self._video_capture)

    def _video_capture(self, path: str, backend: int) -> FakeCapture:
        self.opened_with.append((path, backend))
        return self.capture

    def open(self, size: Size | None = VGA, fps: float = 30) -> V4l2Source:
        return V4l2Source("/dev/video7", size, fps)

    def read(self, source: V4l2Source) -> HostFrame:
        frame = HostFrame.empty(source.fmt, source.size)
        source.read(frame)
        return frame


QUERYCAP, QUERYCTRL, QUERYMENU = 0x80685600, 0xC0445624, 0xC02C5625  # as the C compiler gives them
G_CTRL, S_CTRL = 0xC008561B, 0xC008561C
NEXT_CTRL, INACTIVE = 0x80000000, 0x10
INT, BOOL, MENU, BUTTON, INT64, CLASS, STRING, INT_MENU = 1, 2, 3, 4, 5, 6, 7, 9


@dataclass
class Knob:
    """A control of the camera.

    auto: (id of a switch, values of it with which the camera sets this control itself), then to `live`.
    """

    id: int
    title: str
    value: int = 0
    low: int = 0
    high: int = 1
    default: int = 0
    kind: int = INT
    step: int = 1
    flags: int = 0
    menu: dict[int, str | int] = field(default_factory=dict)
    auto: tuple[int, tuple[int, ...]] | None = None
    live: Callable[[], int] | None = None


class Knobs:
    """The driver of a camera with controls. `path` replaces its node. Other ioctls fail the test: nothing streams.

    ignores: takes what is set while it is automatic and does nothing, as older drivers; else refuses it (EACCES).
    """

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch, *knobs: Knob, ignores: bool = False) -> None:
        path.touch()
        self.path, self.ignores = str(path), ignores
        self.knobs = {knob.id: knob for knob in knobs}
        self.written: list[tuple[str, int]] = []
        self.refuses: dict[tuple[int, int], int] = {}  # (ioctl, id) → errno
        self.unplugged_at: int | None = None  # the number of writes after which it is gone
        monkeypatch.setattr(v4l2, "ioctl", self.ioctl)
        monkeypatch.setattr(holders, "list_holders", lambda path: ["zoom (pid 7)"])

    def __getitem__(self, title: str) -> int:
        return next(knob.value for knob in self.knobs.values() if knob.title == title)

    def is_auto(self, knob: Knob) -> bool:
        return knob.auto is not None and knob.auto[0] in self.knobs and self.knobs[knob.auto[0]].value in knob.auto[1]

    def ioctl(self, fd: int, number: int, buffer: bytearray) -> int:
        assert os.readlink(f"/proc/self/fd/{fd}") == self.path
        assert len(buffer) == number >> 16 & 0x3FFF
        if self.unplugged_at is not None and len(self.written) >= self.unplugged_at:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        if number == QUERYCAP:
            struct.pack_into("16s32s32sIII", buffer, 0, b"uvcvideo", b"Cam", b"usb-1", 0, 0x80000000, 1)
            return 0
        if number not in (QUERYCTRL, QUERYMENU, G_CTRL, S_CTRL):
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
        asked = struct.unpack_from("I", buffer)[0]
        if asked & NEXT_CTRL:
            asked = next((each for each in sorted(self.knobs) if each > asked & ~NEXT_CTRL), 0)
        if refused := self.refuses.get((number, asked), 0 if asked in self.knobs else errno.EINVAL):
            raise OSError(refused, os.strerror(refused))
        knob = self.knobs[asked]
        {QUERYCTRL: self._describe, QUERYMENU: self._item, G_CTRL: self._get, S_CTRL: self._set}[number](knob, buffer)
        return 0

    def _describe(self, knob: Knob, buffer: bytearray) -> None:
        flags = knob.flags | (INACTIVE if self.is_auto(knob) else 0)
        numbers = knob.low, knob.high, knob.step, knob.default, flags
        struct.pack_into("II32siiiiI", buffer, 0, knob.id, knob.kind, knob.title.encode(), *numbers)

    def _item(self, knob: Knob, buffer: bytearray) -> None:
        item = knob.menu.get(struct.unpack_from("I", buffer, 4)[0])
        if item is None:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        buffer[8:40] = struct.pack("q24x", item) if isinstance(item, int) else struct.pack("32s", item.encode())

    def _get(self, knob: Knob, buffer: bytearray) -> None:
        assert knob.kind in (INT, BOOL, MENU, INT_MENU)
        struct.pack_into("i", buffer, 4, knob.live() if knob.live and self.is_auto(knob) else knob.value)

    def _set(self, knob: Knob, buffer: bytearray) -> None:
        value = struct.unpack_from("i", buffer, 4)[0]
        self.written.append((knob.title, value))
        if not self.is_auto(knob):
            knob.value = knob.low + round((value - knob.low) / knob.step) * knob.step
        elif not self.ignores:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))


EXPOSURES: dict[int, str | int] = {1: "Manual Mode", 3: "Aperture Priority Mode"}


def webcam(drift: Callable[[], int] = lambda: 333) -> list[Knob]:
    """Return the controls of a current UVC webcam, all automatic. drift: the exposure time it has chosen."""
    exposure, white, focus = (0x009A0901, (0, 3)), (0x0098090C, (1,)), (0x009A090C, (1,))
    return [
        Knob(0x00980001, "User Controls", kind=CLASS),
        Knob(0x00980900, "Brightness", 128, high=255, default=128),
        Knob(0x0098090C, "White Balance, Automatic", 1, default=1, kind=BOOL),
        Knob(0x00980913, "Gain", 0, high=255, auto=exposure, live=lambda: 40),
        Knob(
            0x00980918, "Power Line Frequency", 1, high=2, default=2, kind=MENU, menu={0: "Off", 1: "50 Hz", 2: "60 Hz"}
        ),
        Knob(0x0098091A, "White Balance Temperature", 4000, 2000, 6500, 4000, step=10, auto=white, live=lambda: 4700),
        Knob(0x0098091C, "Backlight Compensation", 1),
        Knob(0x009A0901, "Auto Exposure", 3, high=3, default=3, kind=MENU, menu=EXPOSURES),
        Knob(0x009A0902, "Exposure Time, Absolute", 250, 3, 2047, 250, auto=exposure, live=drift),
        Knob(0x009A0903, "Exposure, Dynamic Framerate", 1, kind=BOOL),
        Knob(0x009A090A, "Focus, Absolute", 0, high=250, step=5, auto=focus, live=lambda: 35),
        Knob(0x009A090C, "Focus, Automatic Continuous", 1, default=1, kind=BOOL),
    ]


def old_webcam() -> list[Knob]:
    """Return the same controls under the names of older kernels."""
    return [
        Knob(0x0098090C, "White Balance Temperature, Auto", 1, default=1, kind=BOOL),
        Knob(
            0x0098091A, "White Balance Temperature", 4000, 2000, 6500, 4000, auto=(0x0098090C, (1,)), live=lambda: 5000
        ),
        Knob(0x009A0901, "Exposure, Auto", 3, high=3, default=3, kind=MENU, menu=EXPOSURES),
        Knob(0x009A0902, "Exposure (Absolute)", 250, 3, 2047, 250, auto=(0x009A0901, (3,)), live=lambda: 100),
        Knob(0x009A0903, "Exposure, Auto Priority", 1, kind=BOOL),
        Knob(0x009A090C, "Focus, Auto", 1, default=1, kind=BOOL),
    ]
