"""The daemon with PipeWire on both sides: a clip or a camera of PipeWire in, a camera of PipeWire out."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys

import av
import numpy as np
import pytest

from camdaemon.frames import picture
from tests.fakes import MARKER, marked
from tests.lab import footage
from tests.pipewire_readers import GstReader
from tests.pipewire_session import PipeWireSession, start_session, wait_until

SIZE = footage.SIZE
PERSON = (200, 150, 120)  # RGB
RUN = ["--matting", "difference", "--size", str(SIZE), "--backdrop", "color:#205080", "--sink", "pipewire"]


@pytest.fixture(scope="module")
def session():
    with start_session() as running:
        yield running


@pytest.fixture
def environ(session: PipeWireSession, tmp_path):
    """The environment of a daemon of this test's own."""
    folders = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("CONFIG", "STATE", "DATA", "CACHE")}
    return session.environ | folders | {"CAMDAEMON_SOCKET": str(tmp_path / "c.sock")}


@contextlib.contextmanager
def daemon(session, environ, *words):
    process = subprocess.Popen(
        [sys.executable, "-m", "camdaemon", "run", *RUN, *words], env=environ, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_until(lambda: process.poll() is not None or "camdaemon" in session.nodes(), "the camera is there")
        assert process.poll() is None, process.communicate()
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
    assert process.returncode == 0, log


def ask(environ) -> dict:
    said = subprocess.run(
        [sys.executable, "-m", "camdaemon", "status", "--json"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(said.stdout) if said.returncode == 0 else {}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A person who carries each frame's number, before a room in the marker's color; and the plate of that room."""
    folder = tmp_path_factory.mktemp("clip")
    room = np.full((SIZE.height, SIZE.width, 3), MARKER, np.uint8)
    picture.write(folder / "plate.png", room)
    with av.open(str(folder / "clip.mkv"), "w") as out:
        stream = out.add_stream("libx264", rate=footage.FPS)
        stream.width, stream.height, stream.pix_fmt = SIZE.width, SIZE.height, "yuv420p"
        stream.options = {"crf": "8", "preset": "ultrafast"}
        for number in range(footage.COUNT):
            shown = room.copy()
            shown[100:, 180:460] = PERSON
            footage.write_number(shown, number)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
        out.mux(stream.encode(None))
    return folder


@pytest.fixture
def read(session):
    with contextlib.ExitStack() as opened:

        def start(fmt: str) -> GstReader:
            reader = GstReader(session, "camdaemon", fmt, SIZE)
            opened.callback(reader.close)
            return reader

        yield start


def count_shared(one: list, other: list) -> int:
    """How many frames two readers had in common, without a gap, from the first one of that which came later."""
    first, later = (one, other) if len(one) >= len(other) else (other, one)
    lengths = [0]
    for begin in range(len(first)):
        length = min(len(first) - begin, len(later))
        if first[begin : begin + length] == later[:length]:
            lengths.append(length)
    return max(lengths)


def test_two_readers_get_the_same_frames_in_order_and_never_the_room(session, environ, clip, read):
    source = ["--source", str(clip / "clip.mkv"), "--plate", str(clip / "plate.png")]
    with daemon(session, environ, *source):
        readers = {fmt: read(fmt) for fmt in ("I420", "BGRx")}
        for reader in readers.values():
            reader.wait_for(60)
        wait_until(lambda: ask(environ).get("seen", {}).get("state") == "live", "the person is shown")
        seen = {fmt: [footage.read_number(rgb) for rgb in reader.pictures()] for fmt, reader in readers.items()}
        assert count_shared(*seen.values()) >= 50, seen
    for reader in readers.values():
        pictures = reader.pictures()
        assert max(map(marked, pictures)) == 0
        assert any(np.abs(rgb[200, 300].astype(int) - PERSON).max() < 12 for rgb in pictures), "nobody is shown"


@contextlib.contextmanager
def play(session):
    """A camera "stage" that GStreamer plays: a ball before black."""
    caps = f"video/x-raw,format=NV12,width={SIZE.width},height={SIZE.height},framerate=30/1"
    node = "stream-properties=props,media.class=Video/Source,media.role=Camera,node.name=stage"
    source = ["videotestsrc", "is-live=true", "pattern=ball", "background-color=0xff000000", "!", caps]
    command = ["gst-launch-1.0", "-q", *source, "!", "pipewiresink", "mode=provide", node]
    process = subprocess.Popen(command, env=session.environ)
    try:
        wait_until(lambda: "stage" in session.nodes(), "the camera is there")
        yield
    finally:
        process.kill()
        process.wait()


def test_a_camera_of_pipewire_is_matted_lost_and_found_again(session, environ, tmp_path, read):
    plate = tmp_path / "black.png"
    picture.write(plate, np.zeros((SIZE.height, SIZE.width, 3), np.uint8))
    # GStreamer's camera serves one reader in its life: closing it on demand would end it
    words = ["--source", "pipewire:stage", "--plate", str(plate), "--no-on-demand"]

    def is_shown(word: str) -> bool:
        return ask(environ).get("seen", {}).get("state") == word

    with contextlib.ExitStack() as camera:
        camera.enter_context(play(session))
        with daemon(session, environ, *words):
            reader = read("I420")
            wait_until(lambda: is_shown("live"), "the ball is shown")
            camera.close()
            wait_until(lambda: is_shown("card"), "the camera is lost")
            with play(session):
                wait_until(lambda: is_shown("live"), "the camera is found again")
                before = len(reader.frames)
                reader.wait_for(before + 10)
                corner = reader.pictures()[-1][:8, :8].mean((0, 1))
                assert np.abs(corner - (0x20, 0x50, 0x80)).max() < 4, "the backdrop is not there"
