"""The second door into a running pipeline: work that needs live frames, run by the worker between two of them."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from camdaemon.frames.card import Card

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class JobFrame:
    """One frame as a job sees it. The tensors are borrowed for the call: clone what you keep.

    seq, t: as in HostFrame.   src: the camera's picture, (1,3,H,W), RGB, in either of `levels`.
    alpha, finished: (1,1,H,W) matte and (1,3,H,W) composite of this frame; None while there is none.
    """

    seq: int
    t: float
    src: Tensor
    alpha: Tensor | None
    finished: Tensor | None


class Job(Protocol):
    """Submitted from any thread, fed by the worker until `feed` returns True. An exception ends it.

    future: carries the result or the exception back; the worker sets it.
    """

    future: Future[Any]

    def card(self) -> Card | None:
        """What viewers see while the job runs; None when the show may go on."""

    def feed(self, look: JobFrame) -> Any | None:
        """Look at one frame; the result once there is one, else None."""
