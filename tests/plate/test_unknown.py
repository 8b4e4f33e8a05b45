"""What backdrops see of a room that is not known: nothing that lies there, only what was photographed around it."""

from __future__ import annotations

import numpy as np
import pytest

from camdaemon.frames.picture import CALM, Picture
from camdaemon.plate.parts import Plate
from camdaemon.plate.unknown import fill_unknown, make_blank_plate
from tests.fakes import MARKER, marked
from tests.plate.painted import SIZE, plate

ROWS, COLUMNS = 23, 40


def hidden(*, left: int = 12, right: int = 24) -> np.ndarray:
    confidence = np.ones((ROWS, COLUMNS), np.float32)
    confidence[8:, left:right] = 0
    return confidence


def place(confidence: np.ndarray) -> np.ndarray:
    """The pixels of confidence 0."""
    rows, columns = (np.arange(n) * cells // n for n, cells in ((SIZE.height, ROWS), (SIZE.width, COLUMNS)))
    return confidence[rows][:, columns] == 0


def painted(confidence: np.ndarray, color: tuple[int, int, int] = MARKER) -> Picture:
    rgb = plate().copy()
    rgb[place(confidence)] = color
    return rgb


def test_a_plate_that_was_shot_is_shown_as_it_is() -> None:
    shot = Plate(plate())
    assert not shot.is_blank
    assert fill_unknown(shot) is shot.rgb


def test_where_nothing_is_known_there_is_one_calm_color() -> None:
    blank = make_blank_plate(SIZE.width, SIZE.height)
    assert blank.is_blank
    found = fill_unknown(blank)
    assert found.shape == (SIZE.height, SIZE.width, 3)
    assert (found == CALM).all()


@pytest.mark.parametrize(
    "confidence", [hidden(), hidden(left=0, right=39), hidden(left=20, right=21)], ids=["half", "nearly all", "a crack"]
)
def test_nothing_of_an_unknown_part_is_seen(confidence: np.ndarray) -> None:
    found = fill_unknown(Plate(painted(confidence), confidence))
    assert marked(found) == 0
    other = fill_unknown(Plate(painted(confidence, (0, 255, 0)), confidence))
    assert np.array_equal(found, other), "whatever lies there"


def test_what_is_known_stays_and_the_rest_has_the_colors_around_it_without_shapes() -> None:
    confidence = hidden()
    found, unknown = fill_unknown(Plate(painted(confidence), confidence)), place(confidence)
    far = np.ones_like(unknown)
    far[100:, 150:430] = False
    assert np.array_equal(found[far], plate()[far])
    inside = found[unknown].astype(float)
    around = plate()[~unknown & ~far].astype(float)
    assert (inside.min(0) >= around.min(0) - 1).all()
    assert (inside.max(0) <= around.max(0) + 1).all()
    steps = np.abs(np.diff(found[150:, 200:380].astype(int), axis=1)).max()
    assert steps <= 4, "no shape is left"


def test_hardly_anything_known_is_its_mean_color() -> None:
    confidence = np.zeros((SIZE.height, SIZE.width), np.float32)
    confidence[5, 5] = 1
    found = fill_unknown(Plate(np.full((SIZE.height, SIZE.width, 3), (10, 200, 30), np.uint8), confidence))
    assert (found == (10, 200, 30)).all()
