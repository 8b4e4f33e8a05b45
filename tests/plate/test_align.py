"""A plate follows a hand-held camera from frame to frame, beginning where the camera looked before."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from camdaemon.frames.picture import Picture
from camdaemon.plate.align import PlateAligner
from camdaemon.plate.parts import Plate
from tests.plate.painted import EMPTY, SIZE, THERE, alpha, film, other_room, plate


def turned(seen: Picture, degrees: float, right: float) -> Picture:
    by = cv2.getRotationMatrix2D((SIZE.width / 2, SIZE.height / 2), degrees, 1 + degrees / 60)
    by[:, 2] += np.array([right, 0.0])
    moved = cv2.warpAffine(seen, by, (SIZE.width, SIZE.height), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, np.uint8)


def error(found: Plate, wanted: Picture) -> float:
    """In levels, where the plate is known."""
    assert found.confidence is not None
    known = cv2.resize(found.confidence, (SIZE.width, SIZE.height), interpolation=cv2.INTER_NEAREST) > 0
    return float(np.abs(found.rgb.astype(float) - wanted)[known].mean())


def test_a_camera_in_the_hand_is_followed_further_than_in_one_step() -> None:
    aligner = PlateAligner(Plate(plate()))
    for step in range(1, 8):
        seen = turned(film(THERE), 1.5 * step, 12 * step)
        found = aligner.align(seen, turned(alpha(THERE), 1.5 * step, 12 * step))
        assert error(found, turned(plate(), 1.5 * step, 12 * step)) < 4
    assert aligner.moved > 60
    assert found.confidence is not None
    assert 0.5 < found.confidence.mean() < 0.95, "what was revealed is not known"


def test_where_the_camera_has_not_moved_the_plate_is_the_one_that_was_taken() -> None:
    taken = Plate(plate())
    aligner = PlateAligner(taken)
    assert aligner.align(film(EMPTY), alpha(EMPTY)) is taken
    assert aligner.moved < 1


@pytest.mark.parametrize("wrong", [other_room, lambda: np.full_like(plate(), 90)], ids=["another room", "gray"])
def test_of_another_room_nothing_is_known_until_it_fits_again(wrong) -> None:
    aligner = PlateAligner(Plate(plate()))
    assert aligner.align(wrong(), alpha(EMPTY)).is_blank
    assert aligner.aligned.is_blank
    assert not aligner.align(film(THERE), alpha(THERE)).is_blank
