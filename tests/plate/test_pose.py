"""Where the camera looks is found behind a person and under a lamp, and never in another room."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from camdaemon.plate.pose import STILL, View, find_movement, measure_fit, scale_movement, warp, warp_blocks
from tests.plate.painted import EMPTY, SIZE, THERE, alpha, film, lamp, other_room, plate

SMALL = (SIZE.width // 2, SIZE.height // 2)
EVERYWHERE = np.ones(SMALL[::-1], bool)
CORNERS = np.array([[[0, 0]], [[SIZE.width, 0]], [[SIZE.width, SIZE.height]], [[0, SIZE.height]]], np.float64)


def small(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.resize(rgb, SMALL, interpolation=cv2.INTER_AREA), np.uint8)


def room_of(matte: np.ndarray) -> np.ndarray:
    near = cv2.dilate((matte > 5).astype(np.uint8), np.ones((15, 15), np.uint8))
    return np.asarray(cv2.resize(near, SMALL, interpolation=cv2.INTER_NEAREST) == 0)


def shifted(right: float, down: float) -> np.ndarray:
    return np.array([[1, 0, right], [0, 1, down], [0, 0, 1]], np.float64)


def turned(degrees: float, scale: float) -> np.ndarray:
    return np.vstack([cv2.getRotationMatrix2D((SIZE.width / 2, SIZE.height / 2), degrees, scale), [0, 0, 1]])


def tilted() -> np.ndarray:
    there = CORNERS + np.array([[[-12, 36]], [[12, 36]], [[0, 36]], [[0, 36]]])
    return cv2.getPerspectiveTransform(CORNERS[:, 0].astype(np.float32), there[:, 0].astype(np.float32))


def seen_through(part: np.ndarray, movement: np.ndarray) -> np.ndarray:
    moved = cv2.warpPerspective(part, movement, (SIZE.width, SIZE.height), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, np.uint8)


@pytest.mark.parametrize(
    "movement",
    [shifted(3, 0), shifted(-12, 6), shifted(10, -14), shifted(90, 30), turned(2, 1), turned(0, 1.05), tilted()],
    ids=["3", "12", "17", "95", "turned", "zoomed", "tilted"],
)
@pytest.mark.parametrize("index", [EMPTY, THERE])
def test_a_movement_is_found_to_a_pixel(movement: np.ndarray, index: int) -> None:
    seen, matte = lamp(seen_through(film(index), movement)), seen_through(alpha(index), movement)
    found = find_movement(View(small(seen), room_of(matte)), View(small(plate()), EVERYWHERE))
    assert found is not None
    there = cv2.perspectiveTransform(CORNERS, scale_movement(found, 2))
    assert np.abs(there - cv2.perspectiveTransform(CORNERS, movement)).max() < 2.5
    middle = np.array([[[SIZE.width / 2, SIZE.height / 2]]])
    wanted = cv2.perspectiveTransform(middle, movement)
    assert np.abs(cv2.perspectiveTransform(middle, scale_movement(found, 2)) - wanted).max() < 1


def test_a_plate_that_lies_right_is_not_moved() -> None:
    now, then = View(small(film(THERE)), room_of(alpha(THERE))), View(small(plate()), EVERYWHERE)
    assert measure_fit(now, then) > 0.9
    found = find_movement(now, then)
    assert found is None or np.abs(found - STILL).max() < 0.5


@pytest.mark.parametrize(
    "then",
    [
        View(small(other_room()), EVERYWHERE),
        View(small(np.full_like(plate(), 90)), EVERYWHERE),
        View(small(plate()), ~EVERYWHERE),
    ],
    ids=["another room", "gray", "nothing known"],
)
def test_there_is_no_movement_to_another_room_and_none_without_anything_to_see(then: View) -> None:
    assert find_movement(View(small(film(EMPTY)), EVERYWHERE), then) is None


def test_a_guess_helps_where_the_movement_is_large() -> None:
    movement = turned(9, 1.1)
    now = View(small(seen_through(film(EMPTY), movement)), EVERYWHERE)
    guess = scale_movement(turned(8, 1.1), 0.5)
    found = find_movement(now, View(small(plate()), EVERYWHERE), guess)
    assert found is not None
    there = cv2.perspectiveTransform(CORNERS, scale_movement(found, 2))
    assert np.abs(there - cv2.perspectiveTransform(CORNERS, movement)).max() < 3


def test_blocks_are_known_only_where_all_of_them_were() -> None:
    known = np.ones((4, 6), bool)
    assert warp_blocks(known, STILL, (32, 48), 8).all()
    moved = warp_blocks(known, shifted(9, -1), (32, 48), 8)
    assert not moved[:, :2].any()
    assert not moved[-1].any()
    assert moved[:-1, 2:].all()
    known[1, 3] = False
    moved = warp_blocks(known, shifted(8, 0), (32, 48), 8)
    assert not moved[1, 4]
    assert moved[3, 2:].all()


@pytest.mark.parametrize("by", [(7, 0), (-5, 3)])
def test_a_picture_moved_by_whole_pixels_keeps_them(by: tuple[int, int]) -> None:
    moved = warp(plate(), shifted(*by))
    right, down = by
    inner = moved[max(0, down) : SIZE.height + min(0, down), max(0, right) : SIZE.width + min(0, right)]
    was = plate()[max(0, -down) : SIZE.height - max(0, down), max(0, -right) : SIZE.width - max(0, right)]
    assert np.array_equal(inner, was)
