"""The pattern: a clip whose truth is known, so that everything else can be measured against it."""

from __future__ import annotations

import numpy as np
import pytest

from camdaemon.capture import pattern as module
from camdaemon.capture.pattern import PatternSource
from camdaemon.capture.pattern.pose import gains
from camdaemon.errors import StreamEnded
from camdaemon.frames.frame import HostFrame, PixelFormat, Size

FPS = 10.0
SIZE = Size(256, 144)
EMPTY, THERE, WAVING, LAST = 5, 42, 55, 119  # indices at 10 frames a second


@pytest.fixture(scope="module")
def clip() -> PatternSource:
    """One clip for all tests that only look: drawing the set is what takes time."""
    return PatternSource(SIZE, FPS, loop=True, paced=False)


@pytest.fixture
def source(clip: PatternSource, monkeypatch: pytest.MonkeyPatch) -> PatternSource:
    """A fresh source that shares the film set of `clip`."""
    monkeypatch.setattr(module, "Scene", lambda size, fps: clip._scene)
    return PatternSource(SIZE, FPS, loop=False, paced=False)


def _film(clip: PatternSource, index: int) -> np.ndarray:
    picture = np.zeros(PixelFormat.RGB.shape(clip.size), np.uint8)
    clip._scene.film(index, picture)
    return picture.astype(np.int16)


def _read(source: PatternSource) -> HostFrame:
    frame = HostFrame.empty(source.fmt, source.size)
    source.read(frame)
    return frame


def test_the_empty_seconds_are_the_plate_with_noise(clip: PatternSource) -> None:
    plate = clip.truth(EMPTY).plate.astype(np.int16)
    for index in range(30):
        noise = _film(clip, index) - plate
        assert abs(noise.mean()) < 0.2
        assert 0.5 < noise.std() < 3
        assert np.abs(noise).max() < 16
        assert clip.truth(index).alpha.max() == 0


def test_noise_is_new_in_each_frame_and_grows_with_the_light(clip: PatternSource) -> None:
    frames = np.stack([_film(clip, index) for index in range(30)]).astype(float)
    plate = clip.truth(0).plate
    dark, light = (plate < 80), (plate > 140) & (plate < 230)
    noise = frames.std(0)
    assert noise[light].mean() > 1.15 * noise[dark].mean()
    assert np.corrcoef((frames[0] - plate).ravel(), (frames[1] - plate).ravel())[0, 1] < 0.05


def test_the_figures_alpha_is_soft_and_complete(clip: PatternSource) -> None:
    for index in (THERE, WAVING, LAST):
        alpha = clip.truth(index).alpha
        assert (alpha.dtype, alpha.shape) == (np.float32, (SIZE.height, SIZE.width))
        assert 0.25 < (alpha > 0.5).mean() < 0.45
        soft = (alpha > 0.05) & (alpha < 0.95)
        assert soft.mean() > 0.01
        assert alpha[60:130, 110:130].min() == 1  # no holes in the face and the chest


def test_frames_are_made_of_their_truth(clip: PatternSource) -> None:
    """Composite and exposure (at most 8 %) explain a frame up to noise and the figure's shadow."""
    alpha, foreground, plate = clip.truth(LAST)
    composite = foreground * alpha[..., None] + plate * (1 - alpha[..., None])
    ratio = _film(clip, LAST)[alpha == 1].sum(0) / composite[alpha == 1].sum(0)
    assert np.all(np.abs(ratio - 1) < 0.08)
    left_over = _film(clip, LAST) - composite * ratio
    assert np.abs(left_over[alpha == 1]).mean() < 3
    assert np.abs(left_over[alpha < 0.05]).mean() < 12


def test_the_cameras_automatics_stay_within_their_bounds() -> None:
    seen = np.array([gains(t) for t in np.arange(0, 12, 0.05)])
    assert np.all(seen[:60] == 1)
    assert -0.075 < seen[:, 1].min() - 1 < -0.04
    assert 0.02 < seen[:, 1].max() - 1 < 0.05


def test_the_same_index_is_the_same_picture(clip: PatternSource) -> None:
    first = {index: _film(clip, index) for index in (LAST, EMPTY, WAVING)}
    for index in (WAVING, LAST, EMPTY):
        np.testing.assert_array_equal(_film(clip, index), first[index])
    other = PatternSource(Size(128, 72), FPS, loop=True, paced=False)
    again = PatternSource(Size(128, 72), FPS, loop=True, paced=False)
    np.testing.assert_array_equal(_film(other, WAVING), _film(again, WAVING))


@pytest.mark.parametrize("size", [Size(64, 64), Size(160, 120), Size(120, 160)])
def test_other_sizes(size: Size) -> None:
    source = PatternSource(size, FPS, loop=True, paced=False)
    assert source.truth(31).alpha.mean() < 0.2  # comes in from the side
    assert 0.15 < source.truth(LAST).alpha.mean() < 0.5
    assert _film(source, LAST).any()


def test_plays_once_then_ends(source: PatternSource) -> None:
    assert (source.name, source.live, source.fmt, source.fps) == ("pattern", False, PixelFormat.RGB, FPS)
    for _ in range(120):
        _read(source)
    assert source.index == LAST
    for _ in range(2):
        with pytest.raises(StreamEnded):
            _read(source)
    source.close()
    source.close()


def test_loop_begins_with_the_empty_room_again(clip: PatternSource) -> None:
    assert clip.truth(LAST).alpha.max() == 1
    assert clip.truth(LAST + 1).alpha.max() == 0
    np.testing.assert_array_equal(clip.truth(120 + WAVING).alpha, clip.truth(WAVING).alpha)


def test_pacing_sleeps_when_early_and_skips_when_late(source: PatternSource, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        now, slept = 50.0, 0.0

        def monotonic(self) -> float:
            return self.now

        def sleep(self, seconds: float) -> None:
            self.now += seconds
            self.slept += seconds

    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    source._paced = True
    frames = [_read(source) for _ in range(3)]
    np.testing.assert_allclose([frame.t for frame in frames], [50.0, 50.1, 50.2])
    clock.now, clock.slept = 50.75, 0.0
    assert _read(source).t == 50.75
    assert (source.index, clock.slept) == (7, 0)
    assert _read(source).t == pytest.approx(50.8)
    assert source.index == 8
    clock.now = 99.0
    with pytest.raises(StreamEnded):
        _read(source)
