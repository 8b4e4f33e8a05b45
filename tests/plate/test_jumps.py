"""What appears at once is held back until two more frames show the same; so are the first frames of a moved camera."""

from __future__ import annotations

import numpy as np
import pytest

from camdaemon.plate.jumps import JumpGuard, LossGuard
from camdaemon.plate.survey import Survey

ROWS, COLUMNS, FPS = 45, 80, 30
Place = tuple[slice, slice]
NOWHERE: Place = (slice(0, 0), slice(0, 0))
PERSON: Place = (slice(15, 45), slice(25, 55))
TORN: Place = (slice(36, 45), slice(0, 80))
TEXTURE = np.random.default_rng(0).uniform(0.2, 0.8, (ROWS, COLUMNS, 3)).astype(np.float32)


def survey(*visible: Place, look: int = 0, gain: float = 1.0) -> Survey:
    """A frame with something visible in some places; `look` chooses what it looks like."""
    room = np.ones((ROWS, COLUMNS), bool)
    now = TEXTURE.copy()
    for place in visible:
        room[place] = False
        now[place] = np.roll(TEXTURE, 7 * look, 0)[place]
    return Survey(now * gain, TEXTURE, room, room, ~room, np.full(3, gain, np.float32), 16)


def person_at(left: int) -> Place:
    return (slice(15, 45), slice(max(0, left), max(0, left + 30)))


def held(guard: JumpGuard, frames: list[Survey], start: float = 0.0, fps: float = FPS) -> list[bool]:
    return [guard.hold_back(frame, start + n / fps) for n, frame in enumerate(frames)]


@pytest.fixture
def guard() -> JumpGuard:
    """One that has seen the person for a moment."""
    guard = JumpGuard()
    assert held(guard, [survey(PERSON)] * 4, start=-4 / FPS) == [True, True, False, False]
    return guard


def test_a_single_torn_frame_is_held_back(guard: JumpGuard) -> None:
    assert held(guard, [survey(PERSON, TORN, look=1), survey(PERSON), survey(PERSON)]) == [True, False, False]


def test_torn_frames_in_a_row_are_each_held_back(guard: JumpGuard) -> None:
    frames = [survey(PERSON, TORN, look=look) for look in (1, 2, 3, 4)]
    assert held(guard, [*frames, survey(PERSON)]) == [True, True, True, True, False]


def test_every_second_frame_may_be_torn(guard: JumpGuard) -> None:
    frames = [survey(PERSON, *([TORN] if n % 2 else []), look=n % 3) for n in range(20)]
    assert held(guard, frames) == [bool(n % 2) for n in range(20)]


def test_whoever_comes_in_at_once_is_shown_from_the_third_frame_on(guard: JumpGuard) -> None:
    second: Place = (slice(10, 45), slice(60, 78))
    assert held(guard, [survey(PERSON, second)] * 4) == [True, True, False, False]


def test_two_torn_frames_that_are_alike_are_held_back(guard: JumpGuard) -> None:
    frames = [survey(PERSON, TORN, look=1)] * 2 + [survey(PERSON)]
    assert held(guard, frames) == [True, True, False]


def test_what_changes_all_the_time_is_believed_after_a_moment(guard: JumpGuard) -> None:
    frames = [survey(PERSON, TORN, look=1 + n) for n in range(12)]
    answers = held(guard, frames)
    assert all(answers[:6])
    assert not any(answers[9:]), "0.3 s"


def test_time_alone_is_no_confirmation() -> None:
    """The first frames of a camera come slowly, while the network warms up."""
    frames = [survey(PERSON), survey(PERSON, TORN, look=1), survey(PERSON, look=2), survey(PERSON)]
    assert held(JumpGuard(), frames, fps=1) == [True, True, True, False]
    assert held(JumpGuard(), [survey(PERSON), survey(PERSON, TORN, look=1), survey(PERSON), survey(PERSON)], fps=2) == [
        True, True, True, False,
    ]  # fmt: skip


def test_a_broken_frame_among_those_of_somebody_who_moves_fast_is_held_back(guard: JumpGuard) -> None:
    second: Place = (slice(10, 45), slice(60, 78))
    frames = [survey(PERSON, *((second, TORN) if n == 10 else (second,)), look=n) for n in range(12)]
    answers = held(guard, frames)
    assert answers[10]
    assert not answers[9]


@pytest.mark.parametrize("fps", [4, 10, 30])
def test_a_person_who_walks_through_is_held_back_at_the_edge_at_most(fps: float) -> None:
    """In at one side and out at the other in two seconds, in front of the empty room."""
    guard = JumpGuard()
    assert not any(held(guard, [survey(NOWHERE)] * 3, start=-3 / fps, fps=fps))
    places = [person_at(round(-30 + 50 * n / fps)) for n in range(int(2 * fps))]
    first = next(n for n, place in enumerate(places) if place[1].stop > 0)
    answers = held(guard, [survey(place) for place in places], fps=fps)
    assert not any(answers[first + 3 :])


@pytest.mark.parametrize(("seconds", "shown"), [(1.0, 6), (3.0, 3)])
def test_on_a_very_slow_machine_frames_are_shown_all_the_same(seconds: float, shown: int) -> None:
    frames = [survey(person_at(5 + 12 * (n % 5)), look=n) for n in range(12)]
    assert held(JumpGuard(), frames, fps=1 / seconds).count(False) >= shown


def test_a_hand_is_never_held_back(guard: JumpGuard) -> None:
    hand: Place = (slice(5, 15), slice(60, 68))
    assert held(guard, [survey(PERSON, hand), survey(PERSON), survey(PERSON, hand)]) == [False] * 3


def test_the_light_may_jump_with_what_comes_in(guard: JumpGuard) -> None:
    second: Place = (slice(10, 45), slice(60, 78))
    frames = [survey(PERSON, second, gain=gain) for gain in (1.0, 1.3, 1.2)]
    assert held(guard, frames) == [True, True, False]


def test_after_a_pause_the_first_frame_needs_others(guard: JumpGuard) -> None:
    assert held(guard, [survey(PERSON)] * 3, start=5.0) == [True, True, False]


def test_a_clip_that_begins_again_and_another_size_need_them_too(guard: JumpGuard) -> None:
    assert guard.hold_back(survey(PERSON), -2.0)
    small = Survey(
        TEXTURE[::2],
        TEXTURE[::2],
        np.zeros((23, 80), bool),
        np.zeros((23, 80), bool),
        np.ones((23, 80), bool),
        np.ones(3, np.float32),
        32,
    )
    assert held(guard, [small] * 3, start=-1.99) == [True, True, False]


def test_an_empty_room_needs_none() -> None:
    assert not JumpGuard().hold_back(survey(NOWHERE), 0.0)


def losses(guard: LossGuard, fits: list[bool], start: float = 0.0, fps: float = FPS) -> list[bool]:
    return [guard.hold_back(each, start + n / fps) for n, each in enumerate(fits)]


@pytest.mark.parametrize(("fps", "count"), [(30, 8), (10, 3), (4, 2)])
def test_when_a_plate_that_fitted_is_lost_viewers_wait_for_two_frames_or_a_quarter_of_a_second(
    fps: float, count: int
) -> None:
    guard = LossGuard()
    assert not any(losses(guard, [True] * 40, fps=fps))
    answers = losses(guard, [False] * 40, start=40 / fps, fps=fps)
    assert answers == [True] * count + [False] * (40 - count)


def test_a_plate_that_is_found_again_is_shown_at_once() -> None:
    guard = LossGuard()
    losses(guard, [True] * 40)
    assert losses(guard, [False, False, True, True], start=40 / FPS) == [True, True, False, False]


def test_a_plate_that_never_fitted_or_for_a_moment_costs_no_frame() -> None:
    guard = LossGuard()
    assert not any(losses(guard, [False] * 10))
    assert not any(losses(guard, [True, False] * 40, start=1.0))


def test_a_clip_that_begins_again_is_no_loss() -> None:
    guard = LossGuard()
    losses(guard, [True] * 40, start=100.0)
    assert not any(losses(guard, [False] * 3))
    assert not any(losses(guard, [True] * 3, start=1.0))
