"""The socket file that commands come in at: bound for this user alone, and removed only while it is ours."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

from camdaemon.control.instance import private_directory, remove_stale
from camdaemon.errors import ControlError
from camdaemon.linux.descriptors import SparingSocket


class ControlSocket:
    """The Unix socket at `path`, which may be bound again. For one thread at a time, but `refill`, for the server's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.listener: SparingSocket | None = None
        self._ours: tuple[int, int] | None = None  # device and inode of the file

    def bind(self) -> SparingSocket:
        """Bind a new listener and return it; closing is the server's.

        Raises:
            ControlError: it cannot be bound, or another program answers there.
        """
        private_directory(self.path.parent)
        remove_stale(self.path)
        listener = SparingSocket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            os.fchmod(listener.fileno(), 0o600)  # the file's mode from its first moment; chmod would come too late
            listener.bind(str(self.path))
            self._ours = self._identify()
        except OSError as exc:
            listener.close()
            raise ControlError(
                f"cannot listen at {self.path}: {exc.strerror}. If no daemon runs there, run: rm {self.path}"
            ) from None
        self.listener = listener
        return listener

    def is_in_place(self) -> bool:
        """Whether the file at `path` is still the one that was bound."""
        with suppress(OSError):
            return self._ours is not None and self._identify() == self._ours
        return False

    def refill(self) -> None:
        """Keep descriptors back again, once a connection was closed."""
        if self.listener is not None:
            self.listener.refill()

    def close(self) -> None:
        """Close the listener of a server that has died."""
        if self.listener is not None:
            self.listener.close()

    def remove(self) -> None:
        """Remove the file, unless another one has taken its place."""
        if self.is_in_place():
            self.path.unlink(missing_ok=True)

    def _identify(self) -> tuple[int, int]:
        found = self.path.lstat()
        return found.st_dev, found.st_ino
