"""Ownership of frames: the one-slot mailbox between two threads, and the pool that buffers come from."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from camdaemon.frames.frame import Content, HostFrame

T = TypeVar("T")


class Closed(Exception):
    """The mailbox was closed.

    Attributes:
        cause: The exception that the other side died of; None for an orderly end.
    """

    def __init__(self, cause: BaseException | None) -> None:
        super().__init__("mailbox closed")
        self.cause = cause


class Mailbox(Generic[T]):
    """A slot for one item, between one thread that puts and one that takes. The newest item wins, and nothing queues.

    Args:
        keep_all: Have `put` wait until the slot is free, so that no item is lost: for files at full speed.

    Attributes:
        keeps_all: As given.
    """

    def __init__(self, *, keep_all: bool = False) -> None:
        self.keeps_all = keep_all
        self._changed = threading.Condition()
        self._item: T | None = None
        self._closed = self._is_woken = False
        self._cause: BaseException | None = None

    def put(self, item: T) -> T | None:
        """Give `item` away.

        Returns:
            The item that it displaced, which belongs to the caller again; None if the slot was free.

        Raises:
            Closed: The mailbox is closed; `item` stays the caller's.
        """
        with self._changed:
            if self.keeps_all:
                self._changed.wait_for(lambda: self._item is None or self._closed)
            if self._closed:
                raise Closed(self._cause)
            displaced, self._item = self._item, item
            self._changed.notify_all()
            return displaced

    def take(self, timeout: float | None = None) -> T | None:
        """Wait for the newest item; None after `timeout` seconds or `wake`. Raises Closed once closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._closed or self._is_woken, timeout)
            self._is_woken = False
            if self._item is None and self._closed:
                raise Closed(self._cause)
            taken, self._item = self._item, None
            self._changed.notify_all()
            return taken

    def wake(self) -> None:
        """Have `take` return at once, now or the next time, with an item or without."""
        with self._changed:
            self._is_woken = True
            self._changed.notify_all()

    def close(self, cause: BaseException | None = None) -> None:
        """Refuse any further `put`; an item in the slot can still be taken. The first `cause` given is kept."""
        with self._changed:
            if not self._closed:
                self._closed, self._cause = True, cause
            self._changed.notify_all()


class Pool:
    """A fixed number of frames that are used again and again. Any thread.

    Args:
        make: Makes one frame; called `count` times, at once.
        count: Number of frames.
    """

    def __init__(self, make: Callable[[], HostFrame], count: int = 3) -> None:
        self._frames = [make() for _ in range(count)]
        self._free = list(self._frames)
        self._changed = threading.Condition()

    def acquire(self, timeout: float = 5.0) -> HostFrame:
        """Take a free frame, marked as showing the room until the opposite is known (fail closed).

        Waits up to `timeout` seconds, because the taker of a mailbox may hold two frames for a moment.

        Raises:
            RuntimeError: No frame came free; an owner has a bug.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._free, timeout):
                raise RuntimeError(f"no free frame in {timeout:g} s: an owner keeps more than its share")
            frame = self._free.pop()
        frame.seq, frame.t, frame.content, frame.matte_seq = -1, 0.0, Content.ROOM, None
        frame.card, frame.backdrop, frame.is_frozen = None, "", False
        return frame

    def release(self, frame: HostFrame) -> None:
        """Give `frame` back; the caller must not touch it afterwards.

        Raises:
            RuntimeError: It was released twice, or is not of this pool; an owner has a bug.
        """
        with self._changed:
            if any(frame is free for free in self._free) or not any(frame is own for own in self._frames):
                raise RuntimeError(f"{frame!r} was released twice or is not of this pool")
            self._free.append(frame)
            self._changed.notify()
