"""The first half of the next frame, computed beside the second half of the present one.

A single frame cannot keep two cores busy: its maps are small, and much of what follows the base network is done by one
thread. Two frames can. A result is used for the very picture, plate, confidence and selection that it was computed
from, or not at all, so mattes are the same with and without it.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace

import torch

from camdaemon.matting.bgmv2.cpu.coarse import CoarseMatte, CoarseStep, FrameInput

_MOST = 2  # frames that are begun and not asked for: the present one, and the next


class CoarseAhead:
    """Runs a `CoarseStep`, in another thread for frames that come next. Used by the worker thread only.

    Args:
        step: Nobody else calls it.

    Attributes:
        own_s: Seconds that the last call itself ran the step; 0 where it had been begun.
    """

    def __init__(self, step: CoarseStep) -> None:
        self._step = step
        self._thread = ThreadPoolExecutor(1, "coarse")  # it ends with this object
        self._begun: list[tuple[FrameInput, Future[CoarseMatte]]] = []
        self._running: list[Future[CoarseMatte]] = []  # what was begun last, at most one
        self.own_s = 0.0

    def begin(self, given: FrameInput) -> None:
        """Start computing what a call with the same input will return, and return at once."""
        if given.confidence is not None:
            given = replace(given, confidence=given.confidence.clone())
        found = self._thread.submit(self._run, given)
        self._begun = [*self._begun[1 - _MOST :], (given, found)]
        self._running = [found]

    def __call__(self, given: FrameInput) -> CoarseMatte:
        """Run the step, or return what was begun."""
        for place, (begun, found) in enumerate(self._begun):
            if begun.is_same_as(given):
                self._begun, self.own_s = self._begun[place + 1 :], 0.0
                return found.result()
        wait(self._running)  # the step works on one frame at a time
        began = time.perf_counter()
        coarse = self._run(given)
        self.own_s = time.perf_counter() - began
        return coarse

    def _run(self, given: FrameInput) -> CoarseMatte:
        with torch.inference_mode():  # applies to the calling thread only
            return self._step(given)
