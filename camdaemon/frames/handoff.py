"""Who owns a frame: the one-slot mailbox between two threads, and the pool that buffers come from."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from camdaemon.frames.frame import Content, HostFrame

T = TypeVar("T")


class Closed(Exception):
    """The other side is gone. `cause` is the exception it died of, or None for an orderly end."""

    def __init__(self, cause: BaseException | None) -> None:
        super().__init__("mailbox closed")
        self.cause = cause


class Mailbox(Generic[T]):
    """A slot for one item, for one putting and one taking thread.

    `put` gives an item away and returns the one it displaced, which then belongs to the caller again.
    With keep_all=True `put` waits until the slot is free instead: no item is lost (files at full speed).
    """

    def __init__(self, *, keep_all: bool = False) -> None:
        self._keep_all = keep_all
        self._changed = threading.Condition()
        self._item: T | None = None
        self._closed = False
        self._cause: BaseException | None = None

    def put(self, item: T) -> T | None:
        """Give `item` away; returns the item it displaced, or None. Raises Closed (the caller keeps `item`)."""
        with self._changed:
            if self._keep_all:
                self._changed.wait_for(lambda: self._item is None or self._closed)
            if self._closed:
                raise Closed(self._cause)
            displaced, self._item = self._item, item
            self._changed.notify_all()
            return displaced

    def take(self, timeout: float | None = None) -> T | None:
        """The newest item, or None after `timeout` seconds. Raises Closed once closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._closed, timeout)
            if self._item is None and self._closed:
                raise Closed(self._cause)
            taken, self._item = self._item, None
            self._changed.notify_all()
            return taken

    def close(self, cause: BaseException | None = None) -> None:
        """No further `put`; what lies in the slot can still be taken. The first cause given is kept."""
        with self._changed:
            if not self._closed:
                self._closed, self._cause = True, cause
            self._changed.notify_all()


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
