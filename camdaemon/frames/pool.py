"""A few frames that are used again and again, so that nothing is allocated while the camera runs."""

from __future__ import annotations

import threading
from collections.abc import Callable

from camdaemon.frames.frame import Content, HostFrame


class Pool:
    """`count` frames made by `make` at construction. Safe from any thread.

    `acquire` makes the caller the owner; `release` gives the frame back. A frame that is released twice, or that
    never came from here, is a bug in an owner and raises RuntimeError.
    """

    def __init__(self, make: Callable[[], HostFrame], count: int = 3) -> None:
        self._frames = [make() for _ in range(count)]
        self._free = list(self._frames)
        self._changed = threading.Condition()

    def acquire(self, timeout: float = 5.0) -> HostFrame:
        """A free frame, marked as showing the room until somebody knows better (fail closed).

        Waits up to `timeout` seconds: the taker of a mailbox may hold two frames for a moment.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._free, timeout):
                raise RuntimeError(f"no free frame in {timeout:g} s: an owner keeps more than its share")
            frame = self._free.pop()
        frame.seq, frame.t, frame.content, frame.matte_seq = -1, 0.0, Content.ROOM, None
        return frame

    def release(self, frame: HostFrame) -> None:
        """Give `frame` back; the caller must not touch it afterwards."""
        with self._changed:
            if any(frame is free for free in self._free) or not any(frame is own for own in self._frames):
                raise RuntimeError(f"{frame!r} was released twice or is not of this pool")
            self._free.append(frame)
            self._changed.notify()
