"""Hidden cameras: whether a node is one, and asking the system service that hands them out. Standard library only.

`camdaemon setup --hide-camera` gives a camera to a group that no user is in. The service (`system/camera_broker.py`)
opens it for the camdaemon that is its user's only one, which is proved by the lock that it holds. Any thread.
"""

from __future__ import annotations

import grp
import os
import socket
from contextlib import suppress

from camdaemon.errors import DeviceError

GROUP = "camdaemon-camera"
SOCKET = "/run/camdaemon/camera.socket"
UNIT = "camdaemon-camera.socket"
_ANSWER_S = 10.0  # a camera that sleeps takes a second to open
_LONGEST = 1024

_proof: list[int] = []  # the descriptor of our lock, at most one


def prove_identity(lock: int | None) -> None:
    """Show the service this descriptor of the daemon's lock from now on; None: the lock is given up.

    Args:
        lock: stays the caller's, and is open until this is called again.
    """
    _proof[:] = [] if lock is None else [lock]


def is_hidden(path: str) -> bool:
    """Whether the node at `path`, which may be a link, belongs to the service, and so cannot be opened by users."""
    try:
        return os.stat(path).st_gid == grp.getgrnam(GROUP).gr_gid
    except (OSError, KeyError):
        return False


def should_fetch(path: str) -> bool:
    """Whether the node at `path` has to be had of the service: it is hidden, and closed to this process."""
    return is_hidden(path) and not os.access(path, os.R_OK | os.W_OK)


def fetch(path: str) -> int:
    """Return a descriptor of the hidden camera at `path`, opened for reading and writing, which the caller closes.

    Raises:
        DeviceError: the service does not answer or refuses; the message says why and what to type.
    """
    node = os.path.realpath(path)
    said, fd = _ask(os.path.basename(node), _proof[:1])
    if fd is not None:
        return fd
    raise DeviceError(f"{path} is hidden: {said}. Run: camdaemon doctor")


def find_refusal() -> str:
    """Return why the service would hand this user no camera; '' if it would."""
    try:
        return _ask("ping", [])[0]
    except DeviceError as exc:
        return str(exc).partition(". Run: ")[0]


def _ask(what: str, proof: list[int]) -> tuple[str, int | None]:
    """The reason of a refusal, or '' and the descriptor that came with the consent."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ANSWER_S)
            connection.connect(SOCKET)
            with suppress(BrokenPipeError, ConnectionResetError):  # it has refused already; why can be read
                socket.send_fds(connection, [f"{what}\n".encode()], proof)
            data, fds, _, _ = socket.recv_fds(connection, _LONGEST, 1)
    except OSError as exc:
        why = exc.strerror or "no answer in time"
        raise DeviceError(
            f"hidden cameras cannot be had, because their service does not answer at {SOCKET} ({why}). "
            f"Run: sudo systemctl restart {UNIT}"
        ) from None
    for fd in fds:
        os.set_inheritable(fd, False)
    if data == b"ok\n":
        return "", fds[0] if fds else None
    return data.decode(errors="replace").strip().removeprefix("no: ") or "its service gave no reason", None
