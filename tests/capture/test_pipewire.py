"""Cameras of PipeWire: which one is chosen, and pictures of one that GStreamer plays, with the real PipeWire."""

import contextlib
import json
import subprocess
import threading
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from camdaemon.capture import find_source, open_source
from camdaemon.capture.pipewire import PipeWireSource, choose_camera
from camdaemon.cli.app import app
from camdaemon.errors import DeviceError
from camdaemon.frames import color
from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.linux.pipewire.cameras import PipeWireCamera, list_cameras
from camdaemon.output import open_sink
from tests.pipewire_session import PipeWireSession, start_session, wait_until

SIZE = Size(640, 360)
OWN = PipeWireCamera(1, "camdaemon", "camdaemon", "40", is_own=True)
USB = PipeWireCamera(2, "v4l2_input.usb", "Webcam", "41", v4l2_path="/dev/video0")
MIPI = PipeWireCamera(3, "libcamera_input", "Built-in camera", "42")


@pytest.mark.parametrize("name", ["libcamera_input", "Built-in camera", "42", ""])
def test_a_camera_is_chosen_by_its_names_or_as_the_first_that_v4l2_cannot_read(name):
    assert choose_camera([OWN, USB, MIPI], name) is MIPI
    assert choose_camera([OWN, USB, MIPI], "Webcam") is USB, "one that is named is taken"


@pytest.mark.parametrize(
    ("cameras", "name", "says"),
    [
        ([OWN], "", "no camera. Run"),
        ([OWN, USB], "", "--source /dev/video0"),
        ([OWN, MIPI], "camdaemon", "own picture"),
        ([OWN, MIPI], "40", "own picture"),
        ([OWN, MIPI], "other", "no camera 'other'"),
    ],
)
def test_our_own_picture_is_never_chosen_and_the_error_says_what_to_do(cameras, name, says):
    with pytest.raises(DeviceError, match=rf"{says}.*Run: camdaemon devices|{says}: camdaemon devices"):
        choose_camera(cameras, name)


def test_without_pipewire_there_are_no_cameras_and_the_error_says_what_to_type():
    assert list_cameras() == []
    assert find_source("pipewire:x") is PipeWireSource
    with pytest.raises(DeviceError, match=r"PipeWire.*Run: systemctl"):
        open_source("pipewire", SIZE, 30, loop=False, paced=True)


@pytest.fixture(scope="module")
def running():
    with start_session() as session:
        yield session


@pytest.fixture
def session(running, monkeypatch):
    monkeypatch.delenv("PIPEWIRE_RUNTIME_DIR")
    monkeypatch.setenv("XDG_RUNTIME_DIR", running.environ["XDG_RUNTIME_DIR"])
    return running


@contextlib.contextmanager
def play(session: PipeWireSession, fmt: str, width: int = 640, height: int = 360):
    """A camera "stage" that shows one color, played by GStreamer. Leaving kills it."""
    caps = f"video/x-raw,format={fmt},width={width},height={height},framerate=30/1,colorimetry=bt601"
    node = "stream-properties=props,media.class=Video/Source,media.role=Camera,node.name=stage,node.description=Stage"
    command = [
        "gst-launch-1.0",
        "-q",
        "videotestsrc",
        "is-live=true",
        "pattern=solid-color",
        "foreground-color=0xff286eb4",
    ]
    command += ["!", caps, "!", "pipewiresink", "mode=provide", node]
    process = subprocess.Popen(command, env=session.environ)
    try:
        wait_until(lambda: "stage" in session.nodes(), "the camera is there")
        yield process
    finally:
        process.kill()
        process.wait()
        wait_until(lambda: "stage" not in session.nodes(), "the camera is gone")


def read_until_it_fails(source, frame: HostFrame) -> None:
    for _ in range(100):
        source.read(frame)


COLOR = np.array([0x28, 0x6E, 0xB4])  # RGB


@pytest.mark.parametrize(
    ("fmt", "width", "height", "delivered"),
    [
        ("I420", 640, 360, PixelFormat.I420),
        ("NV12", 640, 360, PixelFormat.NV12),
        ("YUY2", 640, 360, PixelFormat.YUYV),
        ("BGRx", 640, 360, PixelFormat.RGB),
        ("RGB", 640, 360, PixelFormat.RGB),
        ("YUY2", 1280, 720, PixelFormat.RGB),
        ("I420", 648, 366, PixelFormat.RGB),
    ],
)
def test_every_format_is_read_in_its_colors_and_in_the_size_that_is_wanted(session, fmt, width, height, delivered):
    with play(session, fmt, width, height):
        source = open_source("pipewire:stage", SIZE, 30, loop=False, paced=True)
        with contextlib.closing(source):
            assert (source.name, source.fmt, source.size, source.fps) == ("stage", delivered, SIZE, 30)
            frame, times = HostFrame.empty(source.fmt, source.size), []
            for _ in range(5):
                source.read(frame)
                times.append(frame.t)
            assert times == sorted(set(times))
            assert 0 <= time.monotonic() - times[-1] < 60
            rgb = color.host_to_rgb(frame.data, frame.fmt)
            assert np.abs(rgb.astype(int) - COLOR).max() < 6


def test_a_camera_that_goes_is_an_error_at_once_and_can_be_opened_again(session):
    for _ in range(2):
        with play(session, "I420") as process:
            source = open_source("pipewire:Stage", SIZE, 30, loop=False, paced=True)
            frame = HostFrame.empty(source.fmt, source.size)
            source.read(frame)
            process.kill()
            with pytest.raises(DeviceError, match=r"Stage.*Run: camdaemon devices"):
                read_until_it_fails(source, frame)
            source.close()
            source.close()
    with pytest.raises(DeviceError, match="no camera 'Stage'"):
        open_source("pipewire:Stage", SIZE, 30, loop=False, paced=True)


def test_the_same_camera_is_closed_and_opened_again(session, monkeypatch):
    """GStreamer's camera serves one reader in its life, so another program's stands in for it."""
    monkeypatch.setattr("camdaemon.linux.pipewire.camera.OWN", "another.program")
    sink, stop = open_sink("pipewire:theirs", SIZE, 30, paced=True), threading.Event()
    gray = HostFrame.empty(sink.fmt, SIZE)

    def publish():
        while not stop.wait(1 / 30):
            sink.write(gray)

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        for _ in range(3):
            with contextlib.closing(open_source("pipewire:theirs", SIZE, 30, loop=False, paced=True)) as source:
                frame = HostFrame.empty(source.fmt, source.size)
                for _ in range(3):
                    source.read(frame)
    finally:
        stop.set()
        thread.join(60)
        sink.close()


def test_a_lost_pipewire_is_an_error(session):
    with play(session, "I420"):
        source = open_source("pipewire", SIZE, 30, loop=False, paced=True)
        frame = HostFrame.empty(source.fmt, source.size)
        source.read(frame)
        session.kill("pipewire")
        session.kill("wireplumber")
        with pytest.raises(DeviceError, match="Stage"):
            read_until_it_fails(source, frame)
        source.close()
        session.start_pipewire()
        session.start_wireplumber()


def test_devices_lists_the_cameras_of_pipewire_and_never_our_own(session, monkeypatch):
    monkeypatch.setattr("camdaemon.linux.devices.list_devices", list)
    sink = open_sink("pipewire:ours", SIZE, 30, paced=True)
    with contextlib.closing(sink), play(session, "NV12"):
        assert {camera.name: camera.is_own for camera in list_cameras()} == {"ours": True, "stage": False}
        said = CliRunner().invoke(app, ["devices"], catch_exceptions=False).output
        assert "pipewire:stage" in said
        assert "NV12" in said
        assert "ours" not in said
        found = json.loads(CliRunner().invoke(app, ["devices", "--json"], catch_exceptions=False).output)
        assert {each["path"]: each["is_camera"] for each in found} == {"pipewire:stage": True}
        with pytest.raises(DeviceError, match="own picture"):
            open_source("pipewire:ours", SIZE, 30, loop=False, paced=True)
