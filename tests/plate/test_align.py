"""A shift is found whatever the light does, and gains are found on a grid too coarse to explain another room."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from camdaemon.frames import pixels
from camdaemon.plate import align
from camdaemon.plate.match import light, move
from tests.plate.painted import EMPTY, SIZE, THERE, alpha, film, lamp, moved, other_room, plate

SHAPE = (SIZE.height // 8, SIZE.width // 8)


def small(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.resize(rgb, (SIZE.width // 2, SIZE.height // 2), interpolation=cv2.INTER_AREA), np.uint8)


def room_of(matte: np.ndarray) -> np.ndarray:
    return matte.reshape(SHAPE[0], 8, SHAPE[1], 8).max((1, 3)) < 6


@pytest.mark.parametrize("by", [(0, 0), (3, 0), (-12, 6), (10, -14)])
@pytest.mark.parametrize("index", [EMPTY, THERE])
def test_the_shift_is_found_to_half_a_pixel_behind_a_person_and_under_a_lamp(by: tuple[int, int], index: int) -> None:
    seen, matte = lamp(moved(film(index), *by)), moved(alpha(index), *by)
    found = align.find_shift(small(seen), small(plate()), room_of(matte))
    assert found is not None
    assert np.abs(2 * np.array(found) - by).max() < 0.6


def test_there_is_no_shift_to_another_room_and_none_without_anything_to_see() -> None:
    everywhere = np.ones(SHAPE, bool)
    assert align.find_shift(small(film(EMPTY)), small(other_room()), everywhere) is None
    assert align.find_shift(small(np.full_like(plate(), 90)), small(np.full_like(plate(), 90)), everywhere) is None
    assert align.find_shift(small(film(EMPTY)), small(plate()), ~everywhere) is None


@pytest.mark.parametrize("gains", [(1.0, 1.0, 1.0), (0.8, 0.85, 0.9), (1.3, 1.25, 1.2)])
def test_even_light_gives_even_gains(gains: tuple[float, ...]) -> None:
    now = align.average(small(np.clip(plate() * np.array(gains) + 0.5, 0, 255).astype(np.uint8)))
    found = align.find_gains(now, align.average(small(plate())), np.ones(SHAPE, bool))
    assert found is not None
    assert (np.abs(found / gains - 1) < 0.01).mean() > 0.9, "all but where the room is cut off at white"
    assert np.abs(found / gains - 1).max() < 0.15


def test_gains_never_differ_by_more_than_a_lamp_does() -> None:
    found = align.find_gains(
        align.average(small(film(EMPTY))), align.average(small(other_room())), np.ones(SHAPE, bool)
    )
    assert found is not None
    assert (found.max((0, 1)) / found.min((0, 1)) <= 1.6**2 + 1e-3).all()


def test_no_gains_without_room() -> None:
    there = align.average(small(plate()))
    assert align.find_gains(there, there, np.zeros(SHAPE, bool)) is None


def test_what_a_moved_plate_knows() -> None:
    assert align.find_known((4, 6), (0, 0), 8).all()
    known = align.find_known((4, 6), (9, -1), 8)
    assert not known[:, :2].any()
    assert not known[-1].any()
    assert known[:-1, 2:].all()


@pytest.mark.parametrize("by", [(7, 0), (-5, 3), (0, -9)])
def test_a_plate_moves_alike_in_bytes_and_floats_and_repeats_its_edge(by: tuple[int, int]) -> None:
    taken = pixels.tensor(plate())
    wanted = moved(plate(), *by, edge=cv2.BORDER_REPLICATE)
    assert np.array_equal(pixels.array(move(taken, *by)), wanted)
    assert np.array_equal(pixels.array(pixels.as_bytes(move(pixels.unit(taken), *by))), wanted)


def test_light_is_spread_alike_in_bytes_and_floats() -> None:
    taken, gains = pixels.tensor(plate()), torch.linspace(0.7, 1.4, 72).reshape(1, 3, 4, 6)
    one, other = pixels.unit(light(taken, gains)), light(pixels.unit(taken), gains)
    assert float((one - other).abs().max()) <= 0.51 / 255
