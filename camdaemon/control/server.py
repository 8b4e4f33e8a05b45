"""The control API's server: uvicorn in a thread of its own, on a Unix socket that only this user can open."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import time
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from camdaemon.control.api import make_app
from camdaemon.control.instance import private_directory
from camdaemon.errors import ControlError
from camdaemon.linux.threads import join_or_warn

log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """uvicorn that first tells open requests that it ends: it would wait for an events client forever."""

    def __init__(self, app: FastAPI) -> None:
        config = uvicorn.Config(
            app, loop="asyncio", http="h11", ws="none", lifespan="off", log_config=None, log_level="warning",
            access_log=False, server_header=False, timeout_graceful_shutdown=1,
        )  # fmt: skip
        super().__init__(config)
        self._ending: asyncio.Event = app.state.ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End every request, also of clients that do not read their answer."""
        self._ending.set()
        await super().shutdown(sockets)
        # uvicorn leaves these open: a client that does not read, or came at the last moment, would wait forever.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # in which their sockets close


class ApiServer:
    """Serves the commands at `path` from a thread named 'api'.

    `start` and `stop` are for one thread, the daemon's main one. Hold the `DaemonLock` of `path` meanwhile.
    """

    def __init__(self, commands: object, path: Path) -> None:
        """Prepare.

        Args:
            commands: Has the methods that the table names; they are called from pool threads.
            path: Of the socket.
        """
        self._commands, self._path = commands, path
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Return once requests are answered. Raises ControlError if the socket cannot be made."""
        self._server = Server(make_app(self._commands))
        listener = _bind(self._path)
        # A daemon thread, and so are the pool's, which inherit it: a command that hangs must not keep the process.
        self._thread = threading.Thread(target=serve, args=(self._server, listener), name="api", daemon=True)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                self.stop()
                raise ControlError("the control server did not start. Run: journalctl --user -u camdaemon")
            time.sleep(0.005)

    def stop(self) -> None:
        """End every request, the thread and the socket file, within 2 s. Harmless when not started or repeated."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        join_or_warn(self._thread)
        self._path.unlink(missing_ok=True)
        self._server = self._thread = None


def serve(server: uvicorn.Server, listener: socket.socket) -> None:
    """Run `server` on `listener` until it ends; the body of a thread. camdaemon survives it: keys and signals work."""
    try:
        server.run(sockets=[listener])
    except Exception:
        log.exception("control server died; the picture goes on")
    finally:
        listener.close()


def _bind(path: Path) -> socket.socket:
    """Make a socket at `path` that is 0600 from its first moment: uvicorn makes it 0666, and chmod comes too late."""
    private_directory(path.parent)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError as exc:
        listener.close()
        raise ControlError(
            f"cannot listen at {path}: {exc.strerror}. If no daemon runs there, run: rm {path}"
        ) from None
    finally:
        os.umask(umask)
    return listener
