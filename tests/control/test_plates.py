"""What people are told of the plate in use, in words, figures and as a picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from camdaemon.control.plates import WITHOUT_PLATE, count_parts, describe_plate, draw_plate, name_plate
from camdaemon.plate.gate import Health
from camdaemon.plate.parts import Growth, Origin, Plate
from camdaemon.plate.pose import STILL
from camdaemon.plate.report import PlateReport

ROWS, COLUMNS = 9, 16
GRAY = np.full((72, 128, 3), 100, np.uint8)
SHOT = Plate(GRAY)
LEARNED = Growth(GRAY, np.full((ROWS, COLUMNS), Origin.GROWN, np.uint8), STILL)
OFFERED = "For finer ones, run: camdaemon plate"


def report(
    chosen: Plate | None = SHOT, *, known: float = 1.0, healed: int = 0, moved: float = 0.0, person: str = ""
) -> PlateReport:
    """How a plate stands of which the upper `known` are trusted, and `healed` rows of which were learned."""
    trusted = np.zeros((ROWS, COLUMNS), bool)
    trusted[: round(known * ROWS)] = True
    origin = np.where(trusted, Origin.GROWN if chosen is None else Origin.SHOT, Origin.UNSEEN).astype(np.uint8)
    origin[:healed] = Origin.HEALED
    return PlateReport(Plate(GRAY, trusted.astype(np.float32), origin), chosen, None, trusted, moved, person)


@pytest.mark.parametrize(
    ("now", "given", "reason", "said"),
    [
        (None, SHOT, "", ""),
        (None, None, "", WITHOUT_PLATE),
        (report(), SHOT, "", ""),
        (report(moved=12.3), SHOT, "", "aligned by 12 px"),
        (report(moved=1.5), SHOT, "", ""),
        (report(healed=1, moved=3.0), SHOT, "", "aligned by 3 px, healed 11%"),
        (report(), SHOT, "the plate does not fit", "the plate does not fit"),
        (report(person="on the left"), SHOT, "", "somebody is in the plate, on the left: that part is not used"),
        (report(None, known=0), None, "", WITHOUT_PLATE),
        (report(None, known=0.5), None, "", "44% of the room was learned. " + OFFERED),
        (report(None, known=0.5), SHOT, "", "not of this room, or the camera was turned far: another grows, 44%"),
    ],
)
def test_how_the_plate_stands_is_one_sentence(
    now: PlateReport | None, given: Plate | None, reason: str, said: str
) -> None:
    found = describe_plate(now, given, Health(reason=reason), needs_plate=False)
    assert said in found
    assert bool(found) == bool(said)
    assert describe_plate(now, given, Health(reason=reason), needs_plate=True) == "", "the card says it"


@pytest.mark.parametrize(
    ("now", "given", "word"),
    [
        (None, SHOT, "taken"),
        (None, None, "missing"),
        (report(None, known=0), None, "missing"),
        (report(None, known=0.5), None, "grown"),
        (None, Plate(GRAY, np.zeros((ROWS, COLUMNS), np.float32), growth=LEARNED), "grown"),
    ],
)
def test_what_there_is_of_a_plate_is_one_word(now: PlateReport | None, given: Plate | None, word: str) -> None:
    assert name_plate(now, given) == word


def test_the_figures_are_shares_in_percent() -> None:
    figures = count_parts(report(healed=3, moved=4.25), 61.4)
    assert (figures["trusted"], figures["healed"], figures["shot"], figures["grown"]) == (100.0, 33.3, 66.7, 0.0)
    assert (figures["moved_px"], figures["age_s"]) == (4.2, 61)
    assert "age_s" not in count_parts(report(), None)
    assert count_parts(None, 5.0) == {}


def test_the_picture_marks_what_is_unknown_and_what_was_learned() -> None:
    data = np.frombuffer(draw_plate(report(known=6 / 9, healed=3)), np.uint8)
    drawn = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), int)
    assert drawn.shape == (72, 128, 3)
    learned, shot, unknown = (drawn[rows].mean((0, 1)) for rows in (slice(2, 20), slice(28, 44), slice(52, 70)))
    assert np.abs(shot - 100).max() < 3
    assert learned[1] > learned[0] + 10, "green"
    assert unknown[0] > unknown[1] + 40, "red"
