"""Starting camdaemon from a menu of programs, where nobody sees what is printed: errors come as a notification."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from camdaemon.errors import CamdaemonError
from camdaemon.linux import desktop
from camdaemon.system import starting


@contextmanager
def tell_on_desktop() -> Iterator[None]:
    """Show an error on the desktop as well, where stderr is no terminal."""
    try:
        yield
    except CamdaemonError as exc:
        if not _is_seen():
            desktop.show("camdaemon", str(exc))
        raise


def start_without_terminal() -> bool:
    """Start camdaemon unless it runs, and say that this takes a while; return whether that was needed.

    Raises:
        CamdaemonError: It does not start.
    """
    with tell_on_desktop():
        return starting.start(_say_so)


def _say_so() -> None:
    if _is_seen():
        print("camdaemon starts …", file=sys.stderr, flush=True)
    else:
        desktop.show("camdaemon starts", "This takes a few seconds.")


def _is_seen() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()
