"""What is learned: what the matte calls room, and stands still, away from the person. Everything else never."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from camdaemon.plate.learn import Learned, PlateLearner, find_covered

ROWS, COLUMNS, FPS = 18, 32, 20
PERSON = (slice(6, 18), slice(12, 20))
TEXTURE = np.random.default_rng(0).uniform(0.2, 0.8, (ROWS, COLUMNS, 3)).astype(np.float32)
EVERYTHING = np.ones((ROWS, COLUMNS), bool)
ONE = np.ones(3, np.float32)


class Watching:
    """A learner and the blocks that it is shown, as the keeper does it."""

    def __init__(self) -> None:
        self.learner, self.t = PlateLearner(), 0.0

    def play(
        self,
        seconds: float,
        *,
        person: np.ndarray | None = None,
        moving: np.ndarray | None = None,
        wanted: np.ndarray = EVERYTHING,
        gain: Callable[[float], float] = lambda t: 1.0,
        now: np.ndarray = TEXTURE,
        shade: float = 0.05,
    ) -> list[Learned]:
        found = []
        for n in range(round(seconds * FPS)):
            self.t += 1 / FPS
            seen = now.copy()
            if moving is not None:
                seen[moving] += shade * (1 if n // 5 % 2 else -1)  # sways
            picture = np.asarray(np.rint(255 * seen).repeat(8, 0).repeat(8, 1), np.uint8)
            cover = there() if person is None else person
            self.learner.observe(seen, ONE * np.float32(gain(self.t)), cover, self.t)
            learned = self.learner.collect(partial(np.copy, picture), wanted)
            if learned is not None:
                found.append(learned)
                wanted = wanted & ~learned.blocks
        return found


def there(place: tuple[slice, slice] | None = PERSON) -> np.ndarray:
    found = np.zeros((ROWS, COLUMNS), bool)
    if place is not None:
        found[place] = True
    return found


def test_the_room_beside_a_person_is_learned_within_two_seconds() -> None:
    (learned,) = Watching().play(2)
    assert np.array_equal(learned.blocks, ~find_covered(there()))
    assert learned.blocks.mean() > 0.5
    wanted = np.rint(255 * TEXTURE).repeat(8, 0).repeat(8, 1)
    assert np.abs(learned.picture - wanted).max() <= 1


def test_nothing_is_learned_near_a_person_or_below() -> None:
    covered = find_covered(there((slice(6, 12), slice(12, 20))))
    assert covered[5:13, 11:21].all(), "beside the person"
    assert covered[13:, 12:20].all(), "below: the rest of them, and what they sit at"
    assert not covered[:4].any()
    assert not covered[:, :9].any()
    assert not find_covered(there((slice(6, 7), slice(12, 13))))[10:].any(), "below a speck there is room"


def test_what_moves_is_not_learned() -> None:
    curtain = there((slice(0, 10), slice(26, 32)))
    learned = Watching().play(6, moving=curtain)
    assert learned
    assert not any(each.blocks[curtain].any() for each in learned)


def test_a_shadow_that_moves_is_no_reason_to_learn_nothing() -> None:
    wall = there((slice(0, 10), slice(26, 32)))
    learned = Watching().play(4, moving=wall, shade=0.015)
    assert any(each.blocks[wall].all() for each in learned)


def test_what_is_ready_later_than_the_rest_does_not_wait_for_the_next_round() -> None:
    watching, place = Watching(), (slice(0, 18), slice(25, 30))
    watching.play(0.5, person=there(place))
    first, second = watching.play(2.7, person=there(None))
    assert not first.blocks[place].any()
    assert second.blocks[place].all()


def test_where_somebody_passed_the_room_has_to_be_seen_again() -> None:
    watching, place = Watching(), (slice(0, 18), slice(25, 30))
    watching.play(0.5, person=there(place))
    assert not any(each.blocks[place].any() for each in watching.play(0.6, person=there(None)))
    assert any(each.blocks[place].any() for each in watching.play(4, person=there(None)))


def test_nothing_is_learned_while_the_light_jumps() -> None:
    watching = Watching()
    assert not watching.play(4, gain=lambda t: 1.2 if int(4 * t) % 2 else 1.0)
    assert watching.play(4)


@pytest.mark.parametrize("level", [0.0, 1.0], ids=["black", "white"])
def test_what_is_cut_off_is_not_learned(level: float) -> None:
    now = TEXTURE.copy()
    now[:, :8] = level
    (learned,) = Watching().play(2, now=now)
    assert not learned.blocks[:, :8].any()
    assert learned.blocks[:, 22:].all()


def test_only_what_is_wanted_is_learned() -> None:
    wanted = there((slice(0, 4), slice(0, 4)))
    (learned,) = Watching().play(2, wanted=wanted)
    assert np.array_equal(learned.blocks, wanted)
    assert not Watching().play(2, wanted=~EVERYTHING)


def test_what_the_network_calls_a_person_is_left_alone_for_a_while() -> None:
    watching, place = Watching(), there((slice(0, 4), slice(0, 4)))
    (learned,) = watching.play(2, wanted=place)
    beside = there((slice(0, 4), slice(4, 8)))
    watching.learner.refuse(learned.blocks, beside)
    assert not watching.play(2, wanted=place | beside)
    (learned,) = watching.play(6, wanted=place | beside)
    assert np.array_equal(learned.blocks, beside)
    assert watching.play(4, wanted=place)


def test_once_everybody_has_left_all_of_it_may_be_learned() -> None:
    watching, place = Watching(), there((slice(0, 4), slice(0, 4)))
    (learned,) = watching.play(2, wanted=place)
    watching.learner.refuse(learned.blocks, learned.blocks)
    assert watching.play(3, wanted=place, person=there(None))


def test_a_clip_that_begins_again_is_watched_anew() -> None:
    watching = Watching()
    watching.play(2, gain=lambda t: 1.0 if t < 1.9 else 1.2)
    watching.t = 0.0
    assert not watching.play(0.6)
    assert watching.play(1.4)
