"""A step on a GPU as a CUDA graph: captured once, replayed for each frame with one launch instead of hundreds.

A graph reads and writes the same memory every time. So the picture and the confidence are copied in, the plate only
when it is another tensor, and the results are valid until the next frame, as all results of the worker are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

log = logging.getLogger(__name__)

Results = tuple[Tensor, ...]
Step = Callable[[Tensor, Tensor, Tensor], Results]  # of picture, plate, confidence; same shapes at every call
_WARM_UP_RUNS = 3  # before capturing: the libraries choose kernels and allocate memory
_TOLERANCE = 2e-2  # of 1: float16, and patches with nearly the same predicted error


class Recorder(Protocol):
    """Captures `work`."""

    def __call__(self, work: Callable[[], Results]) -> tuple[Results, Callable[[], object]]:
        """Run `work` while capturing it.

        Returns:
            Its results, and a function that runs it again into the same memory.

        Raises:
            RuntimeError: `work` cannot be captured.
        """


def capture_cuda_graph(work: Callable[[], Results]) -> tuple[Results, Callable[[], object]]:
    """Capture `work` on the current CUDA device; see `Recorder`."""
    side_stream = torch.cuda.Stream()
    side_stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side_stream):
        for _ in range(_WARM_UP_RUNS):
            work()
    torch.cuda.current_stream().wait_stream(side_stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = work()
    return results, graph.replay


class GraphedStep:
    """`step` as a CUDA graph, for pictures of one shape. Used by the worker thread only.

    Where `step` cannot be captured, or replaying differs from computing, it runs eagerly, with a warning in the log.

    Args:
        step: What to run for each frame.
        src: A picture of the shape.
        plate: Its plate.
        known: The plate's confidence.
        record: Captures the step.
    """

    def __init__(
        self, step: Step, src: Tensor, plate: Tensor, known: Tensor, record: Recorder = capture_cuda_graph
    ) -> None:
        self._step = step
        self._src, self._plate, self._known = src.clone(), plate.clone(), known.clone()
        self._copied_plate: Tensor | None = None  # the tensor that was copied into `_plate`
        self._replay: Callable[[], object] | None = None
        try:
            self._results, self._replay = record(lambda: step(self._src, self._plate, self._known))
            self._verify(src.flip(3), plate, known)  # with another picture than the captured one
        except RuntimeError as exc:
            self._replay = None
            log.warning("no CUDA graph, the network runs step by step: %s", exc)

    def __call__(self, src: Tensor, plate: Tensor, known: Tensor) -> Results:
        """Return the results of `step`, valid until the next call. Raises what `step` raises."""
        if self._replay is None:
            return self._step(src, plate, known)
        self._src.copy_(src)
        self._known.copy_(known)
        if plate is not self._copied_plate:
            self._plate.copy_(plate)
            self._copied_plate = plate
        self._replay()
        return self._results

    def _verify(self, src: Tensor, plate: Tensor, known: Tensor) -> None:
        """Compare replaying with computing. Raises RuntimeError."""
        expected = [part.clone() for part in self._step(src, plate, known)]
        for found, right in zip(self(src, plate, known), expected, strict=True):
            difference = float((found.float() - right.float()).abs().mean())
            if not difference <= _TOLERANCE:
                raise RuntimeError(f"replaying differs from computing by {difference:.3f}")
