"""Taking a plate from a running pipeline, with the camera's controls held; one at a time."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from dataclasses import dataclass, field

from camdaemon.capture.holding import ControlsHolder
from camdaemon.errors import CamdaemonError, PlateRefused
from camdaemon.frames.job import cancel
from camdaemon.pipeline.camera_state import PLATE
from camdaemon.pipeline.threads import Pipeline
from camdaemon.plate.parts import Plate
from camdaemon.plate.take import PlateJob

_GRACE_S = 10.0  # for a camera that stumbles while the plate is taken
_YIELDING_S = 15.0  # the longest that a cancelled plate takes to free the camera's controls


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """One plate that is being taken, from the request until it is kept or refused."""

    job: PlateJob
    is_automatic: bool  # taken by camdaemon itself, for want of a plate
    ended: threading.Event = field(default_factory=threading.Event)


class Turns:
    """Whose turn it is: one plate at a time, and a user's goes before an automatic one. Any thread.

    Holds its lock for assignments alone, never while a plate is taken.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now: Turn | None = None
        self._is_given_up = False  # the user wants no automatic plate any more

    @property
    def now(self) -> Turn | None:
        """The plate that is being taken. Replaced whole, by one reference."""
        return self._now

    @contextmanager
    def take(self, turn: Turn) -> Iterator[None]:
        """Have the turn inside the context. A user's cancels an automatic one and waits until that has ended.

        Raises:
            PlateRefused: a plate is being taken that need not give way; says for how long.
        """
        with self._lock:
            other = self._now
            if other is not None and (turn.is_automatic or not other.is_automatic):
                raise PlateRefused(_describe_busy(other))
            self._now = turn
        try:
            if other is not None:
                cancel(other.job)
                other.ended.wait(_YIELDING_S)
            yield
        finally:
            turn.ended.set()
            with self._lock:
                self._now = None if self._now is turn else self._now

    def cancel(self) -> Turn | None:
        """Cancel the plate that is being taken, and all automatic ones from now on; return the former, if any."""
        with self._lock:
            turn, self._is_given_up = self._now, True
        if turn is not None:
            cancel(turn.job)
        return turn

    def wait_free(self) -> bool:
        """Wait until no plate is being taken; return whether an automatic one is still wanted."""
        while (turn := self._now) is not None:
            turn.ended.wait()
        return not self._is_given_up


def _describe_busy(turn: Turn) -> str:
    progress = turn.job.progress
    what = f"{math.ceil(progress.left_s)} s are left" if progress.left_s > 0 else progress.waits_for or "a moment more"
    return f"a plate is being taken already: {what}. To end that, run: camdaemon plate cancel"


class PlatePhotographer:
    """Photographs the empty room. Any thread, but one plate at a time."""

    def __init__(self, pipeline: Pipeline, holder: ControlsHolder) -> None:
        """Prepare.

        Args:
            pipeline: Its worker takes the plate between two frames.
            holder: Holds the camera's controls from before the countdown until the plate is replaced.
        """
        self._pipeline, self._holder = pipeline, holder

    def take(self, job: PlateJob) -> Plate:
        """Have `job` done: the countdown, then a room as still as its rules ask; the camera is on meanwhile.

        Raises:
            PlateRefused: the room was not still, too dark or too bright, no frames came, or `job` was cancelled.
            ControlError: camdaemon stops meanwhile.
        """
        with self._pipeline.state.camera.hold(PLATE):
            before = self._holder.lock_for_plate(lambda: self._pipeline.state.camera.has_frames)
            try:
                self._pipeline.submit(job)
                return _wait_for(job, job.longest_s + _GRACE_S)
            except CamdaemonError:
                self._holder.revert(before)
                raise


def _wait_for(job: PlateJob, seconds: float) -> Plate:
    try:
        return job.future.result(seconds)
    except FutureTimeout:
        cancel(job)
        raise PlateRefused(f"no plate: the camera gave no frames for {seconds:g} s. Run: camdaemon status") from None
    except CancelledError:
        raise PlateRefused("no plate: its taking was cancelled. Run: camdaemon plate") from None
