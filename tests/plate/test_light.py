"""Light is found on a grid too coarse to explain another room, and what lifts the blacks beside it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from camdaemon.frames import pixels
from camdaemon.plate.light import Light, find_differences, find_light, light, shed
from camdaemon.plate.match import PlateMatcher
from camdaemon.plate.parts import Plate
from tests.kinds import floats
from tests.plate.painted import EMPTY, SIZE, film, lamp, other_room, plate

SHAPE = (SIZE.height // 8, SIZE.width // 8)
EVERYWHERE = np.ones(SHAPE, bool)


def blocks(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.resize(rgb, SHAPE[::-1], interpolation=cv2.INTER_AREA) / 255, np.float32)


def lit(gains: tuple[float, ...], lift: float = 0.0) -> np.ndarray:
    return np.clip(plate() * np.array(gains) + 255 * lift + 0.5, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("gains", [(1.0, 1.0, 1.0), (0.8, 0.85, 0.9), (1.3, 1.25, 1.2)])
def test_even_light_gives_even_gains(gains: tuple[float, ...]) -> None:
    found = find_light(blocks(lit(gains)), blocks(plate()), EVERYWHERE)
    assert found is not None
    assert (np.abs(found.gains / gains - 1) < 0.01).mean() > 0.9, "all but where the room is cut off at white"
    assert np.abs(found.gains / gains - 1).max() < 0.15
    assert not found.lift.any()


@pytest.mark.parametrize("lift", [0.04, 0.1])
def test_blacks_that_are_lifted_are_told_from_more_light(lift: float) -> None:
    found = find_light(blocks(lit((0.9, 0.9, 0.9), lift)), blocks(plate()), EVERYWHERE)
    assert found is not None
    assert np.abs(found.lift - lift).max() < 0.012
    now = blocks(lit((0.9, 0.9, 0.9), lift))
    assert find_differences(now, shed(blocks(plate()), found)).mean() < 0.01


def test_gains_never_differ_by_more_than_a_lamp_does() -> None:
    found = find_light(blocks(film(EMPTY)), blocks(other_room()), EVERYWHERE)
    assert found is not None
    assert (found.gains.max((0, 1)) / found.gains.min((0, 1)) <= 1.6**2 + 1e-3).all()


def test_no_light_without_room() -> None:
    assert find_light(blocks(plate()), blocks(plate()), ~EVERYWHERE) is None


def test_light_is_spread_alike_in_bytes_and_floats() -> None:
    taken, gains = pixels.as_planes(plate()), torch.linspace(0.7, 1.4, 72).reshape(1, 3, 4, 6)
    one, other = floats(light(taken, gains.numpy())), floats(light(floats(taken), gains))
    assert float((one - other).abs().max()) <= 0.51 / 255


def test_what_is_learned_of_a_frame_is_brought_back_to_the_light_of_the_plate() -> None:
    matcher, seen = PlateMatcher(pixels.as_planes, enabled=True), lamp(plate())
    taken = Plate(plate())
    matcher.upload_clean(taken)
    found = find_light(blocks(seen), blocks(plate()), EVERYWHERE)
    assert found is not None
    matcher.adopt(Light(found.gains, np.full(3, 0.02, np.float32)))
    lifted = np.clip(seen + 5.1, 0, 255).astype(np.uint8)
    back = matcher.undo_light(lifted)
    unclipped = lifted.max(2) < 250
    assert np.abs(back.astype(int) - plate())[unclipped].mean() < 4
