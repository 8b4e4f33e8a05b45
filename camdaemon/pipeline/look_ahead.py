"""The next camera frame, begun while the present one is in work: it saves time, and may be left out.

Only where a frame already waits is there one to begin with, so where the machine keeps up with the camera nothing
changes. Where it does not, frames are shown at the rate at which all cores together work, not one after the other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from camdaemon.frames.frame import HostFrame
from camdaemon.frames.handoff import Closed, Mailbox
from camdaemon.frames.pixels import Array
from camdaemon.pipeline.engine import Engine
from camdaemon.pipeline.metrics import Metrics
from camdaemon.plate.gate import PlateGate
from camdaemon.plate.parts import Plate

log = logging.getLogger(__name__)


class Incoming:
    """The frames that come to the worker, the next of which it may see early. Single owner: the worker thread.

    Args:
        inbox: Where they come from.
    """

    def __init__(self, inbox: Mailbox[HostFrame]) -> None:
        self._inbox = inbox
        self._next: HostFrame | None = None

    def take(self) -> HostFrame | None:
        """Take the next frame; see `Mailbox.take`."""
        frame, self._next = self._next, None
        return self._inbox.take() if frame is None else frame

    def peek(self) -> HostFrame | None:
        """Return what the next `take` will return, if it is already there; for a file at full speed, wait for it."""
        if self._next is None:
            try:
                self._next = self._inbox.take(None if self._inbox.keeps_all else 0)
            except Closed:  # the next `take` will say so
                return None
        return self._next


@dataclass(frozen=True, slots=True, eq=False)
class _Begun:
    """A frame, its picture (1,3,H,W), and the confidence of the plate that its matte was begun with."""

    frame: HostFrame
    src: Array
    known: Array | None


class LookAhead:
    """Begins with the frame that comes next. Single owner: the worker thread.

    Nothing that is remembered from frame to frame is touched: when its turn comes, the frame takes every step in order,
    and what was begun is used only if the plate is still the same, and the confidence as good as the same.

    Args:
        metrics: Told the time of each step.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._next: _Begun | None = None
        self._now: _Begun | None = None  # the present frame, if it was begun

    def begin(self, engine: Engine, plate: Plate, peek: Callable[[], HostFrame | None]) -> None:
        """Begin with the frame that `peek` returns, to be matted by `plate` as the present one is.

        To be called every now and then: it returns at once if the frame is not there yet, or has been begun.
        """
        # On a GPU, an upload ends the life of the one before; with fewer frames worked on, the next may be skipped.
        if self._next is not None or engine.transfer.device != "cpu" or engine.matting.effort.every > 1:
            return
        if (frame := peek()) is None:
            return
        try:
            with self._metrics.step("upload"):
                src = engine.transfer.upload(frame)
            # Not timed as the step "plate", which each frame takes once, in its turn.
            expected, known = engine.matcher.expect(plate, src), engine.gate.confidence(plate, src)
            engine.matting.prepare(src, expected, known)
        except Exception:  # the frame's own turn will show it to those who are to know
            log.debug("frame %d was not begun early", frame.seq, exc_info=True)
        else:
            self._next = _Begun(frame, src, known)

    def take(self, frame: HostFrame) -> Array | None:
        """Return the picture of `frame`, (1,3,H,W), whose turn it is, if it was begun."""
        held, self._next = self._next, None
        self._now = held if held is not None and held.frame is frame else None
        return None if self._now is None else self._now.src

    def find_confidence(self, gate: PlateGate, plate: Plate, src: Array) -> Array | None:
        """Return the confidence for the present frame: what it was begun with, if that will do."""
        if self._now is not None and gate.still_holds(self._now.known, plate, src):
            return self._now.known
        return gate.confidence(plate, src)
