"""Threads that give way: what is made for later must not delay the frame of now."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

_NICE = 5  # a third of a frame's share of a processor, when all of them are busy


def give_way() -> None:
    """Lower the calling thread's priority for good: Linux has one for each thread, and only root may raise it again."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def made_aside(make: Callable[[], T], name: str) -> T:
    """What `make` returns or raises, done in a thread that gives way; the caller waits."""
    future: Future[T] = Future()

    def work() -> None:
        give_way()
        try:
            future.set_result(make())
        except BaseException as wrong:
            future.set_exception(wrong)

    threading.Thread(target=work, name=name, daemon=True).start()
    return future.result()
