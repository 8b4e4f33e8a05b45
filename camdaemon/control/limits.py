"""How much a request to the control API may hold: its bodies are a few words, and memory is for pictures."""

from __future__ import annotations

from collections.abc import Callable

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 64 << 10


class BodyLimit:
    """ASGI middleware under which reading more than `most` bytes of a body raises HTTPException 413 in the app."""

    def __init__(self, app: ASGIApp, most: int = MOST_BYTES) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI 3. Nothing but POST has a body that anybody keeps."""
        bodied = scope["type"] == "http" and scope["method"] == "POST"
        await self._app(scope, limited(receive, self._most, self._too_large) if bodied else receive, send)

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"the request is larger than {self._most >> 10} kB")


def limited(receive: Receive, most: int, too_large: Callable[[], Exception]) -> Receive:
    """`receive` that counts what comes, whatever length was announced, and raises `too_large()` above `most` bytes."""
    left = most

    async def counted() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise too_large()
        return message

    return counted
