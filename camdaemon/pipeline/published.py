"""What viewers see: the output thread records each frame that it has written, and whatever is told comes from that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from camdaemon.frames.card import Card
from camdaemon.frames.frame import Content, HostFrame


class Kind(StrEnum):
    """What viewers see."""

    NOTHING = "nothing"  # nothing was written yet, or the sink is lost
    CARD = "card"
    COMPOSITE = "composite"
    FROZEN = "frozen"  # the composite of a pause
    PASSTHROUGH = "passthrough"  # the room


@dataclass(frozen=True, slots=True)
class Published:
    """The frame that was written last.

    Attributes:
        kind: What it is.
        at: When it was written, monotonic seconds.
        since: When the first of this kind without another in between was written, monotonic seconds.
        previous: What it was before that.
        left_at: When this kind had been left for `previous`, monotonic seconds; -inf if it was another one before.
        card: The card that was written last, which is this one for `Kind.CARD`, with its reason for the user.
        backdrop: For a composite, frozen or not, the spec of its backdrop.
        count: Number of frames written until now, this one included.
    """

    kind: Kind
    at: float
    since: float
    previous: Kind = Kind.NOTHING
    left_at: float = -float("inf")
    card: Card | None = None
    backdrop: str = ""
    count: int = 0


class Publication:
    """The record of what was written last. `begin` and `record` are the output thread's, all else is for any thread.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()  # guards what follows
        self._begun = 0  # frames that were begun to be chosen
        self._last = Published(Kind.NOTHING, clock(), clock())

    @property
    def last(self) -> Published:
        """What was written last. Replaced whole, by one reference."""
        return self._last

    def begin(self) -> None:
        """Say that the next frame is about to be chosen: a change made from now on shows with the one after it."""
        with self._changed:
            self._begun = self._last.count + 1

    def record(self, frame: HostFrame, *, is_lost: bool = False) -> Published:
        """Say that `frame` was written, or has found no sink (`is_lost`); return what is said of it."""
        with self._changed:
            now, old, kind = self._clock(), self._last, Kind.NOTHING if is_lost else _kind_of(frame)
            card = old.card if frame.card is None else frame.card
            new = replace(old, kind=kind, at=now, card=card, backdrop=frame.backdrop, count=old.count + 1)
            if old.count == 0:
                new = replace(new, since=now)
            elif kind is not old.kind:
                left_at = old.since if kind is old.previous else -float("inf")
                new = replace(new, since=now, previous=old.kind, left_at=left_at)
            self._last = new
            self._changed.notify_all()
            return self._last

    def wait(self, is_right: Callable[[Published], bool], timeout: float) -> bool:
        """Wait, at most `timeout` seconds, until `is_right` of the last frame; return whether it is.

        A frame that is being written at the moment was chosen before the call, so it is waited for first.
        """
        with self._changed:
            first = self._begun
            return self._changed.wait_for(lambda: self._last.count >= first and is_right(self._last), timeout)


def _kind_of(frame: HostFrame) -> Kind:
    match frame.content:
        case Content.CARD:
            return Kind.CARD
        case Content.COMPOSITE:
            return Kind.FROZEN if frame.is_frozen else Kind.COMPOSITE
        case Content.ROOM:
            return Kind.PASSTHROUGH
