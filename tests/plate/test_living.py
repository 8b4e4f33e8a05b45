"""A plate moves with the camera as it was taken, and what is learned is kept apart from what was shot."""

from __future__ import annotations

import numpy as np
import pytest

from camdaemon.plate.living import LivingPlate
from camdaemon.plate.parts import Origin, Plate
from tests.plate.painted import SIZE, other_room, plate

SHAPE, SIDE = (SIZE.height // 8, SIZE.width // 8), 8
PLACE = (slice(5, 9), slice(10, 20))  # blocks
PIXELS = (slice(40, 72), slice(80, 160))


def blocks(place: tuple[slice, slice] = PLACE) -> np.ndarray:
    found = np.zeros(SHAPE, bool)
    found[place] = True
    return found


def shifted(right: float, down: float) -> np.ndarray:
    return np.array([[1, 0, right], [0, 1, down], [0, 0, 1]], np.float64)


def living(shot: Plate | None = None) -> LivingPlate:
    return LivingPlate(shot, (SIZE.height, SIZE.width), SIDE)


def test_what_was_taken_is_used_as_it_is_until_something_happens() -> None:
    shot = Plate(plate())
    made = living(shot)
    assert made.current is made.shown is shot
    assert made.growth is None
    assert made.known.all()


def test_a_plate_that_moves_there_and_back_is_the_one_that_was_taken() -> None:
    made = living(Plate(plate()))
    made.move(shifted(16, -8))
    assert not made.known[:, :2].any()
    assert not made.known[-1].any()
    assert made.known[:-1, 2:].all()
    assert np.array_equal(made.current.rgb[:-8, 16:], plate()[8:, :-16])
    made.move(shifted(-16, 8))
    assert made.known.all()
    assert np.array_equal(made.current.rgb, plate()), "warped as it was taken, never as it was warped before"


def test_what_is_learned_has_its_origin_and_is_no_picture_for_viewers() -> None:
    shot = Plate(plate())
    made = living(shot)
    made.learn(other_room(), blocks())
    assert made.current.share(Origin.HEALED) == pytest.approx(blocks().mean())
    assert made.current.share(Origin.SHOT) == pytest.approx(1 - blocks().mean())
    assert np.array_equal(made.current.rgb[PIXELS], other_room()[PIXELS])
    assert made.current.is_shot
    assert made.shown is shot
    assert np.array_equal(shot.rgb, plate()), "the photograph itself never changes"


def test_a_plate_grows_from_nothing_and_is_not_taken_for_a_photograph() -> None:
    made = living()
    assert made.current.is_blank
    made.learn(other_room(), blocks())
    assert np.array_equal(made.known, blocks())
    assert made.current.share(Origin.GROWN) == pytest.approx(blocks().mean())
    assert not made.current.is_shot
    assert made.shown.is_blank


def test_what_was_learned_moves_along_and_gives_way_to_what_was_shot() -> None:
    made = living(Plate(plate()))
    made.move(shifted(24, 0))
    made.learn(other_room(), blocks((slice(0, 45), slice(0, 3))))
    assert made.current.share(Origin.GROWN) == pytest.approx(3 / 80)
    made.move(shifted(8, 0))
    assert made.known[:, 1:].all(), "of what was learned, too"
    made.move(shifted(-32, 0))
    assert np.array_equal(made.current.rgb, plate())
    assert made.current.share(Origin.GROWN) == 0


def test_what_was_learned_is_handed_on_to_the_next_run() -> None:
    made = living(Plate(plate()))
    made.move(shifted(8, 0))
    made.learn(other_room(), blocks())
    growth = made.growth
    assert growth is not None
    again = living(Plate(plate(), growth=growth))
    assert np.array_equal(again.current.rgb, made.current.rgb)
    assert np.array_equal(again.known, made.known)


def test_earlier_pictures_are_never_changed() -> None:
    made = living()
    made.learn(other_room(), blocks())
    before, copy = made.current, made.current.rgb.copy()
    made.learn(plate(), blocks((slice(0, 45), slice(0, 80))))
    assert np.array_equal(before.rgb, copy)
    assert not np.array_equal(made.current.rgb, copy)
