"""A frame that was begun early has the result that it would have had anyway, or is computed again."""

from __future__ import annotations

import threading
from concurrent.futures import wait
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from camdaemon.errors import EngineError
from camdaemon.matting.bgmv2.cpu import ahead
from camdaemon.matting.bgmv2.cpu.ahead import CoarseAhead
from camdaemon.matting.bgmv2.cpu.coarse import FrameInput
from camdaemon.model.layout import Selection
from camdaemon.model.slim import SlimMatting
from tests.matting.bgmv2.cpu.test_network import FRAME, matting, picture
from tests.matting.bgmv2.cpu.test_slim import known, networks, on_cpu, random_slim

__all__ = ["networks"]  # a fixture

pytestmark = pytest.mark.usefixtures("one_thread")

SRC, PLATE = np.zeros((1, 3, 16, 16), np.uint8), np.ones((1, 3, 16, 16), np.uint8)
SELECTION = Selection("sampling", 8_000)


class Counting:
    """A first half that counts its frames and says in which thread it ran."""

    def __init__(self) -> None:
        self.threads: list[str] = []

    def __call__(self, given: FrameInput) -> int:
        if given.confidence is not None and not bool(given.confidence.any()):
            raise RuntimeError("nothing is known")
        self.threads.append(threading.current_thread().name.split("_")[0])
        return len(self.threads)


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
def coarse(counting: Counting) -> CoarseAhead:
    return CoarseAhead(cast(Any, counting))


def frame(
    src: NDArray[np.uint8] = SRC,
    plate: NDArray[np.uint8] = PLATE,
    trust: NDArray[np.float32] | None = None,
    selection: Selection = SELECTION,
) -> FrameInput:
    return FrameInput(src, plate, trust, selection)


def test_what_was_begun_is_computed_once_and_in_another_thread(coarse: CoarseAhead, counting: Counting) -> None:
    coarse.begin(frame())
    assert cast(int, coarse(frame())) == 1
    assert counting.threads == ["coarse"]
    coarse(frame())
    assert counting.threads[1:] != ["coarse"], "a result is used once"


def test_it_says_how_long_the_step_took_and_how_long_that_held_up_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the frame was begun in time, nothing of it; where it was not, all."""
    now = 0.0

    def run(given: FrameInput) -> str:
        nonlocal now
        now += 5
        return "matte"

    monkeypatch.setattr(ahead, "time", SimpleNamespace(perf_counter=lambda: now))
    slow = CoarseAhead(cast(Any, run))
    slow(frame())
    assert slow.waited_s == slow.took_s == 5
    slow.begin(frame())
    wait(slow._lanes[0].last)
    slow(frame())
    assert (slow.waited_s, slow.took_s) == (0, 5)


def test_the_next_frame_may_be_begun_before_the_present_one_is_asked_for(
    coarse: CoarseAhead, counting: Counting
) -> None:
    after = SRC.copy()
    for src in (SRC, after):
        coarse.begin(frame(src))
    assert [cast(int, coarse(frame(src))) for src in (SRC, after)] == [1, 2]
    assert counting.threads == ["coarse", "coarse"]


def test_two_steps_work_at_the_same_time_and_each_on_one_frame(counting: Counting) -> None:
    both_run = threading.Barrier(2, timeout=60)

    def run(given: FrameInput) -> int:
        both_run.wait()
        return counting(given)

    two = CoarseAhead(cast(Any, run), cast(Any, run))
    frames = [SRC.copy() for _ in range(6)]
    for src in frames[:2]:
        two.begin(frame(src))
    for n, src in enumerate(frames):  # as many are always begun after the present one
        if n in (1, 3):
            for after in frames[n + 1 : n + 3]:
                two.begin(frame(after))
        two(frame(src))
    assert counting.threads == ["coarse"] * 6, "each was begun, and none twice"


@pytest.mark.parametrize(
    "asked",
    [
        frame(SRC.copy()),
        frame(plate=PLATE.copy()),
        frame(trust=np.full((1, 1, 2, 2), 0.5, np.float32)),
        frame(selection=Selection("sampling", 4_000)),
    ],
    ids=["picture", "plate", "confidence", "selection"],
)
def test_a_result_for_anything_else_is_not_used(coarse: CoarseAhead, counting: Counting, asked: FrameInput) -> None:
    coarse.begin(frame())
    assert cast(int, coarse(asked)) == 2
    assert counting.threads[1] != "coarse"


def test_a_confidence_that_is_changed_afterwards_is_another_one(coarse: CoarseAhead) -> None:
    trust = np.ones((1, 1, 2, 2), np.float32)
    coarse.begin(frame(trust=trust))
    trust[0, 0, 0, 0] = 0
    assert cast(int, coarse(frame(trust=trust))) == 2


def test_a_failure_appears_when_the_frame_is_asked_for(coarse: CoarseAhead) -> None:
    nothing = np.zeros((1, 1, 2, 2), np.float32)
    coarse.begin(frame(trust=nothing))
    with pytest.raises(RuntimeError, match="nothing is known"):
        coarse(frame(trust=nothing))
    coarse(frame())


def test_frames_that_are_begun_and_never_asked_for_do_not_pile_up(coarse: CoarseAhead) -> None:
    for _ in range(5):
        coarse.begin(frame(SRC.copy()))
    assert len(coarse._begun) == 2, "the present one and the next"


def test_mattes_of_a_film_are_the_same_with_and_without(networks: dict[bool, SlimMatting]) -> None:
    frames = [picture(n) for n in range(4)]
    plate, told = picture(9), [None, known("blocks"), known("more or less"), None]
    plain, early = (on_cpu(networks[True], (48, 64)) for _ in range(2))
    early.prepare(frames[0], plate, told[0], SELECTION)
    for n, src in enumerate(frames):
        if n + 1 < len(frames):
            early.prepare(frames[n + 1], plate, told[n + 1], SELECTION)
        one, other = (each(src, plate, told[n], SELECTION) for each in (plain, early))
        assert all(np.array_equal(a, b) for a, b in zip(one[:2], other[:2], strict=True))


@pytest.mark.parametrize("is_prepared", [False, True])
def test_halfway_is_when_the_next_frame_may_be_prepared(is_prepared: bool, tmp_path: Any) -> None:
    made = matting(tmp_path, random_slim())
    first, second, plate = picture(1), picture(2), picture(3)
    wanted = [made(src, plate, None, 0) for src in (first, second)]
    if is_prepared:
        made.prepare(first, plate, None)
    found = made(first, plate, None, 1, lambda: made.prepare(second, plate, None))
    assert np.array_equal(found.alpha, wanted[0].alpha)
    found = made(second, plate, None, 2)
    assert np.array_equal(found.alpha, wanted[1].alpha)
    assert made.prepared_cost(5.0) <= 5


def test_what_a_frame_costs_if_it_was_prepared_is_the_longer_half(tmp_path: Any) -> None:
    made = matting(tmp_path, random_slim())
    assert made.prepared_cost(3.0) == 3, "nothing was matted"
    made(picture(1), picture(2), None, 0)
    network = made._networks
    assert network.current is not None
    coarse = network.current._coarse
    coarse.took_s, coarse.waited_s = 2.0, 2.0
    assert made.prepared_cost(3.0) == 2
    assert made.prepared_cost(5.0) == 3
    coarse.took_s, coarse.waited_s = 2.0, 0.0
    assert made.prepared_cost(3.0) == 3


def test_a_matting_begins_once_it_has_a_network_for_such_frames(tmp_path: Any) -> None:
    made = matting(tmp_path, random_slim())
    src, plate = picture(1), picture(2)
    made.prepare(src, plate, None)  # there is no network yet
    wanted = made(src, plate, None, 0)
    made.prepare(src, plate, None)
    found = made(src, plate, None, 1)
    assert np.array_equal(found.alpha, wanted.alpha)
    made.prepare(src[..., : FRAME[1] // 2], plate, None)
    with pytest.raises(EngineError):
        made(src[..., : FRAME[1] // 2], plate, None, 2)
