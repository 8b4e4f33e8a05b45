"""Threads that read and write for one that computes: what it gets comes in order, whatever their number."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TypeVar

from camdaemon.tools.films.conveyor import Ahead, Writers

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")
_WAITING = 1  # items in each queue, as pictures may be large


class Jobs:
    """Reads ahead of the caller's thread and writes behind it. Used by one thread; a context manager.

    Args:
        count: Threads that read, and as many that write. With 1 the caller's does both, and there are none.
    """

    def __init__(self, count: int) -> None:
        self._count, self._given = count, 0
        self._threads = contextlib.ExitStack()
        self._writers = Writers(map(str, range(count)), _WAITING) if count > 1 else None

    def __enter__(self) -> Jobs:
        """See the class."""
        if self._writers is not None:
            self._threads.enter_context(self._writers.running())
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        """End the threads; without `finish`, what was not written yet is dropped."""
        self._threads.close()

    def read(self, read: Callable[[_Item], _Found], items: Sequence[_Item]) -> Iterator[_Found]:
        """Yield what `read` returns for each item, in order. It is called ahead, in several threads."""
        if self._count == 1:
            yield from map(read, items)
            return
        readers = [
            Ahead(map(read, items[first :: self._count]), f"reader {first}", _WAITING) for first in range(self._count)
        ]
        for reader in readers:
            self._threads.callback(reader.stop)
        found = [iter(reader) for reader in readers]
        for number in range(len(items)):
            yield next(found[number % self._count])

    def write(self, work: Callable[[], None]) -> None:
        """Have a thread do `work`. Raises whatever an earlier work raised."""
        if self._writers is None:
            work()
            return
        self._writers.give(str(self._given % self._count), work)
        self._given += 1

    def finish(self) -> None:
        """Wait until everything is written. Raises whatever a work raised."""
        if self._writers is not None:
            self._writers.finish()
