"""Connections to the HTTP servers: strangers hold few of them, and none for long, so that the owner always gets one.

A connection is a stranger's until its first request has come, or, where there is a login, until that has succeeded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_STRANGERS = 64  # connections; the oldest goes first
FIRST_REQUEST_S = 5.0  # for the head of the first request to be complete
_KEY = "camdaemon.connection"  # of the ASGI scope's extensions


class Strangers:
    """The connections of one server that nobody has vouched for yet, oldest first. For the server's loop.

    Args:
        until_login: They stay strangers until `let_in` is called; otherwise until their first request.
        on_closed: Called once a connection's descriptor is closed.
    """

    def __init__(self, until_login: bool, on_closed: Callable[[], None] = lambda: None) -> None:
        self.until_login, self.on_closed = until_login, on_closed
        self._open: dict[Connection, None] = {}

    def add(self, connection: Connection) -> None:
        """Take one more; the oldest is cut off where there are too many."""
        self._open[connection] = None
        while len(self._open) > MOST_STRANGERS:
            oldest = next(iter(self._open))
            self.discard(oldest)
            oldest.transport.abort()

    def discard(self, connection: Connection) -> None:
        """Forget one: it was let in, or it has ended."""
        self._open.pop(connection, None)


class Connection(H11Protocol):
    """uvicorn's connection, known to `strangers` at first, and cut off if its first request does not come in time."""

    def __init__(self, strangers: Strangers, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self._strangers, self._serve = strangers, self.app
        self.app = self._answer
        self._too_late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin. See `asyncio.Protocol`."""
        super().connection_made(transport)
        self._too_late = self.loop.call_later(FIRST_REQUEST_S, transport.abort)
        self._strangers.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End. See `asyncio.Protocol`."""
        super().connection_lost(exc)
        self._has_asked()
        self._strangers.discard(self)
        self.loop.call_soon(self._strangers.on_closed)  # the descriptor is closed when this method is over

    def let_in(self) -> None:
        """Vouch for this connection: it stays however many others come."""
        self._strangers.discard(self)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, whose head is complete. See ASGI 3."""
        self._has_asked()
        if self._strangers.until_login:
            scope.setdefault("extensions", {})[_KEY] = self
        else:
            self.let_in()
        await self._serve(scope, receive, send)

    def _has_asked(self) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None


def let_in(scope: Scope) -> None:
    """Vouch for the connection of the request `scope`. Harmless where it is none of ours."""
    connection = scope.get("extensions", {}).get(_KEY)
    if isinstance(connection, Connection):
        connection.let_in()
