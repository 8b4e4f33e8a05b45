"""The log's destination and format: a terminal, the journal, or a file or pipe."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable

from rich.console import Console
from rich.highlighter import NullHighlighter
from rich.logging import RichHandler

from camdaemon.errors import printable

_NOISY = ("asyncio", "libav")


def set_up(verbose: bool, console: Console | None = None) -> None:
    """Send the log of the whole process to stderr. To be called before the first thread starts.

    Args:
        verbose: Log debug messages as well.
        console: On a terminal the one that the status line is drawn on, so that neither overwrites the other.
    """
    console = console or Console(stderr=True)
    inner: logging.Handler = logging.StreamHandler()
    if stderr_is_journal():
        inner.setFormatter(LineFormatter(lambda record: f"<{_priority(record.levelno)}>"))
    elif console.is_terminal:
        inner = RichHandler(
            console=console, show_path=verbose, log_time_format="%H:%M:%S", highlighter=NullHighlighter()
        )
        inner.setFormatter(TerminalFormatter("%(message)s"))
    else:
        inner.setFormatter(LineFormatter(_time_and_level))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[Folding(inner)])
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)


def stderr_is_journal() -> bool:
    """Say whether stderr still is what systemd connected to its journal ($JOURNAL_STREAM)."""
    try:
        there = os.fstat(sys.stderr.fileno())
    except (AttributeError, OSError, ValueError):  # no stderr, a closed one, or one that is no file
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}"


class TerminalFormatter(logging.Formatter):
    """Escapes what the terminal would obey: the name of a file may hold anything."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message and its traceback."""
        return printable(super().format(record), keep="\n")


class LineFormatter(logging.Formatter):
    """Makes an event one line, and its traceback more. Each of them begins with `prefix(record)`."""

    def __init__(self, prefix: Callable[[logging.LogRecord], str]) -> None:
        super().__init__("%(message)s")
        self._prefix = prefix

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Return the message in one line."""
        return " ".join(line.strip() for line in super().formatMessage(record).split("\n"))

    def format(self, record: logging.LogRecord) -> str:
        """Return the message and its traceback, each line with the prefix."""
        prefix = self._prefix(record)
        return "\n".join(prefix + printable(line) for line in super().format(record).split("\n"))


class Folding(logging.Handler):
    """Hands records on to `inner`, but counts a message that comes again within `seconds` instead of showing it.

    The count is shown before the next message: another one, or the same one later. `clock` gives seconds.
    """

    def __init__(
        self, inner: logging.Handler, seconds: float = 10.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._inner, self._seconds, self._clock = inner, seconds, clock
        self._what: tuple[object, ...] = ()
        self._at, self._more = 0.0, 0
        self._who = logging.makeLogRecord({})  # not the record itself, whose traceback would keep frames alive

    def emit(self, record: logging.LogRecord) -> None:
        """Hand `record` on, or count it; see logging."""
        error = record.exc_info[1] if record.exc_info else None
        what, now = (record.name, record.levelno, str(record.msg), repr(record.args), repr(error)), self._clock()
        if what == self._what and now - self._at < self._seconds:
            self._more += 1
            return
        self._show_count()
        self._what, self._at = what, now
        self._who = logging.makeLogRecord({key: getattr(record, key) for key in ("name", "levelno", "levelname")})
        self._inner.handle(record)

    def close(self) -> None:
        """Show the last count; logging's own `shutdown` calls this at the end of the process."""
        self.acquire()
        try:
            self._show_count()
        finally:
            self.release()
        super().close()

    def _show_count(self) -> None:
        if self._more:
            self._who.msg = f"… and {'once' if self._more == 1 else f'{self._more} times'} more"
            self._who.created, self._more = time.time(), 0
            self._inner.handle(self._who)


def _time_and_level(record: logging.LogRecord) -> str:
    return f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {record.levelname.lower()} "


def _priority(level: int) -> int:
    """Return the syslog priority of a logging level: from 3 for errors to 7 for --verbose."""
    steps = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
    return next((priority for lowest, priority in steps if level >= lowest), 7)
