"""The first half of the next frame, computed beside the second half of the present one.

A single frame cannot keep two cores busy: its maps are small, and much of what follows the base network is done by one
thread. Two frames can. A result is used for the very picture, plate, confidence and selection that it was computed
from, or not at all, so mattes are the same with and without it.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from camdaemon.matting.bgmv2.cpu.coarse import CoarseMatte, CoarseStep, FrameInput

_MOST = 2  # frames that are begun and not asked for: the present one, and the next


class _Timed(NamedTuple):
    coarse: CoarseMatte
    seconds: float


class CoarseAhead:
    """Runs a `CoarseStep`, in another thread for frames that come next. Used by the worker thread only.

    Args:
        step: Nobody else calls it.

    Attributes:
        took_s: Seconds that the step took for the last frame that was asked for, in whichever thread.
        waited_s: Seconds that the last call took: all of that, what was left of it, or nearly nothing.
    """

    def __init__(self, step: CoarseStep) -> None:
        self._step = step
        self._thread = ThreadPoolExecutor(1, "coarse")  # it ends with this object
        self._begun: list[tuple[FrameInput, Future[_Timed]]] = []
        self._running: list[Future[Any]] = []  # what was given to the thread last, at most one
        self.took_s = self.waited_s = 0.0

    def release(self) -> None:
        """Forget what was begun and, after what still runs, give memory back; see `CpuBase`. Returns at once."""
        self._begun = []
        self._running = [self._thread.submit(self._step.release)]

    def begin(self, given: FrameInput) -> None:
        """Start computing what a call with the same input will return, and return at once."""
        if given.confidence is not None:
            given = replace(given, confidence=given.confidence.clone())
        found = self._thread.submit(self._run, given)
        self._begun = [*self._begun[1 - _MOST :], (given, found)]
        self._running = [found]

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
        wait(self._running)  # the step works on one frame at a time
        return self._run(given)

    def _run(self, given: FrameInput) -> _Timed:
        began = time.perf_counter()
        with torch.inference_mode():  # applies to the calling thread only
            coarse = self._step(given)
        return _Timed(coarse, time.perf_counter() - began)
