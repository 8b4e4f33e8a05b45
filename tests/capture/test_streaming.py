"""A camera by its descriptor alone, against a fake kernel whose buffers are real shared memory."""

from __future__ import annotations

import errno
import os
import struct

import cv2
import numpy as np
import pytest

from camdaemon.capture import streaming
from camdaemon.capture.streaming import DescriptorCapture
from camdaemon.capture.v4l2 import V4l2Source
from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.linux import devices, hidden, v4l2
from camdaemon.linux.devices import Device, Mode, Rates, Sizes

# as the C compiler gives them for 64-bit Linux
S_FMT, G_FMT, S_PARM = 0xC0D05605, 0xC0D05604, 0xC0CC5616
REQBUFS, QUERYBUF, QBUF, DQBUF, STREAMON, STREAMOFF = (
    0xC0145608, 0xC0585609, 0xC058560F, 0xC0585611, 0x40045612, 0x40045613,
)  # fmt: skip
PAGE = 1 << 20
MONOTONIC, ERROR = 0x2000, 0x40


class FakeDriver:
    """A driver at the level of ioctls. The buffers lie in one anonymous file, which is always ready to be read.

    pictures: what the camera sends, (bytes, flags) in turn; when it is out of them, it is gone.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, four: str, width: int, height: int, stride: int = 0) -> None:
        self.fd = os.memfd_create("camera")
        os.ftruncate(self.fd, 4 * PAGE)
        self.four, self.width, self.height, self.stride = four, width, height, stride
        self.pictures: list[tuple[bytes, int]] = []
        self.queued: list[int] = []
        self.given = 0
        self.is_streaming = False
        self.refuses: dict[int, int] = {}  # ioctl → errno
        self.sequence = 0
        monkeypatch.setattr(v4l2, "ioctl", self.ioctl)

    def ioctl(self, fd: int, number: int, buffer: bytearray) -> int:
        assert fd == self.fd
        assert len(buffer) == number >> 16 & 0x3FFF, "another size than the number says"
        if number in self.refuses:
            raise OSError(self.refuses[number], os.strerror(self.refuses[number]))
        if number in (S_FMT, G_FMT):
            struct.pack_into("=IIIIII", buffer, 8, self.width, self.height, v4l2.code(self.four), 1, self.stride, 0)
        elif number == REQBUFS:
            self.given = struct.unpack_from("=I", buffer)[0]
        elif number in (STREAMON, STREAMOFF):
            assert number == STREAMOFF or len(self.queued) == self.given
            self.is_streaming = number == STREAMON
        elif number in (QUERYBUF, QBUF, DQBUF):
            self.handle_buffer(number, buffer)
        return 0

    def handle_buffer(self, number: int, buffer: bytearray) -> None:
        index, kind = struct.unpack_from("=II", buffer)
        assert (kind, struct.unpack_from("=I", buffer, 60)[0]) == (1, 1), "capture, memory-mapped"
        if number == QUERYBUF:
            struct.pack_into("=I", buffer, 64, index * PAGE)
            struct.pack_into("=I", buffer, 72, PAGE)
        elif number == QBUF:
            assert index not in self.queued
            self.queued.append(index)
        else:
            if not self.pictures:
                raise OSError(errno.ENODEV, "gone")
            data, flags = self.pictures.pop(0)
            index = self.queued.pop(0)
            os.pwrite(self.fd, data, index * PAGE)
            self.sequence += 1
            struct.pack_into("=IIII", buffer, 0, index, 1, len(data), flags)
            struct.pack_into("=qq", buffer, 24, 100 + self.sequence, 500_000)

    def open(self, *, convert: bool = True) -> DescriptorCapture:
        capture = DescriptorCapture(self.fd)
        capture.set(cv2.CAP_PROP_FOURCC, v4l2.code(self.four))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, self.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self.height)
        capture.set(cv2.CAP_PROP_FPS, 30)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 2)
        capture.set(cv2.CAP_PROP_CONVERT_RGB, int(convert))
        return capture


@pytest.fixture
def yuyv(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    return FakeDriver(monkeypatch, "YUYV", 8, 4)


def test_pictures_come_with_their_drivers_time_and_each_buffer_goes_back(yuyv: FakeDriver) -> None:
    capture = yuyv.open(convert=False)
    yuyv.pictures = [(bytes([number] * 64), MONOTONIC) for number in range(5)]
    for number in range(5):
        assert capture.grab()
        assert capture.get(cv2.CAP_PROP_POS_MSEC) == pytest.approx(1000 * (101 + number) + 500)
        ok, picture = capture.retrieve()
        assert ok
        assert picture is not None
        assert picture.shape == (4, 8, 2)
        assert (picture == number).all()
    assert not capture.grab(), "it is gone"
    capture.release()
    capture.release()
    assert not yuyv.is_streaming
    assert not capture.isOpened()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(yuyv.fd)


def test_a_wall_clock_is_no_time(yuyv: FakeDriver) -> None:
    capture = yuyv.open()
    yuyv.pictures = [(bytes(64), 0)]
    assert capture.grab()
    assert capture.get(cv2.CAP_PROP_POS_MSEC) == 0
    capture.release()


@pytest.mark.parametrize(("data", "flags"), [(bytes(63), MONOTONIC), (bytes(64), MONOTONIC | ERROR), (b"", MONOTONIC)])
def test_a_broken_picture_is_none(yuyv: FakeDriver, data: bytes, flags: int) -> None:
    capture = yuyv.open()
    yuyv.pictures = [(data, flags)]
    assert capture.grab()
    assert capture.retrieve() == (True, None)
    capture.release()


def test_rows_with_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = FakeDriver(monkeypatch, "YUYV", 8, 4, stride=32)
    capture = driver.open(convert=False)
    row = bytes(range(16)) + bytes([255] * 16)
    driver.pictures = [(row * 4, MONOTONIC)]
    assert capture.grab()
    _, picture = capture.retrieve()
    assert picture is not None
    assert picture.tolist() == [np.arange(16).reshape(8, 2).tolist()] * 4
    capture.release()


@pytest.mark.parametrize(
    ("four", "length"),
    [
        ("YUYV", 64),
        ("UYVY", 64),
        ("NV12", 48),
        ("NV21", 48),
        ("YU12", 48),
        ("YV12", 48),
        ("BGR3", 96),
        ("RGB3", 96),
        ("GREY", 32),
    ],
)
def test_every_format_becomes_bgr(monkeypatch: pytest.MonkeyPatch, four: str, length: int) -> None:
    """Of a gray picture, which every format shows alike: luma 128 in all of them, within the range that it has."""
    driver = FakeDriver(monkeypatch, four, 8, 4)
    capture = driver.open()
    driver.pictures = [(bytes([128] * length), MONOTONIC)]
    assert capture.grab()
    _, picture = capture.retrieve()
    assert picture is not None
    assert picture.shape == (4, 8, 3)
    assert np.abs(picture.astype(int) - 128).max() <= 3
    capture.release()


def test_every_format_that_may_be_chosen_can_be_converted() -> None:
    from camdaemon.capture.modes import _CONVERTIBLE

    assert set(_CONVERTIBLE) - {"JPEG", "BGR3"} <= set(streaming._TO_BGR)


def test_a_jpeg_comes_as_it_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = FakeDriver(monkeypatch, "MJPG", 8, 4)
    capture = driver.open()
    driver.pictures = [(b"\xff\xd8 data", MONOTONIC)]
    assert capture.grab()
    _, raw = capture.retrieve()
    assert raw is not None
    assert raw.tobytes() == b"\xff\xd8 data"
    capture.release()


def test_a_busy_camera_is_closed_and_one_without_rates_is_not(yuyv: FakeDriver) -> None:
    yuyv.refuses = {S_PARM: errno.ENOTTY}
    assert yuyv.open().isOpened()
    yuyv.refuses = {S_FMT: errno.EBUSY}
    assert not yuyv.open().isOpened()


def test_another_program_that_streams_is_no_picture(yuyv: FakeDriver) -> None:
    capture = yuyv.open()
    yuyv.refuses = {STREAMON: errno.EBUSY}
    assert not capture.grab()
    capture.release()


def test_a_hidden_camera_is_read_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = FakeDriver(monkeypatch, "YUYV", 64, 64)
    sizes = Sizes((64, 64), (64, 64))
    device = Device("/dev/video0", card="Cam", can_capture=True, modes=(Mode("YUYV", sizes, (Rates(30, 30),)),))
    monkeypatch.setattr(devices, "describe", lambda path: device)
    monkeypatch.setattr(hidden, "should_fetch", lambda path: path == "/dev/video0")
    monkeypatch.setattr(hidden, "fetch", lambda path: driver.fd)
    driver.pictures = [(bytes([7] * 64 * 64 * 2), 0)] * 100  # many: what is old is passed over
    source = V4l2Source("/dev/video0", Size(64, 64), 30)
    try:
        assert source.fmt is PixelFormat.YUYV
        frame = HostFrame.empty(source.fmt, source.size)
        source.read(frame)
        assert (frame.data == 7).all()
    finally:
        source.close()
