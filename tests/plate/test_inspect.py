"""Somebody in a plate is found by what the network sees in it, and a picture on the wall is the user's to excuse."""

from __future__ import annotations

import numpy as np
import pytest

from camdaemon.frames import pixels
from camdaemon.frames.pixels import Array
from camdaemon.plate.inspect import find_people, inspect, to_blocks

HEIGHT, WIDTH = 90, 160
NOBODY = np.zeros((HEIGHT, WIDTH), bool)


def somebody(left: int, top: int = 30, wide: int = 30) -> np.ndarray:
    seen = NOBODY.copy()
    seen[top:, left : left + wide] = True
    return seen


@pytest.mark.parametrize(("left", "where"), [(5, "on the left"), (65, "in the middle"), (125, "on the right")])
def test_it_says_where_somebody_is(left: int, where: str) -> None:
    found = find_people(somebody(left), NOBODY)
    assert found.where == where
    assert np.array_equal(found.doubtful, somebody(left))


def test_a_small_or_flat_piece_is_doubtful_and_nobody() -> None:
    flat = NOBODY.copy()
    flat[70:80, 20:60] = True
    found = find_people(flat, NOBODY)
    assert found.where == ""
    assert np.array_equal(found.doubtful, flat)
    speck = NOBODY.copy()
    speck[10:14, 10:14] = True
    assert not find_people(speck, NOBODY).doubtful.any()


def test_a_picture_on_the_wall_is_no_person_and_somebody_beside_it_is_one() -> None:
    poster = somebody(120, top=10)
    found = find_people(poster | somebody(10), poster)
    assert found.where == "on the left"
    assert np.array_equal(found.doubtful, somebody(10))
    assert find_people(poster, poster).where == ""


def test_only_what_is_seen_in_the_mirror_too_counts() -> None:
    rgb = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    rgb[somebody(10)] = 200
    rgb[somebody(120)] = 150
    plate, calls = pixels.as_planes(rgb), []

    def matte_alone(picture: Array) -> Array:
        calls.append(picture)
        levels = pixels.interleave(pixels.to_host(picture))[..., 0]
        seen = (levels == 200) | ((levels == 150) & (len(calls) == 1))
        return pixels.as_planes(np.asarray(255 * seen, np.uint8))

    found = inspect(plate, matte_alone)
    assert found is not None
    assert found.where == "on the left"
    assert np.array_equal(found.doubtful, somebody(10))


def test_a_matting_that_needs_a_plate_cannot_tell() -> None:
    assert inspect(pixels.as_planes(np.zeros((HEIGHT, WIDTH, 3), np.uint8)), lambda picture: None) is None


def test_the_blocks_of_a_person_reach_to_their_neighbors() -> None:
    where = NOBODY.copy()
    where[45, 85] = True
    blocks = to_blocks(where, (9, 16))
    assert blocks[3:6, 7:10].all()
    assert blocks.sum() == 9
