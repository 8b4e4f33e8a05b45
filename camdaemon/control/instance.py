"""The daemon's socket, and the lock that makes it the only daemon there."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import time
from pathlib import Path
from typing import IO

from camdaemon.control.address import socket_name
from camdaemon.errors import ControlError
from camdaemon.linux import hidden


def socket_path(asked: str | Path | None = None) -> Path:
    """Return the daemon's socket, see `address.socket_name`."""
    return Path(socket_name(asked))


def private_directory(path: Path) -> None:
    """Make `path` and missing parents with mode 0700. Raises ControlError if it is there and open to others."""
    try:
        if not path.parent.exists():
            private_directory(path.parent)
        path.mkdir(0o700, exist_ok=True)
        found = path.lstat()  # not stat, which would follow a planted link
    except OSError as exc:
        raise ControlError(
            f"cannot make the directory {path} for the control socket: {exc.strerror}. "
            "Run: export CAMDAEMON_SOCKET=/tmp/camdaemon-$USER/control.sock"
        ) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ControlError(
            f"{path} is not a directory of yours, so others could take over the control socket. "
            "Run: export CAMDAEMON_SOCKET=/tmp/camdaemon-$USER/control.sock"
        )
    if stat.S_IMODE(found.st_mode) != 0o700:
        raise ControlError(
            f"{path} is open to others, and the control socket needs a directory that is not. "
            "Run: export CAMDAEMON_SOCKET=/tmp/camdaemon-$USER/control.sock"
        )


def wait_until_free(path: Path, seconds: float) -> bool:
    """Wait up to `seconds` for the daemon at the socket `path` to end; return whether it has."""
    end = time.monotonic() + seconds
    while True:
        try:
            _acquire(_lock_of(path)).close()
            return True
        except ControlError:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)


class OtherDaemon(ControlError):
    """Another daemon has this one's name."""


class DaemonLock:
    """Makes this process the only daemon at the socket `path`, while entered, with nothing at that path.

    Held by flock on a file next to the socket: the kernel releases it however the daemon dies. The file itself stays,
    because removing it would let two daemons lock two files of the same name. Entering it raises ControlError if
    another daemon runs: one that holds the lock, or one that answers at the socket and has lost its file.

    The lock also proves to the service of hidden cameras that this process is the daemon.
    """

    def __init__(self, path: Path) -> None:
        self._socket = path
        self._path = _lock_of(path)
        self._file: IO[str] | None = None

    def __enter__(self) -> DaemonLock:
        self._file = _acquire(self._path)
        try:
            remove_stale(self._socket)
        except BaseException:
            self.__exit__()
            raise
        hidden.prove_identity(self._file.fileno())
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            hidden.prove_identity(None)
            self._file.truncate(0)
            self._file.close()
            self._file = None

    def keep(self) -> None:
        """Take the lock again if its file was removed. For one thread while entered.

        Raises:
            OtherDaemon: another daemon was faster.
            ControlError: the file cannot be made.
        """
        if self._file is None or _is_at(self._file, self._path):
            return
        lost, self._file = self._file, _acquire(self._path)
        hidden.prove_identity(self._file.fileno())
        lost.close()


def _lock_of(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _acquire(path: Path) -> IO[str]:
    """Return the locked file at `path`. Raises ControlError."""
    private_directory(path.parent)
    while True:
        try:
            file = path.open("a+", encoding="ascii")  # not "w", which would erase the other daemon's pid
        except OSError as exc:
            raise ControlError(f"cannot open {path}: {exc.strerror}. Run: rm {path}") from None
        try:
            _lock(file)
        except BaseException:
            file.close()
            raise
        if _is_at(file, path):
            return file
        file.close()  # removed between opening and locking: another daemon may have locked its successor


def _lock(file: IO[str]) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        pid = file.read().strip() or "unknown"
        raise OtherDaemon(f"another camdaemon is running (pid {pid}). Run: camdaemon stop") from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()


def _is_at(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.lstat(path))
    except OSError:
        return False


def remove_stale(path: Path) -> None:
    """Remove the socket that a killed daemon left at `path`. The holder of the lock may. Raises ControlError."""
    if not path.is_socket():
        if os.path.lexists(path):
            raise ControlError(f"{path} is in the way and is not a socket. Move it elsewhere, or run: rm {path}")
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        if probe.connect_ex(str(path)) in (0, errno.EAGAIN):  # EAGAIN: somebody listens and does not keep up
            raise OtherDaemon(f"another program answers at {path}. If it is camdaemon, run: camdaemon stop")
    path.unlink(missing_ok=True)
