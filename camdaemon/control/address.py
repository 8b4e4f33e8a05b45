"""Where the daemon's socket is. Loads nothing: a key press waits for it."""

from __future__ import annotations

import os

from camdaemon.errors import ControlError

_LONGEST = 107  # bytes: sun_path of struct sockaddr_un is 108 with its final zero, see unix(7)
_NAME_ONE = "Run: export CAMDAEMON_SOCKET=/tmp/camdaemon-$USER/control.sock"


def socket_name(asked: str | os.PathLike[str] | None = None) -> str:
    """Return the daemon's socket: `asked`, else $CAMDAEMON_SOCKET, else $XDG_RUNTIME_DIR/camdaemon/control.sock.

    Creates nothing. Raises ControlError if the path is too long for a Unix socket, or there is no safe place.
    """
    named = os.fspath(asked or os.environ.get("CAMDAEMON_SOCKET") or "")
    path = os.path.abspath(named) if named else os.path.join(_runtime_folder(), "control.sock")
    length = len(os.fsencode(path))
    if length > _LONGEST:
        raise ControlError(
            f"the socket's path is {length} bytes long, and Linux allows {_LONGEST}: {path}. {_NAME_ONE}"
        )
    return path


def _runtime_folder() -> str:
    if os.path.isabs(folder := os.environ.get("XDG_RUNTIME_DIR", "")):
        return os.path.join(folder, "camdaemon")
    from camdaemon.linux.folders import find_runtime_folder  # which loads much, for a case that is rare

    try:
        return str(find_runtime_folder())
    except OSError as exc:
        raise ControlError(f"no safe place for the control socket: {exc}. {_NAME_ONE}") from None
