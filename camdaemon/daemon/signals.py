"""Signals of the daemon: stop, or read the configuration again."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

log = logging.getLogger(__name__)


@contextlib.contextmanager
def handle_signals(stop: threading.Event) -> Iterator[Callable[[Callable[[], None]], None]]:
    """Have SIGINT and SIGTERM set `stop`; a second one ends the process at once. From the main thread.

    Yields:
        A function that takes what to do at SIGHUP. Until it is called, and once the terminal that the daemon was
        started in has gone, SIGHUP stops the daemon, too.
    """
    has_come = threading.Event()
    had_terminal = _has_terminal()
    hangup_actions: list[Callable[[], None]] = []

    def on_signal(number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP and hangup_actions and had_terminal == _has_terminal():
            hangup_actions[-1]()
            return
        if has_come.is_set():
            raise KeyboardInterrupt
        has_come.set()
        log.info("stopping: %s", signal.Signals(number).name)
        stop.set()

    handled = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    previous = {number: signal.signal(number, on_signal) for number in handled}
    try:
        yield hangup_actions.append
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _has_terminal() -> bool:
    """Whether the process has a terminal that still exists."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
