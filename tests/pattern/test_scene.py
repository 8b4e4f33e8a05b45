"""The painter: a scene whose truth is known, so that everything else can be measured against it."""

from __future__ import annotations

import numpy as np
import pytest

from camdaemon.frames.frame import PixelFormat, Size
from tests.pattern.pose import compute_gains
from tests.pattern.scene import Scene

FPS = 10.0
SIZE = Size(256, 144)
EMPTY, THERE, WAVING, LAST = 5, 42, 55, 119  # indices at 10 frames per second


@pytest.fixture(scope="module")
def scene() -> Scene:
    """One scene for all tests that only look: painting its parts is what takes time."""
    return Scene(SIZE, FPS)


def _film(scene: Scene, index: int) -> np.ndarray:
    picture = np.zeros(PixelFormat.RGB.shape(scene.size), np.uint8)
    scene.film(index, picture)
    return picture.astype(np.int16)


def test_the_empty_seconds_are_the_plate_with_noise(scene: Scene) -> None:
    plate = scene.truth(EMPTY).plate.astype(np.int16)
    for index in range(30):
        noise = _film(scene, index) - plate
        assert abs(noise.mean()) < 0.2
        assert 0.5 < noise.std() < 3
        assert np.abs(noise).max() < 16
        assert scene.truth(index).alpha.max() == 0


def test_noise_is_new_in_each_frame_and_grows_with_the_light(scene: Scene) -> None:
    frames = np.stack([_film(scene, index) for index in range(30)]).astype(float)
    plate = scene.truth(0).plate
    dark, light = (plate < 80), (plate > 140) & (plate < 230)
    noise = frames.std(0)
    assert noise[light].mean() > 1.15 * noise[dark].mean()
    assert np.corrcoef((frames[0] - plate).ravel(), (frames[1] - plate).ravel())[0, 1] < 0.05


def test_the_figures_alpha_is_soft_and_complete(scene: Scene) -> None:
    for index in (THERE, WAVING, LAST):
        alpha = scene.truth(index).alpha
        assert (alpha.dtype, alpha.shape) == (np.float32, (SIZE.height, SIZE.width))
        assert 0.25 < (alpha > 0.5).mean() < 0.45
        soft = (alpha > 0.05) & (alpha < 0.95)
        assert soft.mean() > 0.01
        assert alpha[60:130, 110:130].min() == 1  # no holes in the face and the chest


def test_frames_are_made_of_their_truth(scene: Scene) -> None:
    """Composite and exposure (at most 8 %) explain a frame up to noise and the figure's shadow."""
    alpha, foreground, plate = scene.truth(LAST)
    composite = foreground * alpha[..., None] + plate * (1 - alpha[..., None])
    ratio = _film(scene, LAST)[alpha == 1].sum(0) / composite[alpha == 1].sum(0)
    assert np.all(np.abs(ratio - 1) < 0.08)
    left_over = _film(scene, LAST) - composite * ratio
    assert np.abs(left_over[alpha == 1]).mean() < 3
    assert np.abs(left_over[alpha < 0.05]).mean() < 12


def test_automatic_exposure_and_white_balance_stay_within_their_bounds() -> None:
    seen = np.array([compute_gains(t) for t in np.arange(0, 12, 0.05)])
    assert np.all(seen[:60] == 1)
    assert -0.075 < seen[:, 1].min() - 1 < -0.04
    assert 0.02 < seen[:, 1].max() - 1 < 0.05


def test_the_same_index_is_the_same_picture(scene: Scene) -> None:
    first = {index: _film(scene, index) for index in (LAST, EMPTY, WAVING)}
    for index in (WAVING, LAST, EMPTY):
        np.testing.assert_array_equal(_film(scene, index), first[index])
    other = Scene(Size(128, 72), FPS)
    again = Scene(Size(128, 72), FPS)
    np.testing.assert_array_equal(_film(other, WAVING), _film(again, WAVING))


@pytest.mark.parametrize("size", [Size(64, 64), Size(160, 120), Size(120, 160)])
def test_other_sizes(size: Size) -> None:
    scene = Scene(size, FPS)
    assert scene.truth(31).alpha.mean() < 0.2  # comes in from the side
    assert 0.15 < scene.truth(LAST).alpha.mean() < 0.5
    assert _film(scene, LAST).any()


def test_the_scene_repeats_from_the_empty_room(scene: Scene) -> None:
    assert scene.frames == LAST + 1
    assert scene.truth(LAST).alpha.max() == 1
    assert scene.truth(LAST + 1).alpha.max() == 0
    np.testing.assert_array_equal(scene.truth(120 + WAVING).alpha, scene.truth(WAVING).alpha)
