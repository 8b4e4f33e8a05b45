"""The control API's server: uvicorn in a thread of its own, on a Unix socket that only this user can open.

It is the way to the card. So it answers when the process has no descriptor left, listens again when its socket was
removed, and is started again when its thread has died.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

import uvicorn
from fastapi import FastAPI

from camdaemon.control.api import make_app
from camdaemon.control.connections import Connection, Strangers
from camdaemon.control.instance import OtherDaemon
from camdaemon.control.socket_file import ControlSocket
from camdaemon.errors import ControlError
from camdaemon.linux.threads import join_or_warn

log = logging.getLogger(__name__)

_LOOK_S = 1.0  # between two looks whether commands still arrive
_GIVE_UP_S = 30.0  # without a way to be told anything, a camera must not go on


class Server(uvicorn.Server):
    """uvicorn that first tells open requests that it ends: it would wait for an events client forever."""

    def __init__(self, app: FastAPI, strangers: Strangers) -> None:
        self._connection = partial(Connection, strangers)
        made = cast(type[asyncio.Protocol], self._connection)  # uvicorn takes any callable
        config = uvicorn.Config(
            app, loop="asyncio", http=made, ws="none", lifespan="off", log_config=None, log_level="warning",
            access_log=False, server_header=False, timeout_graceful_shutdown=1,
        )  # fmt: skip
        super().__init__(config)
        self._ending: asyncio.Event = app.state.ending
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End every request, also of clients that do not read their answer."""
        self._ending.set()
        await super().shutdown(sockets)
        # uvicorn leaves these open: a client that does not read, or came at the last moment, would wait forever.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # in which their sockets close

    def listen_instead(self, listener: socket.socket) -> None:
        """Listen on `listener` from now on; open connections stay. From any other thread."""
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._listen(listener), self._loop).result(_LOOK_S)

    async def _listen(self, listener: socket.socket) -> None:
        for old in self.servers:
            old.close()
        make = partial(self._connection, config=self.config, server_state=self.server_state, app_state={})
        self.servers = [
            await asyncio.get_running_loop().create_server(make, sock=listener, backlog=self.config.backlog)
        ]


class ApiServer:
    """Serves the commands at `path` from a thread named 'api', and sees to it from another that they arrive.

    `start` and `stop` are for one thread, the daemon's main one. Hold the `DaemonLock` of `path` meanwhile.
    """

    def __init__(
        self,
        commands: object,
        path: Path,
        keep_lock: Callable[[], None] = lambda: None,
        give_up: Callable[[ControlError], None] = lambda _: None,
    ) -> None:
        """Prepare.

        Args:
            commands: Has the methods that the table names; they are called from pool threads.
            path: Of the socket.
            keep_lock: Called once a second; raises ControlError if another daemon has this one's name.
            give_up: Called, once, when no command can arrive any more; ends the daemon. Must return at once.
        """
        self._commands, self._keep_lock, self._give_up = commands, keep_lock, give_up
        self._socket = ControlSocket(path)
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._watch: threading.Thread | None = None
        self._ending = threading.Event()

    def start(self) -> None:
        """Return once requests are answered. Raises ControlError if the socket cannot be made."""
        self._serve()
        self._ending.clear()
        self._watch = threading.Thread(target=self._look_after, name="api-watch", daemon=True)
        self._watch.start()

    def stop(self) -> None:
        """End every request, the thread and the socket file, within 2 s. Harmless when not started or repeated."""
        self._ending.set()
        if self._watch is not None:
            join_or_warn(self._watch)
            self._watch = None
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        join_or_warn(self._thread)
        self._socket.remove()
        self._server = self._thread = None

    def _serve(self) -> None:
        """Start a server and its thread."""
        listener = self._socket.bind()
        refill = self._socket.refill
        server = Server(make_app(self._commands), Strangers(until_login=False, on_closed=refill))
        # A daemon thread, and so are the pool's, which inherit it: a command that hangs must not keep the process.
        thread = threading.Thread(target=serve, args=(server, listener), name="api", daemon=True)
        thread.start()
        self._server, self._thread = server, thread
        while not server.started:
            if not thread.is_alive():
                raise ControlError("the control server did not start. Run: journalctl --user -u camdaemon")
            time.sleep(0.005)

    def _look_after(self) -> None:
        """Body of the thread 'api-watch'."""
        lost_at: float | None = None
        while not self._ending.wait(_LOOK_S):
            try:
                self._keep_lock()
                self._restore()
                lost_at = None
            except Exception as exc:
                now = time.monotonic()
                if lost_at is None:
                    lost_at = now
                    log.warning("control socket lost: %s", exc)
                if isinstance(exc, OtherDaemon) or now - lost_at > _GIVE_UP_S:
                    self._give_up(ControlError(f"no command can arrive any more: {exc}"))
                    return

    def _restore(self) -> None:
        """Make commands arrive again, if they do not. Raises what stands against it."""
        if self._thread is None or not self._thread.is_alive():
            log.error("control server died: it is started again, the picture goes on")
            self._socket.close()
            self._serve()
        elif self._server is not None and not self._socket.is_in_place():
            self._server.listen_instead(self._socket.bind())
            log.warning("control socket was removed: it is back at %s", self._socket.path)


def serve(server: uvicorn.Server, listener: socket.socket) -> None:
    """Run `server` on `listener` until it ends; the body of a thread. camdaemon survives it: keys and signals work."""
    try:
        server.run(sockets=[listener])
    except (Exception, SystemExit):
        log.exception("control server died; the picture goes on")
    finally:
        listener.close()
