"""The gate of a matting that doubts: what a frame contradicts is not trusted, and hardly anything is refused."""

from __future__ import annotations

import numpy as np
import pytest

from camdaemon.errors import PlateMismatch, SuddenChange
from camdaemon.frames import pixels
from camdaemon.frames.picture import Picture
from camdaemon.plate.gate import PlateGate, State
from camdaemon.plate.match import PlateMatcher
from camdaemon.plate.parts import Plate
from camdaemon.plate.unknown import make_blank_plate
from tests.kinds import copied, same
from tests.plate.painted import EMPTY, SIZE, THERE, alpha, film, lamp, other_room, plate

ANY = pixels.as_planes(np.zeros((SIZE.height, SIZE.width, 3), np.uint8))  # what is told depends on its kind only
PLACE = (slice(80, 160), slice(440, 520))  # of a thing that is brought, beside the person

pytestmark = pytest.mark.usefixtures("one_thread")


class Bench:
    """A gate, its matcher and a plate; `look` is one frame as the worker does it, with the true matte."""

    def __init__(self, taken: Plate, *, needs_plate: bool = False, is_live: bool = False) -> None:
        self.gate = PlateGate(doubts=True, needs_plate=needs_plate, is_live=is_live)
        self.taken, self.matcher = taken, PlateMatcher(pixels.as_planes, enabled=True)

    def look(self, seen: Picture, matte: Picture, t: float) -> bool:
        again = self.examine(seen, matte, t)
        if again:
            self.examine(seen, matte, t)
        self.gate.clean(pixels.as_planes(matte), t)
        self.gate.confirm(t)
        return again

    def examine(self, seen: Picture, matte: Picture, t: float) -> bool:
        src, seen_alpha = pixels.as_planes(seen), pixels.as_planes(matte)
        self.gate.confidence(self.taken, src)
        self.matcher.match(self.taken, src)
        again = self.gate.examine(self.matcher, self.taken, src, seen_alpha, t)
        self.matcher.learn(seen_alpha)
        return again

    def known(self) -> np.ndarray:
        told = self.gate.confidence(self.taken, ANY)
        rows, columns = SIZE.height // 8, SIZE.width // 8
        return np.ones((rows, columns)) if told is None else pixels.to_host(told)[0, 0]


def brought(seen: Picture) -> Picture:
    out = seen.copy()
    out[PLACE] = 255 - out[PLACE]
    return out


def test_the_right_plate_is_trusted_everywhere_and_no_matte_computed_twice() -> None:
    bench = Bench(Plate(plate()))
    assert not bench.look(film(THERE), alpha(THERE), 0.0)
    assert bench.known().mean() > 0.99


def test_what_was_brought_is_not_trusted_from_its_first_frame_on() -> None:
    bench = Bench(Plate(plate()))
    bench.look(film(EMPTY), alpha(EMPTY), 0.0)
    assert bench.look(brought(film(EMPTY)), alpha(EMPTY), 0.1)
    known = bench.known()
    assert known[10:20, 55:65].mean() < 0.4
    known[10:20, 55:65] = 1
    assert known.mean() > 0.99
    assert not bench.look(brought(film(EMPTY)), alpha(EMPTY), 0.2), "it is known by now"
    for t in (0.3, 0.8, 1.4):
        bench.look(film(EMPTY), alpha(EMPTY), t)
    assert bench.known().mean() > 0.99, "trusted again when it is gone"


SMALL = (slice(80, 136), slice(440, 496))


def test_a_small_contradiction_may_be_a_hand_until_it_stands_still() -> None:
    bench = Bench(Plate(plate()))
    bench.look(film(EMPTY), alpha(EMPTY), 0.0)
    seen = film(EMPTY)
    seen[SMALL] = 255 - seen[SMALL]
    for t in (0.1, 0.3, 0.5):
        assert not bench.look(seen, alpha(EMPTY), t)
    assert bench.known().mean() > 0.99
    assert bench.look(seen, alpha(EMPTY), 0.7)
    assert bench.known()[10:17, 55:62].mean() < 0.4


def test_what_moves_is_not_trusted_after_a_while() -> None:
    bench, noise = Bench(Plate(plate())), np.random.default_rng(0)
    for n in range(40):
        seen = film(EMPTY)
        seen[SMALL] = noise.integers(0, 256, 3)
        bench.look(seen, alpha(EMPTY), n / 10)
        if n == 8:
            assert bench.known().mean() > 0.99
    assert bench.known()[11:16, 56:61].mean() < 0.3


def test_a_person_contradicts_nothing() -> None:
    bench = Bench(Plate(plate()))
    bench.look(film(EMPTY), alpha(EMPTY), 0.0)
    before = bench.known()
    bench.look(film(THERE), alpha(THERE), 0.1)
    person = alpha(THERE).reshape(SIZE.height // 8, 8, SIZE.width // 8, 8).max((1, 3)) > 5
    assert np.array_equal(bench.known()[person], before[person])


def test_a_plate_of_another_room_is_not_trusted_anywhere_and_refused_only_where_one_is_needed() -> None:
    bench = Bench(Plate(other_room()))
    assert bench.look(film(THERE), alpha(THERE), 0.0)
    assert not bench.known().any()
    assert bench.gate.health.state is State.REFUSED
    assert "camdaemon plate" in bench.gate.health.reason
    assert not bench.look(film(THERE), alpha(THERE), 0.1)
    with pytest.raises(PlateMismatch):
        Bench(Plate(other_room()), needs_plate=True).look(film(THERE), alpha(THERE), 0.0)


def test_back_in_its_own_room_the_plate_is_trusted_after_a_second() -> None:
    bench = Bench(Plate(plate()))
    bench.look(other_room(), np.zeros_like(alpha(EMPTY)), 0.0)
    assert not bench.known().any()
    for t in (0.1, 0.6):
        bench.look(film(EMPTY), alpha(EMPTY), t)
        assert bench.known().mean() < 0.01
    bench.look(film(EMPTY), alpha(EMPTY), 1.2)
    assert bench.known().mean() > 0.99


def test_a_lamp_costs_no_trust() -> None:
    bench = Bench(Plate(plate()))
    bench.look(film(THERE), alpha(THERE), 0.0)
    bench.look(lamp(film(THERE)), alpha(THERE), 0.1)
    assert bench.known().mean() > 0.9


def test_a_frame_that_is_held_back_costs_no_trust() -> None:
    bench = Bench(Plate(plate()), is_live=True)
    for n in range(3):
        bench.look(film(EMPTY), alpha(EMPTY), n / 30)
    torn, matte = other_room().copy(), np.full_like(alpha(EMPTY), 255)
    torn[:180], matte[:180] = film(EMPTY)[:180], 0
    torn[PLACE] = 255 - torn[PLACE]
    with pytest.raises(SuddenChange):
        bench.look(torn, matte, 0.1)
    assert bench.known().mean() > 0.99


def test_without_a_plate_there_is_nothing_to_judge() -> None:
    blank = make_blank_plate(SIZE.width, SIZE.height)
    bench = Bench(blank)
    assert not bench.look(film(THERE), alpha(THERE), 0.0)
    assert not bench.known().any()
    assert bench.gate.health.state is State.UNKNOWN
    src = pixels.as_planes(lamp(film(THERE)))
    assert same(bench.matcher.match(blank, src), bench.matcher.upload_clean(blank)), "gray stays gray"


def test_a_matting_that_does_not_doubt_is_told_nothing_and_always_needs_a_plate() -> None:
    gate = PlateGate(doubts=False, needs_plate=False)
    assert gate.needs_plate
    assert gate.confidence(make_blank_plate(64, 64), ANY) is None


def test_a_confidence_holds_until_a_second_look_would_be_taken() -> None:
    bench = Bench(Plate(plate()))
    bench.look(film(EMPTY), alpha(EMPTY), 0.0)
    before = bench.gate.confidence(bench.taken, ANY)
    assert bench.gate.still_holds(before, bench.taken, ANY)
    bench.look(brought(film(EMPTY)), alpha(EMPTY), 0.1)
    now = bench.gate.confidence(bench.taken, ANY)
    assert now is not None
    assert not bench.gate.still_holds(before, bench.taken, ANY)
    nearly = copied(now)
    nearly[0, 0, 0, 0] = 1 - nearly[0, 0, 0, 0]
    assert bench.gate.still_holds(nearly, bench.taken, ANY)
    assert not bench.gate.still_holds(now[..., :-1], bench.taken, ANY), "of another number of blocks"
