"""Jobs: work that needs live frames, done by the worker thread between two of them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from camdaemon.frames.card import Card

if TYPE_CHECKING:
    from camdaemon.frames.pixels import Array


def _cannot_tell(_: Array) -> None:
    return None


@dataclass(frozen=True, slots=True)
class JobFrame:
    """One frame as a job sees it. Its pictures are borrowed for the call: copy what you keep.

    Attributes:
        seq: As in `HostFrame`.
        t: As in `HostFrame`.
        src: The camera's picture, (1,3,H,W), RGB; bytes or floats, see `pixels`.
        alpha: The matte of this frame, (1,1,H,W); None if there is none.
        finished: The composite of this frame, (1,3,H,W); None if there is none.
        matte_alone: Mattes a picture (1,3,H,W) that the network is told of no plate for: alpha (1,1,H,W), or None where
            the matting cannot do that.
    """

    seq: int
    t: float
    src: Array
    alpha: Array | None
    finished: Array | None
    matte_alone: Callable[[Array], Array | None] = _cannot_tell


class Job(Protocol):
    """Submitted from any thread, fed by the worker until it has a result or raises.

    Attributes:
        future: Carries the result or the exception back; set by the worker, or by `cancel`.
    """

    future: Future[Any]

    def card(self) -> Card | None:
        """Return what viewers see while the job runs; None for the usual picture."""

    def feed(self, look: JobFrame) -> Any | None:
        """Look at one frame; return the result once there is one, else None."""


def cancel(job: Job) -> None:
    """End `job` without a result, also while it is being fed; without effect once it has one. Any thread.

    Whoever waits for it gets CancelledError at once, and the worker drops it with the next frame.
    """
    if not job.future.cancel():  # it is being fed
        with suppress(InvalidStateError):
            job.future.set_exception(CancelledError())
