"""What a frame contradicts loses its confidence, and earns it again by fitting for a second."""

from __future__ import annotations

import numpy as np
import pytest

from camdaemon.frames import pixels
from camdaemon.plate.confidence import PlateConfidence
from camdaemon.plate.parts import Plate
from tests.kinds import floats, same

SHAPE = (4, 6)
PLATE = Plate(np.zeros((64, 96, 3), np.uint8))
SRC = pixels.as_planes(PLATE.rgb)
ALL, NONE = np.ones(SHAPE, bool), np.zeros(SHAPE, bool)


def at(*blocks: tuple[int, int]) -> np.ndarray:
    found = NONE.copy()
    for block in blocks:
        found[block] = True
    return found


def known(confidence: PlateConfidence, plate: Plate = PLATE) -> np.ndarray:
    """The confidence as a map; all ones where the matting would be told nothing."""
    told = confidence.map_for(plate, SRC)
    return np.ones(SHAPE) if told is None else pixels.to_host(told)[0, 0]


def frame(confidence: PlateConfidence, differs: np.ndarray, room: np.ndarray, t: float) -> float:
    lost = confidence.record(differs, room, ALL, t)
    confidence.keep()
    return lost


@pytest.fixture
def confidence() -> PlateConfidence:
    made = PlateConfidence()
    made.use(PLATE)
    return made


def test_a_plate_that_fits_is_trusted_and_the_matting_told_nothing(confidence: PlateConfidence) -> None:
    assert frame(confidence, NONE, ALL, 0.0) == 0
    assert confidence.map_for(PLATE, SRC) is None


def test_a_block_of_room_that_differs_counts_at_once_and_the_person_does_not(confidence: PlateConfidence) -> None:
    person = at((2, 2), (3, 2))
    assert confidence.record(at((0, 1)) | person, ~person, ALL, 0.0) == pytest.approx(1 / 24)
    assert np.array_equal(known(confidence), 1.0 - at((0, 1)))
    assert confidence.record(at((0, 1)) | person, ~person, ALL, 0.0) == 0, "the second look at the frame"
    told = confidence.map_for(PLATE, SRC)
    assert told is not None
    assert told.shape == (1, 1, *SHAPE)
    assert told.dtype == np.float32
    assert pixels.is_host(told)
    assert confidence.map_for(PLATE, SRC) is told, "the same map while nothing changes"


def test_a_map_is_of_the_kind_of_the_picture_that_it_is_for(confidence: PlateConfidence) -> None:
    confidence.record(at((0, 1)), ALL, ALL, 0.0)
    mine, told = confidence.map_for(PLATE, SRC), confidence.map_for(PLATE, floats(SRC))
    assert mine is not None
    assert told is not None
    assert not pixels.is_host(told)
    assert same(told, floats(mine))


def test_it_is_trusted_again_after_a_second_in_which_it_fits(confidence: PlateConfidence) -> None:
    frame(confidence, at((1, 1)), ALL, 0.0)
    for t in (0.1, 0.5, 0.9):
        frame(confidence, NONE, ALL, t)
        assert known(confidence)[1, 1] == 0
    frame(confidence, NONE, ALL, 1.05)
    assert known(confidence).all()


def test_a_block_behind_the_person_has_not_fitted(confidence: PlateConfidence) -> None:
    frame(confidence, at((1, 1)), ALL, 0.0)
    frame(confidence, NONE, ALL, 0.5)
    frame(confidence, at((1, 1)), ~at((1, 1)), 0.9)  # somebody passes
    frame(confidence, NONE, ALL, 1.5)
    assert known(confidence)[1, 1] == 0
    frame(confidence, NONE, ALL, 1.95)
    assert known(confidence).all()


def test_a_clip_that_begins_again_does_not_keep_it_for_ever(confidence: PlateConfidence) -> None:
    frame(confidence, at((1, 1)), ALL, 100.0)
    frame(confidence, NONE, ALL, 0.0)
    frame(confidence, NONE, ALL, 1.0)
    assert known(confidence).all()


def test_a_frame_that_was_held_back_changes_nothing(confidence: PlateConfidence) -> None:
    frame(confidence, at((1, 1)), ALL, 0.0)
    confidence.record(at((0, 0), (1, 1)), ALL, ALL, 0.1)
    assert known(confidence).sum() == 22
    confidence.revert()
    assert np.array_equal(known(confidence), 1.0 - at((1, 1)))


def test_a_plate_that_explains_nothing_is_not_trusted_anywhere_until_it_did_for_a_second(
    confidence: PlateConfidence,
) -> None:
    frame(confidence, at((0, 0)), ALL, -5.0)
    assert confidence.refuse(ALL, 0.0) == pytest.approx(23 / 24)
    confidence.keep()
    assert not known(confidence).any()
    assert confidence.refuse(ALL, 0.1) == 0, "no more than before"
    confidence.keep()
    frame(confidence, at((0, 0)), ~at((3, 3)), 0.2)
    assert not known(confidence).any()
    frame(confidence, at((0, 0)), ~at((3, 3)), 1.2)
    assert np.array_equal(known(confidence), 1.0 - at((0, 0))), "also behind the person"


def test_a_refusal_that_is_taken_back_costs_nothing(confidence: PlateConfidence) -> None:
    frame(confidence, NONE, ALL, 0.0)
    confidence.refuse(ALL, 0.1)
    confidence.revert()
    assert known(confidence).all()


def test_what_is_contradicted_often_has_to_fit_for_longer_each_time(confidence: PlateConfidence) -> None:
    t, waits = 0.0, []
    for _ in range(4):
        frame(confidence, at((1, 1)), ALL, t)
        began = t
        while not known(confidence)[1, 1]:
            t += 0.125
            frame(confidence, NONE, ALL, t)
        waits.append(round(t - began))
        t += 0.125
    assert waits == [1, 2, 4, 8]


def test_what_was_learned_a_moment_ago_loses_the_trust_by_any_difference(confidence: PlateConfidence) -> None:
    person = at((1, 1), (2, 2))
    frame(confidence, NONE, ALL, 0.0)
    confidence.go_on(PLATE, at((1, 1)), 0.5)
    frame(confidence, person, ~person, 1.0)
    assert np.array_equal(known(confidence), 1.0 - at((1, 1))), "the other differs, too, and was photographed"
    confidence.go_on(PLATE, at((1, 1)), 1.5)
    frame(confidence, NONE, ALL, 40.0)
    frame(confidence, person, ~person, 41.0)
    assert known(confidence).all(), "it was right for long enough"


def test_what_lacks_confidence_can_be_learned(confidence: PlateConfidence) -> None:
    assert confidence.lacking(PLATE) is None
    frame(confidence, at((0, 1)), ALL, 0.0)
    half = Plate(PLATE.rgb, np.array([[1, 0]], np.float32))
    lacking = confidence.lacking(half)
    assert lacking is not None
    assert np.array_equal(lacking, at((0, 1)) | (np.arange(6) >= 3))


def test_another_plate_is_trusted(confidence: PlateConfidence) -> None:
    confidence.refuse(ALL, 0.0)
    confidence.keep()
    assert known(confidence, Plate(PLATE.rgb)).all()


def test_what_was_never_photographed_stays_unknown(confidence: PlateConfidence) -> None:
    half = Plate(PLATE.rgb, np.array([[1, 0]], np.float32))
    assert np.array_equal(known(confidence, half), [[1, 0]])
    frame(confidence, at((1, 1)), ALL, 0.0)
    wanted = np.repeat([[1, 1, 1, 0, 0, 0]], 4, 0).astype(float)
    wanted[1, 1] = 0
    assert np.array_equal(known(confidence, half), wanted)
