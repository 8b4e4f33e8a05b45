"""The camera's phases: one test for each transition, the illegal ones, and who is woken up by what."""

import threading
from collections.abc import Callable

import pytest

from camdaemon.frames import card as cards
from camdaemon.pipeline.camera_state import CameraState, Phase

Step = Callable[[CameraState], object]


def cover(state: CameraState) -> None:
    """What the output thread says once a card is out."""
    state.record_published(is_card=True)


# How to come to each phase from the beginning. The camera is needed in all but COVERING and CLOSED.
PATHS: dict[Phase, tuple[Step, ...]] = {
    Phase.OPENING: (),
    Phase.RUNNING: (CameraState.mark_running,),
    Phase.COVERING: (CameraState.mark_running, CameraState.mark_covering),
    Phase.CLOSED: (CameraState.mark_running, CameraState.mark_covering, cover, CameraState.mark_closed),
    Phase.LOST: (CameraState.mark_running, CameraState.mark_lost),
}

# (transition, from, to, the card afterwards)
TRANSITIONS = [
    (CameraState.mark_running, Phase.OPENING, Phase.RUNNING, None),
    (CameraState.mark_running, Phase.RUNNING, Phase.RUNNING, None),
    (CameraState.mark_covering, Phase.OPENING, Phase.COVERING, cards.STANDBY),
    (CameraState.mark_covering, Phase.RUNNING, Phase.COVERING, cards.STANDBY),
    (CameraState.mark_closed, Phase.COVERING, Phase.CLOSED, cards.STANDBY),
    (CameraState.mark_opening, Phase.CLOSED, Phase.OPENING, cards.STANDBY),
    (CameraState.mark_lost, Phase.OPENING, Phase.LOST, cards.LOST),
    (CameraState.mark_lost, Phase.RUNNING, Phase.LOST, cards.LOST),
    (CameraState.mark_reopened, Phase.LOST, Phase.OPENING, cards.LOST),
]
LEGAL = {(move, before) for move, before, _, _ in TRANSITIONS}
ILLEGAL = [
    pytest.param(move, phase, id=f"{move.__name__}-in-{phase.name}")
    for move in dict.fromkeys(each[0] for each in TRANSITIONS)
    for phase in PATHS
    if (move, phase) not in LEGAL
]


def reached(phase: Phase, *reasons: str) -> CameraState:
    state = CameraState(*reasons)
    for step in PATHS[phase]:
        step(state)
    assert state.phase is phase
    return state


def begun(body: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """A thread that waits in `body`, and where its answer will be."""
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(body()), daemon=True)
    thread.start()
    return thread, answers


def ended(waiting: tuple[threading.Thread, list[object]]) -> object:
    """The answer; a wait that was not ended fails the test."""
    thread, answers = waiting
    thread.join(60)
    assert not thread.is_alive(), "it still waits"
    return answers[0]


def test_at_the_beginning_the_camera_opens_and_a_card_says_so() -> None:
    state = CameraState()
    assert (state.phase, state.card) == (Phase.OPENING, cards.STARTING)
    assert not state.has_frames


@pytest.mark.parametrize(
    ("move", "before", "after", "card"),
    [pytest.param(*each, id=f"{each[0].__name__}-in-{each[1].name}") for each in TRANSITIONS],
)
def test_a_transition(move: Step, before: Phase, after: Phase, card: cards.Card | None) -> None:
    state = reached(before, "viewers")
    move(state)
    assert (state.phase, state.card) == (after, card)
    assert state.has_frames is (card is None)


@pytest.mark.parametrize(("move", "phase"), ILLEGAL)
def test_an_illegal_transition_is_a_bug_and_changes_nothing(move: Step, phase: Phase) -> None:
    state = reached(phase, "viewers")
    card = state.card
    with pytest.raises(RuntimeError, match=phase.value):
        move(state)
    assert (state.phase, state.card) == (phase, card)


@pytest.mark.parametrize("phase", [phase for phase in PATHS if phase is not Phase.LOST])
def test_only_a_lost_camera_is_searched_for(phase: Phase) -> None:
    with pytest.raises(RuntimeError, match=phase.value):
        reached(phase, "viewers").wait_to_search(0)


def test_every_phase_has_a_path() -> None:
    assert {*PATHS, Phase.LOST_IDLE} == set(Phase)


# ---- the card is out before the camera closes


def test_the_camera_waits_for_a_card_that_is_written_after_it_asked() -> None:
    state = reached(Phase.RUNNING)
    state.record_published(is_card=True)  # from before: a composite may have been chosen since
    state.mark_covering()
    assert not state.wait_covered(0)
    state.record_published(is_card=False)
    assert not state.wait_covered(0)
    waiting = begun(lambda: state.wait_covered(60))
    state.record_published(is_card=True)
    assert ended(waiting) is True


def test_a_sink_that_hangs_does_not_keep_the_camera_open() -> None:
    state = reached(Phase.COVERING)
    assert not state.wait_covered(0)
    state.mark_closed()
    assert state.phase is Phase.CLOSED


def test_the_output_is_idle_once_viewers_have_a_card_and_nothing_needs_the_camera() -> None:
    state = CameraState()
    assert not state.is_idle
    state.record_published(is_card=True)
    assert state.is_idle
    state.add_reason("viewers")
    assert not state.is_idle
    state.remove_reason("viewers")
    state.record_published(is_card=False)
    assert not state.is_idle


# ---- a lost camera


def test_a_lost_camera_that_is_needed_is_searched_for_after_the_pause() -> None:
    state = reached(Phase.LOST, "viewers")
    assert state.wait_to_search(0)
    assert state.phase is Phase.LOST


def test_a_lost_camera_that_is_not_needed_rests_until_it_is() -> None:
    state = reached(Phase.LOST)
    waiting = begun(lambda: state.wait_to_search(3600))  # the pause ends, too, when nothing needs the camera
    assert state.wait_closed(10)
    assert (state.phase, state.card) == (Phase.LOST_IDLE, cards.LOST)
    state.add_reason("viewers")
    assert ended(waiting) is True
    assert state.phase is Phase.LOST


def test_sleep_ends_the_pause_of_a_search() -> None:
    state = reached(Phase.LOST, "viewers")
    waiting = begun(lambda: state.wait_to_search(3600))
    state.fall_asleep()
    assert state.wait_closed(10)
    state.wake_up()
    assert ended(waiting) is True


# ---- waits end


def test_a_closed_camera_waits_for_the_first_reason() -> None:
    state = reached(Phase.CLOSED)
    assert state.wait_closed(0)
    waiting = begun(state.wait_needed)
    state.add_reason("panel")
    assert ended(waiting) is True


@pytest.mark.parametrize(
    ("phase", "wait"),
    [
        (Phase.COVERING, lambda state: state.wait_covered(3600)),
        (Phase.CLOSED, CameraState.wait_needed),
        (Phase.LOST, lambda state: state.wait_to_search(3600)),
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_stopping_ends_every_wait(phase: Phase, wait: Step, before: bool) -> None:
    state = reached(phase)
    if before:
        state.stop()
    waiting = begun(lambda: wait(state))
    state.stop()
    assert ended(waiting) is False
    assert state.is_stopping


def test_stopping_ends_the_search_for_a_camera_that_is_needed() -> None:
    state = reached(Phase.LOST, "viewers")
    waiting = begun(lambda: state.wait_to_search(3600))
    state.stop()
    assert ended(waiting) is False


# ---- reasons


def test_reasons_are_counted() -> None:
    state = CameraState()
    assert not state.is_needed
    state.add_reason("viewers")
    state.add_reason("viewers")
    state.remove_reason("viewers")
    assert state.reasons() == ["viewers"]
    with state.hold("plate"):
        assert state.reasons() == ["plate", "viewers"]
    state.remove_reason("viewers")
    assert not state.is_needed
    state.remove_reason("viewers")
    state.add_reason("viewers")
    assert state.is_needed, "one remove too many must not swallow the next reason"


def test_a_machine_that_sleeps_needs_no_camera() -> None:
    state = CameraState("viewers")
    state.fall_asleep()
    assert state.is_asleep
    assert not state.is_needed
    assert state.reasons() == ["viewers"]
    state.wake_up()
    assert state.is_needed


def test_the_camera_may_close_when_it_was_not_needed_for_a_while() -> None:
    now = [100.0]
    state = CameraState("viewers", clock=lambda: now[0])
    now[0] = 200.0
    assert not state.may_close(2.0)
    state.remove_reason("viewers")
    now[0] = 202.0
    assert not state.may_close(2.0), "programs close and open again while they are set up"
    now[0] = 202.1
    assert state.may_close(2.0)
    state.add_reason("viewers")
    assert not state.may_close(2.0)


def test_a_camera_that_was_never_needed_may_close_at_once() -> None:
    assert CameraState(clock=lambda: 0.0).may_close(2.0)


def test_before_the_machine_sleeps_the_camera_may_close_at_once() -> None:
    state = CameraState("viewers")
    state.fall_asleep()
    assert state.may_close(3600)
