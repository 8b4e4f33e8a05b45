"""The hand-off between two threads: one slot, newest wins, every buffer has one owner (law 2)."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

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
