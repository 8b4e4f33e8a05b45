"""File descriptors: enough of them, and a few kept back, so that a process without any can still be told what to do."""

from __future__ import annotations

import errno
import os
import resource
import socket
from contextlib import suppress

_MOST = 8192  # many times what a daemon needs; a leak should still end somewhere
_SPARES = 4
_EXHAUSTED = (errno.EMFILE, errno.ENFILE)


def raise_limit() -> None:
    """Raise this process's soft limit of open descriptors to the hard one, at most to `_MOST`. Never lowers it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(_MOST, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class SparingSocket(socket.socket):
    """A listening socket that accepts connections even when the process has no descriptor left.

    It keeps a few open for that and gives one of them up for each such connection. For one thread.
    """

    def __init__(self, family: int, kind: int) -> None:
        super().__init__(family, kind)
        self._spares: list[int] = []
        self.refill()

    def accept(self) -> tuple[socket.socket, object]:
        """Accept a connection, see `socket.accept`. Raises OSError once the spare descriptors are used up as well."""
        while True:
            try:
                return super().accept()
            except OSError as exc:
                if exc.errno not in _EXHAUSTED or not self._spares:
                    raise
                os.close(self._spares.pop())  # another thread may be faster; then the next one

    def refill(self) -> None:
        """Open spare descriptors again, as many as there can be. Call it when a connection was closed."""
        with suppress(OSError):
            while len(self._spares) < _SPARES and self.fileno() != -1:
                self._spares.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))

    def close(self) -> None:
        """Close the socket and its spare descriptors."""
        super().close()
        while self._spares:
            os.close(self._spares.pop())
