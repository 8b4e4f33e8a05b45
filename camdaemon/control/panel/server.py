"""The panel's server: it listens on 127.0.0.1 from `open` until no page was open for a while."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import FastAPI

from camdaemon.control.connections import Strangers
from camdaemon.control.panel.app import BackdropFolder, PanelCommands, Preview, make_app
from camdaemon.control.panel.sessions import Sessions
from camdaemon.control.server import Server, serve
from camdaemon.errors import ControlError
from camdaemon.linux.threads import join_or_warn

_HOST = "127.0.0.1"


class _PanelServer(Server):
    """Ends by itself when no page was open for `idle_s` seconds. `opening` is held while a browser is sent here."""

    def __init__(self, app: FastAPI, sessions: Sessions, idle_s: float, opening: threading.Lock) -> None:
        super().__init__(app, Strangers(until_login=True))
        self._sessions, self._idle_s, self._opening = sessions, idle_s, opening

    async def on_tick(self, counter: int) -> bool:
        """Look ten times a second, as uvicorn calls it, whether to end."""
        if self._sessions.idle_s() > self._idle_s and self._opening.acquire(blocking=False):
            try:  # asked again: a browser may have been sent here before the lock was ours
                self.should_exit |= self._sessions.idle_s() > self._idle_s
            finally:
                self._opening.release()
        return await super().on_tick(counter)


@dataclass(frozen=True)
class _Running:
    server: _PanelServer
    sessions: Sessions
    thread: threading.Thread
    port: int


class PanelServer:
    """The panel of one daemon. Any thread."""

    def __init__(self, preview: Preview, *, idle_s: float = 300.0, clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare; nothing listens before `open`.

        Args:
            preview: Gives the pictures; called from pool threads.
            idle_s: Seconds without an open page after which it stops listening.
            clock: Seconds, time.monotonic.
        """
        self._preview = preview
        self._idle_s, self._clock = idle_s, clock
        self._lock = threading.Lock()
        self._running: _Running | None = None

    def open(self, commands: PanelCommands, gallery: BackdropFolder) -> str:
        """Return an address that lets one browser in, once, within a minute. Starts the server if it does not run.

        Args:
            commands: Has the methods that the table names; they are called from pool threads.
            gallery: The backdrop folder; the same.

        Raises:
            ControlError: it cannot listen.
        """
        with self._lock:
            if self._running is None or self._running.server.should_exit or not self._running.thread.is_alive():
                self._end()
                self._running = self._start(commands, gallery)
            return f"http://{_HOST}:{self._running.port}/open?token={self._running.sessions.issue()}"

    def close(self) -> None:
        """End every request and the thread, within 2 s. Harmless when not open or repeated; `open` starts it again."""
        with self._lock:
            self._end()

    def _start(self, commands: PanelCommands, gallery: BackdropFolder) -> _Running:
        try:
            listener = socket.create_server((_HOST, 0))
        except OSError as exc:
            raise ControlError(f"cannot listen on {_HOST}: {exc.strerror}. Run: camdaemon panel") from None
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or each answer's body waits 40 ms for its head
        port: int = listener.getsockname()[1]
        sessions = Sessions(self._clock)
        app = make_app(commands, gallery, self._preview, sessions, port)
        server = _PanelServer(app, sessions, self._idle_s, self._lock)
        # A daemon thread, as the control server's: a command that hangs must not keep the process alive.
        thread = threading.Thread(target=serve, args=(server, listener), name="panel", daemon=True)
        thread.start()
        while not server.started:
            if not thread.is_alive():
                raise ControlError("the panel did not start. Run: journalctl --user -u camdaemon")
            time.sleep(0.005)
        return _Running(server, sessions, thread, port)

    def _end(self) -> None:
        if self._running is None:
            return
        self._running.server.should_exit = True
        join_or_warn(self._running.thread)
        self._running = None
