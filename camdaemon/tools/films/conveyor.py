"""Reading, matting and writing at the same time: a thread that reads, the caller's that mattes, one for each result.

Between two of them is a short queue. Frames keep their order, and none is dropped. Whatever goes wrong in a thread is
raised in the caller's.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Generic, TypeVar

_T = TypeVar("_T")
_AHEAD = 4  # frames in a queue: enough that no thread waits for another's next frame, and few in memory
_POLL_S = 0.2  # so that a thread that waits notices the end


class Stopped(Exception):
    """The line was stopped: there is nothing more to take, or to put."""


class Line(Generic[_T]):
    """A queue between two threads that may be stopped from any.

    Args:
        size: How many items it holds.
    """

    def __init__(self, size: int = _AHEAD) -> None:
        self._items: queue.Queue[_T] = queue.Queue(size)
        self._stopped = threading.Event()

    def put(self, item: _T) -> None:
        """Add an item, once there is room. Raises Stopped."""
        while not self._stopped.is_set():
            with suppress(queue.Full):
                self._items.put(item, timeout=_POLL_S)
                return
        raise Stopped

    def take(self) -> _T:
        """Remove the oldest item, once there is one. Raises Stopped."""
        while not self._stopped.is_set():
            with suppress(queue.Empty):
                return self._items.get(timeout=_POLL_S)
        raise Stopped

    def stop(self) -> None:
        """Have every `put` and `take` raise Stopped."""
        self._stopped.set()


class Ahead(Generic[_T]):
    """Iterates over what a thread of its own reads, some items ahead. Used by one thread.

    Args:
        items: Iterated over, and closed, in the thread.
        name: Of the thread.
        size: How many items wait.
    """

    def __init__(self, items: Iterable[_T], name: str, size: int = _AHEAD) -> None:
        self._line: Line[tuple[_T] | BaseException | None] = Line(size)
        self._seen: deque[tuple[_T] | BaseException | None] = deque()  # taken from the line, to be yielded
        self._thread = threading.Thread(target=self._run, args=(iter(items),), name=name, daemon=True)
        self._thread.start()

    def _run(self, items: Iterator[_T]) -> None:
        try:
            for item in items:
                self._line.put((item,))
            self._line.put(None)
        except Stopped:
            pass
        except BaseException as exc:
            with suppress(Stopped):
                self._line.put(exc)
        finally:
            if (close := getattr(items, "close", None)) is not None:
                close()

    def peek(self, place: int = 0) -> _T | None:
        """Return an item that comes, once it is read; None: there is none, or reading fails before.

        Args:
            place: 0 for the next item, 1 for the one after it, and so on.
        """
        while len(self._seen) <= place and all(isinstance(each, tuple) for each in self._seen):
            self._seen.append(self._line.take())
        found = self._seen[place] if place < len(self._seen) else None
        return found[0] if isinstance(found, tuple) else None

    def __iter__(self) -> Iterator[_T]:
        """Yield the items. Raises whatever reading them raised."""
        while True:
            self.peek()
            found = self._seen[0]
            if found is None:
                return
            if isinstance(found, BaseException):
                raise found
            self._seen.popleft()
            yield found[0]

    def stop(self) -> None:
        """End the thread, and wait for it."""
        self._line.stop()
        self._thread.join()


class Writers:
    """Threads that each work off what they are given, in order.

    Args:
        names: Of the threads.
        size: How many works wait for each of them.
    """

    def __init__(self, names: Iterable[str], size: int = _AHEAD) -> None:
        self._lines: dict[str, Line[Callable[[], None] | None]] = {name: Line(size) for name in names}
        self._failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._run, args=(line,), name=name, daemon=True)
            for name, line in self._lines.items()
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, line: Line[Callable[[], None] | None]) -> None:
        try:
            while (work := line.take()) is not None:
                work()
        except Stopped:
            pass
        except BaseException as exc:
            self._failure = self._failure or exc
            self.stop()

    def give(self, name: str, work: Callable[[], None]) -> None:
        """Have a thread do `work` after all that it was given before. Raises whatever another work raised."""
        try:
            self._lines[name].put(work)
        except Stopped:
            self._raise()

    def finish(self) -> None:
        """Wait until everything is done. Raises whatever a work raised."""
        for line in self._lines.values():
            with suppress(Stopped):
                line.put(None)
        self._join()
        self._raise()

    def stop(self) -> None:
        """Have the threads end after what they are doing; what waits is dropped."""
        for line in self._lines.values():
            line.stop()

    def _join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure

    @contextmanager
    def running(self) -> Iterator[None]:
        """Stop the threads, and wait for them, when the block ends, however it does."""
        try:
            yield
        finally:
            self.stop()
            self._join()


def take_groups(frames: Iterable[_T], at_once: int, most: int) -> Iterator[list[_T]]:
    """Yield the next `most` items, or as many as there are, in groups of `at_once`; the last may be smaller."""
    left = most
    items = iter(frames)
    while left and (group := list(islice(items, min(at_once, left)))):
        left -= len(group)
        yield group
