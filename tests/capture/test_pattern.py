"""The built-in clip as a source: at any size and rate, in real time or not, once or again and again."""

from __future__ import annotations

import numpy as np
import pytest

from camdaemon.capture import pattern
from camdaemon.capture.pattern import PatternSource
from camdaemon.errors import StreamEnded
from camdaemon.frames.color import host_to_rgb
from camdaemon.frames.frame import HostFrame, PixelFormat, Size

SIZE, FPS = Size(128, 72), 10.0
EMPTY, THERE = 20, 45  # indices at 10 frames per second


def _read(source: PatternSource, count: int = 1) -> HostFrame:
    """The last of the next `count` frames."""
    frame = HostFrame.empty(source.fmt, source.size)
    for _ in range(count):
        source.read(frame)
    return frame


def _rgb(frame: HostFrame) -> np.ndarray:
    return host_to_rgb(frame.data, frame.fmt).astype(int)


@pytest.fixture
def source():
    opened = PatternSource(SIZE, FPS, loop=False, paced=False)
    yield opened
    opened.close()


def test_it_plays_once_then_ends(source: PatternSource) -> None:
    assert (source.name, source.live, source.fmt, source.fps) == ("pattern", False, PixelFormat.I420, FPS)
    assert _read(source, 120).t == pytest.approx(11.9)
    for _ in range(2):
        with pytest.raises(StreamEnded):
            _read(source)
    source.close()
    source.close()


def test_the_room_is_empty_before_the_person_comes_and_again_after_a_loop() -> None:
    source = PatternSource(SIZE, FPS, loop=True, paced=False)
    first = _rgb(_read(source))
    empty = _rgb(_read(source, EMPTY - 1))
    there = _rgb(_read(source, THERE - EMPTY))
    again = _rgb(_read(source, 120 - THERE + EMPTY))
    source.close()
    assert np.abs(empty - first).mean() < 2
    assert (np.abs(there - first).max(2) > 60).mean() > 0.1
    assert np.abs(again - first).mean() < 2


@pytest.mark.parametrize("size", [Size(64, 64), Size(120, 160), Size(640, 360), Size(960, 540), Size(1280, 720)])
def test_any_size_shows_the_middle_of_the_same_picture(size: Size) -> None:
    source, small = (PatternSource(each, FPS, loop=False, paced=False) for each in (size, Size(64, 64)))
    picture, reference = _rgb(_read(source)), _rgb(_read(small))
    source.close()
    small.close()
    assert picture.shape == (size.height, size.width, 3)
    side = min(size.width, size.height)
    top, left = (size.height - side) // 2, (size.width - side) // 2
    if size.width >= size.height:  # the same crop; a portrait shows less of the room
        square = picture[top : top + side, left : left + side]
        quarters = [part.mean((0, 1)) for half in np.split(square, 2) for part in np.split(half, 2, axis=1)]
        wanted = [part.mean((0, 1)) for half in np.split(reference, 2) for part in np.split(half, 2, axis=1)]
        np.testing.assert_allclose(quarters, wanted, atol=3)


def test_any_rate_shows_the_same_moments() -> None:
    moments = []
    for fps in (7.5, 30.0, 60.0):
        source = PatternSource(SIZE, fps, loop=False, paced=False)
        moments.append(_rgb(_read(source, round(4 * fps) + 1)))
        source.close()
    np.testing.assert_array_equal(moments[0], moments[1])
    np.testing.assert_array_equal(moments[0], moments[2])


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now, self.slept = 50.0, 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


def test_pacing_sleeps_when_early_and_skips_when_late(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(pattern, "time", clock)
    source = PatternSource(SIZE, FPS, loop=False, paced=True)
    np.testing.assert_allclose([_read(source).t for _ in range(3)], [50.0, 50.1, 50.2])
    clock.now, clock.slept = 50.75, 0.0
    assert _read(source).t == 50.75
    assert (source._index, clock.slept) == (7, 0)
    assert _read(source).t == pytest.approx(50.8)
    assert source._index == 8
    clock.now = 55.0
    _read(source)
    assert source._index == 50
    clock.now = 99.0
    _read(source)
    assert source._index == 51, "after a suspend the clip continues where it stopped"
    for _ in range(68):
        _read(source)
    with pytest.raises(StreamEnded):
        _read(source)
    source.close()
