"""The first half of the frames that come next, computed beside the second half of the present one.

A single frame cannot keep two cores busy: its maps are small, and much of what follows the base network is done by one
thread. Two frames can. A result is used for the very picture, plate, confidence and selection that it was computed
from, or not at all, so mattes are the same with and without it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle
from typing import Any, NamedTuple, TypeVar

from camdaemon.matting.bgmv2.cpu.coarse import CoarseMatte, CoarseStep, FrameInput

_Result = TypeVar("_Result")


class _Timed(NamedTuple):
    coarse: CoarseMatte
    seconds: float


@dataclass(slots=True)
class _Lane:
    """A step and the thread that runs it.

    Attributes:
        last: What was given to the thread last, at most one.
    """

    step: CoarseStep
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "coarse"))  # ends with its owner
    last: list[Future[Any]] = field(default_factory=list)

    def submit(self, run: Callable[[], _Result]) -> Future[_Result]:
        found = self.thread.submit(run)
        self.last = [found]
        return found


class CoarseAhead:
    """Runs a `CoarseStep`, in other threads for frames that come next. Used by the worker thread only.

    Args:
        steps: They give the same results, and run at the same time: one for each frame that is begun beside the
            present one. Nobody else calls them.

    Attributes:
        took_s: Seconds that the step took for the last frame that was asked for, in whichever thread.
        waited_s: Seconds that the last call took: all of that, what was left of it, or nearly nothing.
    """

    def __init__(self, *steps: CoarseStep) -> None:
        self._lanes = [_Lane(step) for step in steps]
        self._turns = cycle(self._lanes)
        self._begun: list[tuple[FrameInput, Future[_Timed]]] = []
        self.took_s = self.waited_s = 0.0

    def release(self) -> None:
        """Forget what was begun and, after what still runs, give memory back; see `CpuBase`. Returns at once."""
        self._begun = []
        for lane in self._lanes:
            lane.submit(lane.step.release)

    def begin(self, given: FrameInput) -> None:
        """Start computing what a call with the same input will return, and return at once."""
        if given.confidence is not None:
            given = replace(given, confidence=given.confidence.copy())
        lane = next(self._turns)
        found = lane.submit(partial(_run, lane.step, given))
        self._begun = [*self._begun[-len(self._lanes) :], (given, found)]  # the present one, and those after it

    def __call__(self, given: FrameInput) -> CoarseMatte:
        """Run the step, or return what was begun."""
        began = time.perf_counter()
        coarse, self.took_s = self._find_begun(given) or self._run_alone(given)
        self.waited_s = time.perf_counter() - began
        return coarse

    def _find_begun(self, given: FrameInput) -> _Timed | None:
        for place, (begun, found) in enumerate(self._begun):
            if begun.is_same_as(given):
                self._begun = self._begun[place + 1 :]
                return found.result()
        return None

    def _run_alone(self, given: FrameInput) -> _Timed:
        lane = next(self._turns)
        wait(lane.last)  # a step works on one frame at a time
        return _run(lane.step, given)


def _run(step: CoarseStep, given: FrameInput) -> _Timed:
    began = time.perf_counter()
    coarse = step(given)
    return _Timed(coarse, time.perf_counter() - began)
