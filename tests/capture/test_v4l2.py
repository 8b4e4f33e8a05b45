"""V4l2Source against a simulated camera."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from camdaemon.capture.v4l2 import V4l2Source
from camdaemon.errors import DeviceError
from camdaemon.frames.frame import PixelFormat, Size
from camdaemon.linux import holders, v4l2
from camdaemon.linux.devices import Device, Mode, Sizes
from tests.fake_camera import STAMPS, USUAL, FakeCapture, Rig, Stamp, camera, decoded, mode, picture_of

VGA, HD = Size(640, 480), Size(1280, 720)
ORDER = [cv2.CAP_PROP_FOURCC, cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS]
ORDER += [cv2.CAP_PROP_BUFFERSIZE, cv2.CAP_PROP_CONVERT_RGB]


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(monkeypatch)


def asked_for(rig: Rig) -> str:
    return v4l2.fourcc(int(rig.capture.values[cv2.CAP_PROP_FOURCC]))


@pytest.mark.parametrize(
    ("device", "size", "fps", "fourcc"),
    [
        (USUAL, VGA, 30, "YUYV"),
        (USUAL, HD, 30, "MJPG"),
        (camera(mode("YUYV", (640, 480), (1280, 720))), HD, 30, "YUYV"),  # has nothing else
        (camera(mode("MJPG", (640, 480))), VGA, 30, "MJPG"),
        (camera(mode("YUYV", (640, 480)), mode("MJPG", (1280, 720))), VGA, 30, "YUYV"),
        (camera(mode("MJPG", (640, 480)), mode("YUYV", (1280, 720))), HD, 30, "YUYV"),  # the asked size is in one only
        (camera(mode("YUYV", (1280, 720)), mode("MJPG", (640, 480))), VGA, 30, "MJPG"),
        (camera(mode("YUYV", (800, 600)), mode("MJPG", (800, 600))), HD, 30, "MJPG"),  # in neither
        (camera(mode("YUYV", (640, 480), fps=30), mode("MJPG", (640, 480), fps=60)), VGA, 60, "MJPG"),
        (camera(mode("GREY", (640, 480)), mode("NV12", (640, 480))), VGA, 30, "NV12"),
        (camera(mode("NV12", (640, 480)), mode("YUYV", (640, 480), fps=15)), VGA, 30, "YUYV"),  # raw beats fast
        (camera([Mode("MJPG", Sizes((1, 1), (4096, 4096)), ())]), HD, 30, "MJPG"),  # rates unknown
    ],
)
def test_the_format_is_chosen_by_what_the_device_offers(
    rig: Rig, device: Device, size: Size, fps: float, fourcc: str
) -> None:
    rig.device = device
    rig.open(size, fps)
    assert asked_for(rig) == fourcc


def test_settings_are_asked_in_the_order_the_driver_needs_and_read_back_into_one_line(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.capture.gives = {cv2.CAP_PROP_FRAME_WIDTH: 1024, cv2.CAP_PROP_FRAME_HEIGHT: 576, cv2.CAP_PROP_FPS: 25}
    with caplog.at_level(logging.INFO):
        source = rig.open(HD, 29.97)
    assert rig.opened_with == [("/dev/video7", cv2.CAP_V4L2)]
    assert rig.capture.set_order == ORDER
    assert (source.size, source.fps, source.fmt) == (Size(1024, 576), 25, PixelFormat.BGR)
    [told] = caplog.messages
    facts = "Cam (usb-1)", "MJPG 1280x720", " 29.97 fps", "MJPG 1024x576", " 25 fps", " 2 buffers", " 1024x576"
    assert re.search(".*".join(map(re.escape, facts)), told)


def test_opencv_waits_two_seconds_and_uses_one_thread(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "10")
    threads: list[int] = []
    monkeypatch.setattr(cv2, "setNumThreads", threads.append)
    rig.open()
    assert os.environ["OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"] == "2"
    assert threads == [1]


@pytest.mark.parametrize("one_row", [False, True])
def test_yuyv_comes_raw(rig: Rig, one_row: bool) -> None:
    rig.capture.one_row = one_row
    source = rig.open(VGA)
    frame = rig.read(source)
    assert source.fmt is PixelFormat.YUYV
    assert rig.capture.values[cv2.CAP_PROP_CONVERT_RGB] == 0
    np.testing.assert_array_equal(frame.data, picture_of(rig.capture.shown, 640, 480, 2))


def test_mjpg_comes_decompressed(rig: Rig) -> None:
    source = rig.open(HD)
    frame = rig.read(source)
    assert source.fmt is PixelFormat.BGR
    assert rig.capture.values[cv2.CAP_PROP_CONVERT_RGB] == 0, "here, where a broken one is noticed"
    np.testing.assert_array_equal(frame.data, decoded(rig.capture.shown, 1280, 720))


def test_what_the_driver_gave_decides_not_what_was_asked(rig: Rig) -> None:
    rig.capture.gives[cv2.CAP_PROP_FOURCC] = v4l2.code("YUYV")
    assert rig.open(HD).fmt is PixelFormat.YUYV


def test_an_awkward_size_is_cut_to_multiples_of_4_with_u_and_v_in_place(rig: Rig) -> None:
    rig.capture.gives = {cv2.CAP_PROP_FRAME_WIDTH: 646, cv2.CAP_PROP_FRAME_HEIGHT: 487}
    source = rig.open(HD)
    frame = rig.read(source)
    assert source.size == Size(644, 484)
    np.testing.assert_array_equal(frame.data, decoded(rig.capture.shown, 646, 487)[1:485, 0:644])


@pytest.mark.parametrize(
    ("device", "asked", "mode_asked"),
    [
        (camera(mode("YUYV", (3840, 2160))), None, "YUYV 3840x2160"),  # has nothing else
        (camera(mode("MJPG", (1920, 1080), (3840, 2160), (1600, 1200), (800, 600))), None, "MJPG 1600x1200"),
        (camera(mode("MJPG", (640, 480), (1024, 768))), None, "MJPG 1024x768"),  # none covers it
        (camera(mode("MJPG", (640, 480), (1920, 1080))), VGA, "MJPG 640x480"),
        (camera(mode("NV12", (1280, 960)), mode("MJPG", (1920, 1080))), None, "MJPG 1920x1080"),
        (camera(mode("MJPG", (720, 1280), (2160, 3840))), None, "MJPG 720x1280"),  # upright
        (camera([Mode("YUYV", Sizes((320, 240), (2592, 1944), (32, 8)), ())]), None, "YUYV 1280x720"),
        (camera([Mode("YUYV", Sizes((1600, 1200), (2592, 1944), (16, 16)), ())]), None, "YUYV 1600x1200"),
    ],
)
def test_the_smallest_mode_that_covers_the_wanted_size_else_the_nearest_is_asked_for(
    rig: Rig, device: Device, asked: Size | None, mode_asked: str
) -> None:
    rig.device = device
    rig.open(asked)
    size = (rig.capture.values[side] for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    assert f"{asked_for(rig)} {'x'.join(f'{side:g}' for side in size)}" == mode_asked


@pytest.mark.parametrize("fourcc", ["YUYV", "MJPG", "NV12"])
@pytest.mark.parametrize(
    ("given", "asked", "size"),
    [
        ((3840, 2160), None, HD),  # as a Cam Link 4K
        ((1920, 1088), None, HD),
        ((1600, 1200), None, HD),  # 4:3: cut to the shape, not squeezed
        ((1080, 1920), None, Size(404, 720)),  # upright: whole
        ((1920, 1080), VGA, VGA),
    ],
)
def test_a_camera_that_gives_more_than_is_wanted_is_scaled_down(
    rig: Rig, caplog: pytest.LogCaptureFixture, fourcc: str, given: tuple[int, int], asked: Size | None, size: Size
) -> None:
    rig.device = camera(mode(fourcc, given))
    with caplog.at_level(logging.INFO):
        source = rig.open(asked)
    assert (source.size, source.fmt) == (size, PixelFormat.BGR)
    is_jpeg = fourcc == "MJPG"
    assert rig.capture.values[cv2.CAP_PROP_CONVERT_RGB] == int(not is_jpeg)
    whole = picture_of(0, *given, 3)
    whole[...] = np.linspace(20, 200, given[1])[:, None, None]  # gray, brighter downwards: a squeezed one differs
    sent = cv2.imencode(".jpg", whole)[1].reshape(1, -1) if is_jpeg else whole
    rig.capture.retrieve = lambda into=None: (True, sent)  # type: ignore[method-assign]
    frame = rig.read(source)
    height = size.cover(*given)[3]
    middle = np.linspace(20, 200, given[1])[(given[1] - height) // 2 :][:height]
    np.testing.assert_allclose(frame.data[0, 0], middle[0], atol=2)
    np.testing.assert_allclose(frame.data[-1, -1], middle[-1], atol=2)
    [told] = caplog.messages
    assert re.search(rf"{given[0]}x{given[1]}.*using {size}\b.*--size \d+x\d+", told)


def test_a_camera_that_gives_less_stays_as_it_is(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.device = camera(mode("YUYV", (800, 600)))
    with caplog.at_level(logging.INFO):
        source = rig.open(None)
    assert (source.size, source.fmt) == (Size(800, 600), PixelFormat.YUYV)
    assert "scaled" not in caplog.text


def test_a_camera_that_tells_no_rate_gets_the_asked_one(rig: Rig) -> None:
    rig.capture.gives[cv2.CAP_PROP_FPS] = -1
    assert rig.open(fps=24).fps == 24


def test_frames_come_in_order_with_the_time_of_their_capture(rig: Rig) -> None:
    source = rig.open()
    times = [rig.read(source).t for _ in range(5)]
    np.testing.assert_allclose(np.diff(times), 1 / 30)
    assert times[-1] == pytest.approx(rig.clock.now)


@pytest.mark.parametrize("nap", [0.1, 0.3, 5.0])
@pytest.mark.parametrize("stamp", STAMPS)
def test_a_reader_that_slept_gets_a_fresh_frame(rig: Rig, nap: float, stamp: Stamp) -> None:
    rig.capture.stamp_of = stamp
    source = rig.open()
    for _ in range(3):
        rig.clock.sleep(nap)
        frame = rig.read(source)
        assert rig.clock.now - rig.capture.time_of(rig.capture.shown) < 2 / 30
        assert rig.clock.now - frame.t < 2 / 30


@pytest.mark.parametrize("stamp", STAMPS)
def test_a_reader_a_little_too_slow_keeps_its_rate(rig: Rig, stamp: Stamp) -> None:
    rig.capture.stamp_of = stamp
    source = rig.open()
    began = rig.clock.now
    for _ in range(30):
        rig.read(source)
        rig.clock.sleep(0.040)  # 33 ms come between two frames
    assert 30 / (rig.clock.now - began) == pytest.approx(25, rel=0.1)


@pytest.mark.parametrize("clock_of_its_own", [0.0, 1.7e9, -500.0])
def test_a_timestamp_of_another_clock_is_not_believed(rig: Rig, clock_of_its_own: float) -> None:
    rig.capture.stamp_of = lambda number, at: clock_of_its_own and at + clock_of_its_own
    source = rig.open()
    assert rig.read(source).t == rig.clock.now


def test_a_timestamp_slightly_ahead_is_now(rig: Rig) -> None:
    rig.capture.stamp_of = lambda number, at: at + 0.03
    source = rig.open()
    assert rig.read(source).t == rig.clock.now


@pytest.mark.parametrize("how", ["broken", "cut"])
def test_a_broken_picture_is_skipped(rig: Rig, how: str) -> None:
    source = rig.open(HD)
    setattr(rig.capture, how, {1, 2})
    frame = rig.read(source)
    np.testing.assert_array_equal(frame.data, decoded(3, 1280, 720))


def test_nothing_but_broken_pictures_is_an_error(rig: Rig) -> None:
    source = rig.open(HD)
    rig.capture.broken = set(range(1000))
    with pytest.raises(DeviceError, match=r"Cam \(usb-1\).* broken.*: camdaemon devices$"):
        rig.read(source)


def test_a_stall_is_an_error_after_two_seconds(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "exists", lambda path: True)
    monkeypatch.setattr(holders, "list_holders", lambda path: ["zoom (pid 7)"])
    source = rig.open()
    rig.capture.stalls_at = 5
    for _ in range(4):
        rig.read(source)
    with pytest.raises(DeviceError, match=r"no frame.* 2 s\b.*zoom \(pid 7\).*: camdaemon devices$"):
        rig.read(source)


def test_the_same_frame_again_and_again_is_a_stall(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "exists", lambda path: True)
    source = rig.open()
    rig.capture.stamp_of = lambda number, at: 1000.0 + 1 / 30  # as some drivers do when the camera is gone
    began = rig.clock.now
    with pytest.raises(DeviceError, match=r"no frame.* 2 s\b"):
        rig.read(source)
    assert rig.clock.now - began == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(("exists", "why"), [(False, "unplugged"), (True, "stopped")])
def test_a_failed_read_tells_unplugged_from_stopped(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, exists: bool, why: str
) -> None:
    monkeypatch.setattr(os.path, "exists", lambda path: exists)
    source = rig.open()
    rig.capture.breaks_at = 2
    rig.read(source)
    with pytest.raises(DeviceError, match=rf"Cam \(usb-1\).* {why}.*Run: camdaemon devices$"):
        rig.read(source)
    source.close()
    assert rig.capture.released


def test_a_camera_that_sends_no_first_frame_does_not_open(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "exists", lambda path: True)
    rig.capture.stalls_at = 0
    with pytest.raises(DeviceError, match=r"no frame.* 2 s\b"):
        rig.open()
    assert rig.capture.released


@pytest.mark.parametrize(("users", "why"), [(["zoom (pid 7)"], r"zoom \(pid 7\)"), ([], "another program")])
def test_a_busy_camera(rig: Rig, monkeypatch: pytest.MonkeyPatch, users: list[str], why: str) -> None:
    monkeypatch.setattr(holders, "list_holders", lambda path: users)
    rig.capture.opened = False
    with pytest.raises(DeviceError, match=f"not open.*{why}.*: sudo fuser -v /dev/video7$"):
        rig.open()
    assert rig.capture.released


def test_a_loopback_that_a_program_feeds_is_a_camera(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """No remedy takes its producer away."""
    monkeypatch.setattr(os.path, "exists", lambda path: True)
    monkeypatch.setattr(holders, "list_holders", lambda path: ["droidcam (pid 7)", "zoom (pid 8)"])
    rig.device = camera(
        mode("YUYV", (320, 240)), is_loopback=True, is_fed=True, card="DroidCam", driver="v4l2 loopback"
    )
    source = rig.open(None)
    assert source.size == Size(320, 240)
    rig.capture.stalls_at = 2
    rig.read(source)
    with pytest.raises(DeviceError, match=r"DroidCam.*no frame.*Start the program.*Run: camdaemon devices$"):
        rig.read(source)
    rig.capture.opened = False
    with pytest.raises(DeviceError, match=r"DroidCam.*not open.*droidcam.*zoom.*reads it, not what feeds it"):
        rig.open(None)


@pytest.mark.parametrize(
    ("device", "message"),
    [
        (camera(can_capture=False), r"video7 \(Cam\).*not a camera.*: camdaemon devices$"),
        (
            camera(can_capture=False, is_loopback=True, can_output=True),
            "video7.*virtual camera.* producer.*: camdaemon devices$",
        ),
        (camera(mode("H264", (640, 480))), r"Cam \(usb-1\).*offers.*H264.*: camdaemon devices$"),
        (camera(), r"Cam \(usb-1\).*offers.*nothing.*: camdaemon devices$"),
    ],
)
def test_no_usable_camera(rig: Rig, device: Device, message: str) -> None:
    rig.device = device
    with pytest.raises(DeviceError, match=message):
        rig.open()
    assert rig.opened_with == []


def test_a_missing_camera(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"video7.*not exist.*Run: camdaemon devices$"):
        V4l2Source(str(tmp_path / "video7"), VGA, 30)


def test_a_file_is_no_camera(tmp_path: Path) -> None:
    (tmp_path / "video7").touch()
    with pytest.raises(DeviceError, match=r"video7.*not a video device.*Run: camdaemon devices$"):
        V4l2Source(str(tmp_path / "video7"), VGA, 30)


def test_the_name_is_the_stable_one(rig: Rig) -> None:
    assert rig.open().name == "Cam (usb-1)"
    rig.capture = FakeCapture(rig.clock)
    rig.device = replace(USUAL, by_id="/dev/v4l/by-id/usb-Cam-video-index0")
    source = rig.open()
    assert (source.name, source.live) == ("usb-Cam-video-index0", True)


def test_close_twice(rig: Rig) -> None:
    source = rig.open()
    source.close()
    source.close()
    assert rig.capture.released
