"""LoopbackSink against a fake v4l2loopback."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import numpy as np
import pytest

from camdaemon.errors import DeviceError
from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.output import placeholder
from camdaemon.output.loopback import LoopbackSink
from tests.fake_loopback import BYTES, CAPTURE, G_FMT, QUERYCAP, S_FMT, S_PARM, SIZE, STREAMON, FakeLoopback


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLoopback:
    return FakeLoopback(tmp_path / "video10", monkeypatch)


@pytest.fixture(autouse=True)
def placed(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was put in for viewers of a daemon that was killed: (path, shape, seconds), or 'away'."""
    said: list[object] = []
    monkeypatch.setattr(placeholder, "install", lambda path, picture, after: said.append((path, picture.shape, after)))
    monkeypatch.setattr(placeholder, "remove", lambda path: said.append("away"))
    return said


def test_the_card_for_a_killed_daemon_is_put_in_once_and_taken_away_at_an_orderly_end(
    device: FakeLoopback, placed: list[object]
) -> None:
    sink = LoopbackSink(device.path, SIZE, 30)
    assert placed == [], "the module takes it after the first frame only"
    sink.write(frame())
    sink.write(frame())
    assert placed == [(device.path, PixelFormat.I420.shape(SIZE), 1.5)]
    sink.close()
    assert placed[1:] == ["away"]


def test_a_module_that_takes_no_card_is_no_error(device: FakeLoopback, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOTTY, "no such control")

    monkeypatch.setattr(placeholder, "install", refused)
    monkeypatch.setattr(placeholder, "remove", refused)
    sink = LoopbackSink(device.path, SIZE, 30)
    sink.write(frame())
    sink.close()
    assert device.events.count("write") == 1
    assert not device.is_open


def frame(seed: int = 0) -> HostFrame:
    one = HostFrame.empty(PixelFormat.I420, SIZE)
    one.data[:] = np.random.default_rng(seed).integers(0, 256, one.data.shape, np.uint8)
    return one


def refusal(device: FakeLoopback, size: Size = SIZE) -> str:
    """What opening says; the device must not stay open."""
    with pytest.raises(DeviceError) as refused:
        LoopbackSink(device.path, size, 30)
    assert not device.is_open
    return str(refused.value)


def test_every_byte_of_every_frame_reaches_the_device(device: FakeLoopback) -> None:
    sink = LoopbackSink(device.path, SIZE, 30)
    assert (sink.name, sink.fmt, sink.size) == (device.path, PixelFormat.I420, SIZE)
    frames = [frame(seed) for seed in range(3)]
    for one in frames:
        sink.write(one)
    sink.close()
    assert Path(device.path).read_bytes() == b"".join(one.data.tobytes() for one in frames)


def test_format_then_rate_then_frames_and_streamon_once_after_the_first(device: FakeLoopback) -> None:
    sink = LoopbackSink(device.path, SIZE, 25)
    sink.write(frame())
    sink.write(frame())
    sink.close()
    assert device.events == ["caps", "set", "get", "rate", "write", "on", "write", "close"]
    assert device.format == (b"YU12", 128, 96)
    assert device.interval == (1, 25)


def test_close_twice(device: FakeLoopback) -> None:
    sink = LoopbackSink(device.path, SIZE, 30)
    sink.close()
    sink.close()
    assert device.events.count("close") == 1


def test_it_opens_again_after_close(device: FakeLoopback) -> None:
    for _ in range(2):
        sink = LoopbackSink(device.path, SIZE, 30)
        sink.write(frame())
        sink.close()
        device.events.clear()
    assert not device.is_open


@pytest.mark.parametrize("refused", [STREAMON, S_PARM])
def test_a_driver_may_refuse_streamon_and_the_rate(device: FakeLoopback, refused: int) -> None:
    device.refuses[refused] = errno.EINVAL
    sink = LoopbackSink(device.path, SIZE, 30)
    sink.write(frame())
    assert device.events[-2:] == ["write", "on"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.EINVAL, r"not sent.*another program.*zoom \(pid 7\).*: fuser -v \S+video10$"),
        (errno.EBUSY, r"not sent.*another program.*: fuser -v \S+video10$"),
        (errno.ENODEV, r"not sent.*No such device.*: sudo modprobe v4l2loopback .* max_buffers=4$"),
    ],
)
def test_a_failed_write_is_an_error(device: FakeLoopback, code: int, message: str) -> None:
    sink = LoopbackSink(device.path, SIZE, 30)
    sink.write(frame())
    device.write_error = code
    with pytest.raises(DeviceError, match=message):
        sink.write(frame())
    sink.close()
    assert not device.is_open


def test_a_first_frame_that_fails_says_no_streamon(device: FakeLoopback) -> None:
    sink = LoopbackSink(device.path, SIZE, 30)
    device.write_error = errno.EINVAL
    with pytest.raises(DeviceError, match="not sent"):
        sink.write(frame())
    assert "on" not in device.events


def test_a_half_taken_frame_is_an_error(device: FakeLoopback) -> None:
    sink = LoopbackSink(device.path, SIZE, 30)
    device.takes = 1000
    with pytest.raises(DeviceError, match=rf"took 1000 .*\b{BYTES} bytes.*: fuser -v \S+video10$"):
        sink.write(frame())


def test_a_frame_of_another_size_never_reaches_the_device(device: FakeLoopback) -> None:
    sink = LoopbackSink(device.path, SIZE, 30)
    with pytest.raises(ValueError, match="frame size"):
        sink.write(HostFrame.empty(PixelFormat.I420, Size(64, 64)))
    assert "write" not in device.events


def test_a_missing_device_says_how_to_load_the_module(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"video10.*not exist.*Run: sudo modprobe v4l2loopback .*=4$"):
        LoopbackSink(str(tmp_path / "video10"), SIZE, 30)
    with pytest.raises(DeviceError, match=r"video_nr=4242 card_label=camdaemon exclusive_caps=1 max_buffers=4$"):
        LoopbackSink("/dev/video4242", SIZE, 30)


def test_no_permission(device: FakeLoopback, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, *arguments: int) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DeviceError, match=rf"{device.path}.* permission denied.*(chmod 660|usermod -aG) .*"):
        LoopbackSink(device.path, SIZE, 30)


def test_a_file_is_no_virtual_camera(device: FakeLoopback) -> None:
    device.refuses[QUERYCAP] = errno.ENOTTY
    assert re.search(rf"{device.path}.*not a video device.*Run: camdaemon devices$", refusal(device))


def test_a_real_camera_is_no_virtual_camera(device: FakeLoopback) -> None:
    device.driver, device.flags = b"uvcvideo", CAPTURE
    said = refusal(device)
    assert re.search(rf"{device.path}.* A card \(uvcvideo\).*not a virtual camera", said)
    assert said.endswith(
        "sudo modprobe v4l2loopback devices=1 video_nr=10 card_label=camdaemon exclusive_caps=1 max_buffers=4"
    )


def test_another_producer(device: FakeLoopback) -> None:
    device.flags = CAPTURE
    said = refusal(device)
    assert re.search(rf"another program.*{device.path}.*zoom \(pid 7\).*Run: fuser -v {device.path}$", said)


def test_another_producer_that_has_sent_nothing_yet(device: FakeLoopback) -> None:
    device.refuses[S_FMT] = errno.EBUSY  # 0.15
    said = refusal(device)
    assert re.search(rf"{device.path}.*no producer.*\(Device or resource busy\).*zoom \(pid 7\)", said)
    assert said.endswith(f"fuser -v {device.path}")


def test_a_device_that_hides_its_format(device: FakeLoopback) -> None:
    device.refuses[G_FMT] = errno.EINVAL
    assert refusal(device).endswith("exclusive_caps=1 max_buffers=4")
    assert "sudo modprobe -r v4l2loopback && sudo modprobe v4l2loopback" in refusal(device)


def test_pinned_as_a_camera(device: FakeLoopback) -> None:
    device.flags, device.keep_format = CAPTURE, 1
    said = refusal(device)
    assert re.search(rf"{device.path}.*keep_format.*Run: sudo v4l2loopback-ctl set-caps {device.path} any$", said)


def test_pinned_at_another_size(device: FakeLoopback) -> None:
    device.held, device.keep_format = (b"YU12", 640, 480), 1  # 0.13
    assert refusal(device).endswith(f"sudo v4l2loopback-ctl set-caps {device.path} any")


def test_left_stuck_by_another_producer(device: FakeLoopback) -> None:
    device.flags = 0  # 0.12 after a producer that never said STREAMON
    said = refusal(device)
    assert re.search(rf"{device.path}.*stuck.*producer.*Run: sudo modprobe -r", said)
    assert said.endswith("exclusive_caps=1 max_buffers=4")


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize(
    ("held", "way_out"),
    [((b"YU12", 640, 480), "Run: camdaemon run --size 640x480"), ((b"YUYV", 128, 96), "Run: fuser -v ")],
)
def test_a_reader_holds_another_format(
    device: FakeLoopback, held: tuple[bytes, int, int], way_out: str, refused: bool
) -> None:
    device.held = held
    if refused:
        device.refuses[S_FMT] = errno.EBUSY  # 0.13; 0.15 keeps the old format without a word
    said = refusal(device)
    now = f"{held[1]}x{held[2]} {held[0].decode()}"
    assert re.search(rf"{device.path}.* {now} .*128x96 YU12.*zoom \(pid 7\)", said)
    assert way_out in said


def test_too_many_programs_have_it_open(device: FakeLoopback, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, *arguments: int) -> int:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DeviceError, match=r"in use.*zoom \(pid 7\).*: fuser -v \S+video10$"):
        LoopbackSink(device.path, SIZE, 30)
