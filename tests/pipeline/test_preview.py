"""The live preview: nothing unless it is looked at; then composite, matte and camera, small and in order."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from camdaemon.control.commands import Commands
from camdaemon.errors import ConfigError
from camdaemon.frames import color
from camdaemon.frames import picture as pictures
from camdaemon.frames.frame import Content, HostFrame, PixelFormat, Size
from camdaemon.pipeline import preview
from camdaemon.pipeline.preview import VIEWS, LivePreview
from tests.fakes import MARKER, PERSON, SIZE, Rig
from tests.kinds import EITHER, floats
from tests.present import present


def frame(value: int = 0, size: Size = SIZE, fmt: PixelFormat = PixelFormat.RGB) -> HostFrame:
    made = HostFrame.empty(fmt, size)
    made.data[:] = value
    return made


def decoded(jpeg: bytes) -> np.ndarray:
    """(H,W,3) RGB."""
    assert jpeg[:3] == b"\xff\xd8\xff"
    return cv2.cvtColor(present(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB)


def newest(finder: LivePreview, view: str, after: int = 0) -> tuple[int, np.ndarray] | None:
    """What is there now, without waiting."""
    found = finder.jpeg(view, after, 0)
    return None if found is None else (found[0], decoded(found[1]))


COPY = pictures.copy_to_host


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when the test says so."""
    now = SimpleNamespace(t=1000.0)
    monkeypatch.setattr(preview, "time", SimpleNamespace(monotonic=lambda: now.t))
    return now


@pytest.fixture
def copies(monkeypatch):
    """How many pictures were fetched from the accelerator."""
    made = []
    monkeypatch.setattr(pictures, "copy_to_host", lambda x: made.append(1) or COPY(x))
    return made


class Copied(np.ndarray):
    """Pixels that count how often they were copied."""

    count = 0

    def copy(self, *_):
        Copied.count += 1
        return np.array(self)


def look(finder: LivePreview, value: float = 0.5, size: Size = SIZE, of=floats) -> None:
    """One frame of the worker's."""
    src = of(torch.full((1, 3, size.height, size.width), value))
    finder.record_matted(src, src[:, :1])


def test_while_nobody_asks_nothing_is_copied(clock, copies):
    finder, shown = LivePreview(), frame()
    shown.data, Copied.count = shown.data.view(Copied), 0
    for _ in range(5):
        finder.record_published(shown)
        look(finder)
        clock.t += 1
    assert (Copied.count, copies) == (0, [])
    finder.jpeg("composite", 0, 0)
    finder.record_published(shown)
    look(finder)
    assert (Copied.count, copies) == (1, [])  # who asks for one view gets no other
    finder.jpeg("alpha", 0, 0)
    look(finder)
    assert (Copied.count, copies) == (1, [1])


def test_when_nobody_asks_any_more_it_ends(clock, copies):
    finder = LivePreview()
    finder.jpeg("camera", 0, 0)
    look(finder)
    clock.t += 0.9
    look(finder)
    assert len(copies) == 2
    clock.t += 0.2
    look(finder)
    assert len(copies) == 2


def test_who_comes_back_later_gets_no_old_picture(clock):
    finder = LivePreview()
    newest(finder, "camera")
    look(finder, 0.2)
    assert newest(finder, "camera") is not None
    clock.t += 60
    assert newest(finder, "camera") is None
    look(finder, 0.8)
    number, found = present(newest(finder, "camera"))
    assert number == 2  # numbers go on, so that nobody waits for one that has been
    assert found.mean() == pytest.approx(0.8 * 255, abs=2)


def test_numbers_rise_and_only_a_newer_one_is_given(clock):
    finder = LivePreview()
    assert newest(finder, "composite") is None
    for number in (1, 2, 3):
        finder.record_published(frame(40 * number))
        found = present(newest(finder, "composite", number - 1))
        assert found[0] == number
        assert found[1].mean() == pytest.approx(40 * number, abs=1)
        assert newest(finder, "composite", number) is None
        clock.t += 0.1
    assert present(newest(finder, "composite", -1))[0] == 3
    assert newest(finder, "alpha") is None  # each view counts for itself


def test_not_more_pictures_are_made_than_eyes_need(clock, copies):
    finder = LivePreview()
    for n in range(200):  # 200 frames at 100 frames a second
        finder.jpeg("camera", 0, 0)
        look(finder, n / 200)
        clock.t += 0.01
    assert 20 <= len(copies) <= 35


def test_it_waits_for_a_newer_one(monkeypatch):
    monkeypatch.setattr(preview, "_PERIOD_S", 0.0)
    finder, found, asked = LivePreview(), [], threading.Event()

    def ask() -> None:
        found.append(present(finder.jpeg("composite", 0, 10))[0])
        asked.set()
        found.append(present(finder.jpeg("composite", found[0], 10))[0])

    asker = threading.Thread(target=ask)
    asker.start()
    publish_until(finder, asked.is_set)
    publish_until(finder, lambda: not asker.is_alive())
    asker.join(60)
    assert 1 <= found[0] < found[1]


def publish_until(finder: LivePreview, condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "nobody was woken"
        finder.record_published(frame(9))
        time.sleep(0.002)


def test_a_time_out_gives_none_in_time():
    finder = LivePreview()
    began = time.monotonic()
    assert finder.jpeg("alpha", 0, 0.1) is None
    assert 0.09 < time.monotonic() - began < 60


@pytest.mark.parametrize("view", ["", "room", "Composite", "../camera"])
def test_an_unknown_view_is_an_error_that_names_the_known(view):
    with pytest.raises(ConfigError) as caught:
        LivePreview().jpeg(view, 0, 0)
    assert all(known in str(caught.value) for known in VIEWS)


@pytest.mark.parametrize(
    ("size", "small"), [(Size(1280, 720), (360, 640)), (Size(640, 480), (480, 640)), (Size(8192, 64), (5, 640))]
)
@EITHER
def test_pictures_are_at_most_640_wide(size, small, of):
    finder = LivePreview()
    for view in VIEWS:
        finder.jpeg(view, 0, 0)
    finder.record_published(frame(100, size))
    look(finder, 0.5, size, of)
    for view in VIEWS:
        found = present(newest(finder, view))[1]
        assert found.shape[:2] == small
        assert found.mean() == pytest.approx(100 if view == "composite" else 128, abs=2)


@pytest.mark.parametrize("fmt", list(PixelFormat))
def test_what_was_published_has_its_colors_whatever_the_format(fmt):
    rgb = np.empty((SIZE.height, SIZE.width, 3), np.uint8)
    rgb[:] = (180, 120, 60)
    shown = HostFrame.empty(fmt, SIZE)
    if fmt in (PixelFormat.RGB, PixelFormat.BGR):
        shown.data[:] = rgb if fmt is PixelFormat.RGB else rgb[..., ::-1]
    elif fmt is PixelFormat.I420:
        color.rgb_to_host(rgb, fmt, shown.data)
    else:
        shown.data[:] = 128
    finder = LivePreview()
    finder.jpeg("composite", 0, 0)
    finder.record_published(shown)
    expected = color.host_to_rgb(shown.data, fmt).astype(int)
    assert np.abs(present(newest(finder, "composite"))[1].astype(int) - expected).max() < 8


@EITHER
def test_a_picture_is_a_copy_the_frame_goes_on(of):
    finder, shown = LivePreview(), frame(200)
    finder.jpeg("composite", 0, 0)
    finder.jpeg("camera", 0, 0)
    src = of(torch.full((1, 3, SIZE.height, SIZE.width), 0.8))
    finder.record_published(shown)
    finder.record_matted(src, None)
    shown.data[:] = 0
    src[:] = 0
    assert present(newest(finder, "composite"))[1].mean() == pytest.approx(200, abs=2)
    assert present(newest(finder, "camera"))[1].mean() == pytest.approx(0.8 * 255, abs=2)


def test_a_frame_without_a_matte_has_no_alpha(clock):
    finder = LivePreview()
    newest(finder, "alpha")
    finder.record_matted(torch.zeros(1, 3, SIZE.height, SIZE.width), None)
    assert newest(finder, "alpha") is None


def near(rgb: np.ndarray, wanted: tuple[int, int, int]) -> float:
    """Share of pixels that have about that color."""
    return float((np.abs(rgb.astype(int) - wanted).max(2) < 40).mean())


def test_of_a_running_show_each_view_shows_its_own():
    rig = Rig()
    commands = Commands(rig.pipeline, rig.config, rig.sink.size, None, lambda: None)
    rig.pipeline.start()
    try:
        rig.run_until(rig.published(Content.COMPOSITE, 2))
        shown = {view: decoded(present(rig.preview.jpeg(view, 0, 10))[1]) for view in VIEWS}
        commands.card("on")
        seen = len(rig.sink.frames)
        rig.run_until(rig.published(Content.CARD, 3, since=seen))
        number, _ = present(rig.preview.jpeg("composite", 0, 10))
        carded = decoded(present(rig.preview.jpeg("composite", number + 1, 10))[1])
    finally:
        rig.pipeline.stop()
    person = 40 * 30 / (SIZE.width * SIZE.height)
    assert near(shown["composite"], (0, 255, 0)) == pytest.approx(1 - person, abs=0.08)
    assert near(shown["composite"], PERSON) == pytest.approx(person, abs=0.05)
    assert near(shown["composite"], MARKER) == 0
    assert near(shown["alpha"], (255, 255, 255)) == pytest.approx(person, abs=0.05)
    assert near(shown["alpha"], (0, 0, 0)) == pytest.approx(1 - person, abs=0.08)
    assert near(shown["camera"], MARKER) == pytest.approx(1 - person, abs=0.08)
    last = next(rgb for content, _, rgb in reversed(rig.sink.frames) if content is Content.CARD)
    assert np.abs(carded.astype(int) - last).mean() < 12
    assert near(carded, (0, 255, 0)) < 0.01


def test_many_who_ask_without_pause_each_see_whole_pictures_in_order(monkeypatch):
    """Every picture has one color: half of one and half of another would show."""
    monkeypatch.setattr(preview, "_PERIOD_S", 0.0)
    finder, stop = LivePreview(), threading.Event()
    faults: list[str] = []
    seen: list[int] = []

    def ask(view: str) -> None:
        last = 0
        while not stop.is_set():
            found = finder.jpeg(view, last, 0.05)
            if found is None:
                continue
            jpeg = decoded(found[1]).astype(int)
            if found[0] <= last or jpeg.max() - jpeg.min() > 6:
                faults.append(f"{view} {last}→{found[0]}, {jpeg.min()}..{jpeg.max()}")
            last = found[0]
            seen.append(last)

    askers = [threading.Thread(target=ask, args=(view,)) for view in VIEWS * 2]
    for asker in askers:
        asker.start()
    end = time.monotonic() + 60
    n = 0
    while (len(seen) < 200 or n < 200) and time.monotonic() < end:
        n += 1
        finder.record_published(frame(n % 256))
        look(finder, n % 256 / 255)
    stop.set()
    for asker in askers:
        asker.join(60)
        assert not asker.is_alive()
    assert faults == []
    assert len(seen) >= 200
