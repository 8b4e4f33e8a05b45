"""The network's work on a GPU, recorded once and replayed for each frame (a CUDA graph): one launch, not hundreds.

What is replayed reads and writes the same memory every time. So the picture is copied in, the plate only when it is
another tensor, and the results are valid until the next frame, as all that the worker computes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

log = logging.getLogger(__name__)

Results = tuple[Tensor, ...]
Step = Callable[[Tensor, Tensor], Results]  # picture and plate → what is wanted of them; the same shapes every time
_FEW = 3  # runs before recording, in which the libraries choose their kernels and take their memory
_EQUAL = 2e-2  # of 1: float16, and patches with nearly the same predicted error


class Recorder(Protocol):
    """Runs `work` once while it is recorded; gives its results, and what does it again into the same memory."""

    def __call__(self, work: Callable[[], Results]) -> tuple[Results, Callable[[], object]]:
        """Raises RuntimeError when it cannot be recorded."""


def cuda_recorder(work: Callable[[], Results]) -> tuple[Results, Callable[[], object]]:
    """See `Recorder`; on the present CUDA device."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(_FEW):
            work()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = work()
    return results, graph.replay


class Replay:
    """`step` for pictures like `src`; the worker thread's. Where it cannot be recorded, or replays something else than
    it computes, it is run as it is: the log says so.
    """

    def __init__(self, step: Step, src: Tensor, plate: Tensor, record: Recorder = cuda_recorder) -> None:
        self._step = step
        self._src, self._plate = src.clone(), plate.clone()
        self._source: Tensor | None = None  # of the plate that was copied in
        self._again: Callable[[], object] | None = None
        try:
            self._results, self._again = record(lambda: step(self._src, self._plate))
            self._compare(src.flip(3), plate)  # another picture than it was recorded with
        except RuntimeError as exc:
            self._again = None
            log.warning("the network is not recorded, and runs step by step: %s", exc)

    @property
    def recorded(self) -> bool:
        """Whether it is replayed."""
        return self._again is not None

    def __call__(self, src: Tensor, plate: Tensor) -> Results:
        """What `step` gives; valid until the next call. Raises what `step` raises."""
        if self._again is None:
            return self._step(src, plate)
        self._src.copy_(src)
        if plate is not self._source:
            self._plate.copy_(plate)
            self._source = plate
        self._again()
        return self._results

    def _compare(self, src: Tensor, plate: Tensor) -> None:
        wanted = [part.clone() for part in self._step(src, plate)]
        for found, right in zip(self(src, plate), wanted, strict=True):
            apart = float((found.float() - right.float()).abs().mean())
            if not apart <= _EQUAL:
                raise RuntimeError(f"replayed, it is {apart:.3f} from what it computes")
