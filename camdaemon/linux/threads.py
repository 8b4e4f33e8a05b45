"""Which thread computes, and which gives way: what is made for later must not delay the frame of now."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)

JOIN_S = 1.8  # seconds for a thread to end: all together must end before the service manager's patience does

_NICE = 5  # a third of a frame's share of a processor, when all of them are busy


def lower_priority() -> None:
    """Lower the calling thread's priority for good: Linux has one for each thread, and only root may raise it again."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def start_low_priority(make: Callable[[], T], name: str) -> Future[T]:
    """What `make` will return or raise, done in a thread that gives way; nobody waits but the interpreter's end."""
    return _begun(_giving_way(make), name, daemon=False)[0]


def run_low_priority(make: Callable[[], T], name: str) -> T:
    """What `make` returns or raises, done in a thread that gives way; the caller waits."""
    return run_in_thread(_giving_way(make), name)


def run_in_thread(make: Callable[[], T], name: str) -> T:
    """What `make` returns or raises, done in a thread that ends with it; the caller waits.

    For all that computes with torch outside of the worker: each thread that once did keeps a team of torch's own, and
    when all teams together are more than the processors, the worker's no longer spins for its next piece of work.
    """
    future, thread = _begun(make, name, daemon=True)
    try:
        return future.result()
    finally:
        thread.join(1.0)  # a moment, unless the caller was interrupted


def join_or_warn(thread: threading.Thread) -> None:
    """Wait at most `JOIN_S` seconds for `thread`, which was told to end; log a warning when it has not."""
    thread.join(JOIN_S)
    if thread.is_alive():
        log.warning("thread %s did not end in %g s", thread.name, JOIN_S)


def _giving_way(make: Callable[[], T]) -> Callable[[], T]:
    def work() -> T:
        lower_priority()
        return make()

    return work


def _begun(make: Callable[[], T], name: str, *, daemon: bool) -> tuple[Future[T], threading.Thread]:
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(make())
        except BaseException as exc:
            future.set_exception(exc)

    thread = threading.Thread(target=work, name=name, daemon=daemon)
    thread.start()
    return future, thread
