"""A simulated camera behind OpenCV's calls: a driver queue, a clock of its own, and what its node says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from camdaemon import v4l2
from camdaemon.capture import devices
from camdaemon.capture import v4l2 as source_module
from camdaemon.capture.devices import Device, Mode, Rates, Sizes
from camdaemon.capture.v4l2 import V4l2Source
from camdaemon.frame import HostFrame, Size

VGA = Size(640, 480)

Stamp = Callable[[int, float], float]
# the driver's timestamp of a frame made at `at`: on our clock, none, on the clock of the calendar
STAMPS: list[Stamp] = [lambda number, at: at, lambda number, at: 0.0, lambda number, at: at + 1.7e9]


class Clock:
    """Stands for the module `time`; only the camera and the tests let it go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class FakeCapture:
    """cv2.VideoCapture on a camera that films at `fps` since it was opened, and drops what it has no buffer for.

    Settings after the first grab, in another order than the driver needs, or after release are a caller's bug.
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
        self.broken: set[int] = set()  # frames whose picture cannot be decoded
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
        width, height = int(self.get(cv2.CAP_PROP_FRAME_WIDTH)), int(self.get(cv2.CAP_PROP_FRAME_HEIGHT))
        picture = picture_of(self.shown, width, height, 3 if self.values[cv2.CAP_PROP_CONVERT_RGB] else 2)
        return True, picture.reshape(1, -1) if self.one_row else picture

    def release(self) -> None:
        self.released = True


def picture_of(number: int, width: int, height: int, channels: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([(x + 3 * y + number + 50 * c) & 255 for c in range(channels)], axis=2).astype(np.uint8)


def mode(fourcc: str, *sizes: tuple[int, int], fps: float = 30) -> list[Mode]:
    return [Mode(fourcc, Sizes(size, size), (Rates(fps, fps),)) for size in sizes]


def camera(*modes: list[Mode], **more: object) -> Device:
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
        monkeypatch.setattr(v4l2, "holders", lambda path: [])
        monkeypatch.setattr(cv2, "VideoCapture", self._video_capture)

    def _video_capture(self, path: str, backend: int) -> FakeCapture:
        self.opened_with.append((path, backend))
        return self.capture

    def open(self, size: Size = VGA, fps: float = 30) -> V4l2Source:
        return V4l2Source("/dev/video7", size, fps)

    def read(self, source: V4l2Source) -> HostFrame:
        frame = HostFrame.empty(source.fmt, source.size)
        source.read(frame)
        return frame
