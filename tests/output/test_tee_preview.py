"""Several sinks at once, and the window on this desktop."""

import os
import re
import shutil
import struct
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from camdaemon.errors import DeviceError, StreamEnded
from camdaemon.frames import color
from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.output import open_sink
from camdaemon.output.tee import TeeSink
from camdaemon.output.window import PreviewSink, has_display
from tests.present import present

SIZE = Size(128, 72)
NO_RENDERER = pytest.mark.filterwarnings("ignore:no fast renderer available")


def frame(rgb) -> HostFrame:
    """Left half in `rgb`, right half gray."""
    picture = np.full((72, 128, 3), 90, np.uint8)
    picture[:, :64] = rgb
    made = HostFrame.empty(PixelFormat.I420, SIZE)
    color.rgb_to_host(picture, PixelFormat.I420, made.data)
    return made


class Listed:
    """A sink that writes down what happens to it."""

    fmt, size, can_reopen, viewers = PixelFormat.I420, SIZE, False, ()

    def __init__(self, name, events, live=False, breaks=()):
        self.name, self.live, self._events, self._breaks = name, live, events, breaks

    def write(self, frame):
        self._events.append((self.name, "write", frame.seq))
        if "write" in self._breaks:
            raise DeviceError(f"{self.name} is gone")

    def close(self):
        self._events.append((self.name, "close"))
        if "close" in self._breaks:
            raise DeviceError(f"{self.name} cannot be finished")


def test_every_sink_gets_every_frame_in_order():
    events: list[Any] = []
    tee = TeeSink([Listed("a", events), Listed("b", events)])
    sent = frame((0, 0, 0))
    sent.seq = 4
    tee.write(sent)
    tee.close()
    assert events == [("a", "write", 4), ("b", "write", 4), ("a", "close"), ("b", "close")]
    assert tee.name == "a + b"
    assert (tee.fmt, tee.size) == (PixelFormat.I420, SIZE)


@pytest.mark.parametrize("lives", [(False, False), (True, False), (False, True)])
def test_somebody_watches_when_somebody_watches_one_of_them(lives):
    assert TeeSink([Listed(str(i), [], live) for i, live in enumerate(lives)]).live is any(lives)


def test_an_onlooker_that_fails_is_left_out_and_the_others_go_on(caplog):
    events: list[Any] = []
    tee = TeeSink([Listed("a", events), Listed("b", events, breaks=("write",)), Listed("c", events)])
    for _ in range(2):
        tee.write(frame((0, 0, 0)))
    tee.close()
    assert [event[0] for event in events if event[1] == "write"] == ["a", "b", "c", "a", "c"]
    assert events.count(("b", "close")) == 1
    assert re.search("dropped.* b: b is gone", caplog.text)


def test_an_onlooker_that_ends_is_an_end_for_all():
    class Closed(Listed):
        def write(self, frame):
            raise StreamEnded("the window was closed")

    with pytest.raises(StreamEnded):
        TeeSink([Listed("a", []), Closed("b", [])]).write(frame((0, 0, 0)))


def test_a_first_sink_that_fails_ends_the_run():
    events: list[Any] = []
    tee = TeeSink([Listed("a", events, breaks=("write",)), Listed("b", events)])
    with pytest.raises(DeviceError, match="a is gone"):
        tee.write(frame((0, 0, 0)))


def test_a_sink_that_cannot_be_closed_does_not_keep_the_others_open():
    """A camera that was unplugged must not leave the video file without its end."""
    events: list[Any] = []
    tee = TeeSink([Listed("a", events, breaks=("close",)), Listed("b", events)])
    with pytest.raises(DeviceError, match="cannot be finished"):
        tee.close()
    assert ("b", "close") in events


# ---- preview


@pytest.fixture
def no_display(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_display_it_says_what_to_type(no_display):
    assert not has_display()
    for make in (lambda: PreviewSink(SIZE), lambda: open_sink("preview", SIZE, 30.0, paced=True)):
        with pytest.raises(DeviceError, match=r"no display.*--sink out\.mp4$"):
            make()


@pytest.mark.parametrize("name", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_either_kind_of_display_will_do(no_display, monkeypatch, name):
    monkeypatch.setenv(name, "somewhere")
    assert has_display()


def test_a_display_that_does_not_answer_is_an_error_not_a_window_that_nobody_sees(tmp_path):
    """In a process of its own: SDL would fall back to drawing into memory."""
    script = """
from camdaemon.errors import DeviceError
from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.output.window import PreviewSink

try:
    sink = PreviewSink(Size(128, 72))
    sink.write(HostFrame.empty(PixelFormat.I420, Size(128, 72)))
except DeviceError as wrong:
    print("told:", wrong)
"""
    hidden = ("WAYLAND_DISPLAY", "SDL_VIDEODRIVER", "XDG_RUNTIME_DIR")
    environment = {key: value for key, value in os.environ.items() if key not in hidden} | {"DISPLAY": ":987"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-600:]
    assert "--sink out.mp4" in done.stdout


@pytest.fixture
def window(monkeypatch):
    """A preview into SDL's dummy window, closed at the end."""
    monkeypatch.setenv("DISPLAY", ":dummy")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    sink = PreviewSink(SIZE)
    yield sink
    sink.close()


def pixels() -> np.ndarray:
    """(H,W,3) RGB of what the window shows."""
    import pygame

    return pygame.surfarray.array3d(present(pygame.display.get_surface())).transpose(1, 0, 2).astype(int)


@NO_RENDERER
@pytest.mark.parametrize("rgb", [(255, 0, 0), (0, 0, 255), (224, 172, 140)])
def test_the_window_shows_the_frame(window, rgb):
    window.write(frame((9, 9, 9)))
    window.write(frame(rgb))
    shown = pixels()
    assert shown.shape == (72, 128, 3)
    assert np.abs(shown[:, 2:60] - rgb).max() <= 4
    assert np.abs(shown[:, 68:] - 90).max() <= 4


@NO_RENDERER
def test_closing_the_window_ends_the_run_in_order(window):
    import pygame

    window.write(frame((0, 0, 0)))
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    with pytest.raises(StreamEnded, match="window was closed"):
        window.write(frame((0, 0, 0)))


@NO_RENDERER
def test_other_events_do_not_end_it(window):
    import pygame

    window.write(frame((0, 0, 0)))
    for kind in (pygame.KEYDOWN, pygame.MOUSEMOTION, pygame.VIDEORESIZE):
        pygame.event.post(pygame.event.Event(kind))
    window.write(frame((255, 0, 0)))
    assert np.abs(pixels()[:, 2:60] - (255, 0, 0)).max() <= 4, "it shows the next frame"


@NO_RENDERER
def test_the_window_is_gone_after_close_and_close_may_be_called_twice(window):
    import pygame

    window.write(frame((0, 0, 0)))
    window.close()
    assert not pygame.display.get_init()
    window.close()
    assert not pygame.display.get_init()


def test_a_preview_that_never_showed_anything_opens_no_window_to_close(window):
    import pygame

    assert not pygame.display.get_init()
    window.close()
    assert not pygame.display.get_init()


@pytest.fixture
def screen(tmp_path, monkeypatch):
    """A real X server without a monitor; its screen lies in a file (XWD) that the test can read."""
    server = shutil.which("Xvfb")
    if server is None:
        pytest.skip("no Xvfb here (sudo apt install xvfb)")
    read, write = os.pipe()
    process = subprocess.Popen(
        [server, "-displayfd", str(write), "-screen", "0", "320x240x24", "-fbdir", str(tmp_path), "-nolisten", "tcp"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as pipe:
        number = pipe.readline().strip()
    assert number, "Xvfb did not start"
    for name in ("SDL_VIDEODRIVER", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", f":{number}")
    yield tmp_path / "Xvfb_screen0"
    process.terminate()
    process.wait(60)


def seen(screen) -> np.ndarray:
    """(H,W,3) RGB of the whole screen."""
    raw = screen.read_bytes()
    head = struct.unpack(">25I", raw[:100])
    start, (width, height), line = head[0] + 12 * head[19], head[4:6], head[12]
    rows = np.frombuffer(raw, np.uint8, height * line, start).reshape(height, line)
    return rows[:, : 4 * width].reshape(height, width, 4)[..., 2::-1].astype(int)


@NO_RENDERER
def test_a_real_window_shows_the_frame_on_the_screen_and_goes_away(screen):
    import time

    import pygame

    sink = PreviewSink(SIZE)

    def red() -> int:
        return int((np.abs(seen(screen) - (255, 0, 0)).max(2) <= 6).sum())

    end = time.monotonic() + 60
    while red() < 0.9 * 64 * 72 and time.monotonic() < end:
        sink.write(frame((255, 0, 0)))
        time.sleep(0.02)
    assert pygame.display.get_driver() == "x11"
    assert red() >= 0.9 * 64 * 72
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    with pytest.raises(StreamEnded):
        sink.write(frame((255, 0, 0)))
    sink.close()
    end = time.monotonic() + 60
    while red() and time.monotonic() < end:
        time.sleep(0.02)
    assert red() == 0
