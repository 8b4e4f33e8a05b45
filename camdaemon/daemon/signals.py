"""What signals mean to the daemon: stop, or read the configuration again."""

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
def handled(stop: threading.Event) -> Iterator[Callable[[Callable[[], None]], None]]:
    """SIGINT and SIGTERM set `stop`, and a second one ends the process at once. From the main thread.

    Gives the function that says what SIGHUP does; before it is called, and when the terminal that the daemon was
    started in has gone, SIGHUP stops, too.
    """
    came = threading.Event()
    terminal = _terminal()
    hung_up: list[Callable[[], None]] = []

    def on_signal(number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP and hung_up and terminal == _terminal():
            hung_up[-1]()
            return
        if came.is_set():
            raise KeyboardInterrupt
        came.set()
        log.info("%s: stopping", signal.Signals(number).name)
        stop.set()

    ours = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, on_signal) for number in ours}
    try:
        yield hung_up.append
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminal() -> bool:
    """Whether this process has a terminal that is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
