"""Threads other than the frame loop's: their priority, and their end. Their work must not delay the current frame."""

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

JOIN_S = 1.8  # for one thread to end, so that callers can promise 2 s

_NICE = 5  # a third of the share of a thread of normal priority, when all processors are busy


def lower_priority() -> None:
    """Lower the calling thread's priority, which Linux keeps per thread. Only root may raise it again."""
    thread = threading.get_native_id()
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, min(os.getpriority(os.PRIO_PROCESS, thread) + _NICE, 19))


def start_low_priority(make: Callable[[], T], name: str) -> Future[T]:
    """Start `make` in a low-priority thread, which is joined at interpreter exit, and return its future."""
    return _start(_with_low_priority(make), name, daemon=False)[0]


def run_low_priority(make: Callable[[], T], name: str) -> T:
    """Run `make` in a low-priority thread, wait, and return or raise what it does."""
    return run_in_thread(_with_low_priority(make), name)


def run_in_thread(make: Callable[[], T], name: str) -> T:
    """Run `make` in a thread that ends with it, wait, and return or raise what it does.

    Use it for all computation with torch outside the frame loop. A thread that has computed with torch keeps a team of
    OpenMP threads until it ends, and when all teams together exceed the processors, the worker's team sleeps between
    two steps instead of spinning.
    """
    future, thread = _start(make, name, daemon=True)
    try:
        return future.result()
    finally:
        thread.join(1.0)  # a moment, unless the caller was interrupted


def join_or_warn(thread: threading.Thread) -> None:
    """Wait at most `JOIN_S` seconds for `thread`, which was told to end; log a warning when it has not."""
    thread.join(JOIN_S)
    if thread.is_alive():
        log.warning("thread %s did not end in %g s", thread.name, JOIN_S)


def _with_low_priority(make: Callable[[], T]) -> Callable[[], T]:
    def work() -> T:
        lower_priority()
        return make()

    return work


def _start(make: Callable[[], T], name: str, *, daemon: bool) -> tuple[Future[T], threading.Thread]:
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(make())
        except BaseException as exc:
            future.set_exception(exc)

    thread = threading.Thread(target=work, name=name, daemon=daemon)
    thread.start()
    return future, thread
