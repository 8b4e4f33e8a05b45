"""The base network of the next frame, computed beside the rest of the present one.

A single frame cannot keep two cores busy: its maps are small, and much of what follows the base network is done by one
thread. Two frames can. A result is used for the very picture, plate and confidence that it was computed from, or not
at all, so mattes are the same with and without it.
"""

from __future__ import annotations

from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from camdaemon.frames import pixels
from camdaemon.linux.threads import start_in_thread
from camdaemon.matting.bgmv2.cpu.base import CoarseFrame, CpuBase
from camdaemon.matting.bgmv2.cpu.told_plate import are_equal

_MOST = 2  # frames that are begun and not asked for: the present one, and the next


@dataclass(frozen=True, slots=True)
class _Begun:
    """What the base network was started with, and where its result will be."""

    src: Tensor
    plate: Tensor
    confidence: Tensor | None
    found: Future[CoarseFrame]

    def is_of(self, src: Tensor, plate: Tensor, confidence: Tensor | None) -> bool:
        return self.src is src and self.plate is plate and are_equal(self.confidence, confidence)


class BaseAhead:
    """Runs a `CpuBase`, in another thread for frames that come next. Used by the worker thread only.

    Args:
        base: Nobody else calls it.
    """

    def __init__(self, base: CpuBase) -> None:
        self._base = base
        self._begun: list[_Begun] = []
        self._running: list[Future[CoarseFrame]] = []  # what was begun last, which waits for what was begun before

    def begin(self, src: Tensor, plate: Tensor, confidence: Tensor | None) -> None:
        """Start computing what a call with the same arguments will return, and return at once."""
        known = None if confidence is None else confidence.clone()
        found = start_in_thread(partial(self._run_after, self._running, src, plate, known), "base")
        self._begun = [*self._begun[1 - _MOST :], _Begun(src, plate, known, found)]
        self._running = [found]

    def __call__(self, src: Tensor, plate: Tensor, confidence: Tensor | None) -> CoarseFrame:
        """Run the base network, or return what was begun; see `CpuBase`. `src` is uint8 (1,3,H,W)."""
        for place, begun in enumerate(self._begun):
            if begun.is_of(src, plate, confidence):
                self._begun = self._begun[place + 1 :]
                return begun.found.result()
        return self._run_after(self._running, src, plate, confidence)

    def _run_after(
        self, running: list[Future[CoarseFrame]], src: Tensor, plate: Tensor, confidence: Tensor | None
    ) -> CoarseFrame:
        """Run the base network, which works on one frame at a time, once `running` is done."""
        wait(running)
        with torch.inference_mode():  # applies to the calling thread only
            return self._base(pixels.array(src), plate, confidence)
