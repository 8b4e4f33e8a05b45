"""Threads: how many compute a frame; and those other than the frame loop's, their priority and their end.

The others' work must not delay the current frame.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)

JOIN_S = 1.8  # for one thread to end, so that callers can promise 2 s

_CPUS = Path("/sys/devices/system/cpu")
_NICE = 5  # a third of the share of a thread of normal priority, when all processors are busy


_share = 1  # how many frames the processors are divided among


def share_processors(frames: int = 2) -> None:
    """Let engines that are made afterwards compute with a share of the processors.

    With all of them for each of two frames, threads mostly wait for one another: on two cores, 61 ms of processor time
    for a matte instead of 40. The environment variable OMP_NUM_THREADS decides otherwise.

    Args:
        frames: How many are in work at the same time; with 1, all processors are used again.
    """
    global _share  # noqa: PLW0603 -- of the process, as its processors are
    _share = frames


def count_compute_threads() -> int:
    """Return how many threads an engine is to compute with.

    OMP_NUM_THREADS if set, else the cores that this process may use, by the share of them: two threads of one core
    have one arithmetic unit.
    """
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if asked.isdecimal() and int(asked):
        return int(asked)
    return max(1, count_cores(frozenset(os.sched_getaffinity(0))) // _share)


@cache
def count_cores(cpus: frozenset[int]) -> int:
    """Return how many cores have the processors `cpus`, as Linux numbers them; all count where it does not say."""
    siblings = set[str]()
    for cpu in cpus:
        try:
            siblings.add((_CPUS / f"cpu{cpu}" / "topology" / "thread_siblings").read_text())
        except OSError:
            siblings.add(str(cpu))
    return len(siblings)


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
    return begin_in_thread(make, name)()


def begin_in_thread(make: Callable[[], T], name: str) -> Callable[[], T]:
    """Begin `make` in a thread, and return the function that waits for its end and returns or raises what it does."""
    future, thread = _start(make, name, daemon=True)

    def finish() -> T:
        try:
            return future.result()
        finally:
            thread.join(1.0)  # a moment, unless the caller was interrupted

    return finish


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
