"""What the two HTTP surfaces, API and panel, share: calls that the server's end interrupts, events, errors, limits."""

from __future__ import annotations

import asyncio
import json
import logging
import reprlib
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from camdaemon.control import table
from camdaemon.control.values import is_utf8
from camdaemon.errors import (
    CamdaemonError,
    ConfigError,
    ConfirmationNeeded,
    ControlError,
    DeviceError,
    PlateRefused,
    printable,
)

log = logging.getLogger(__name__)
T = TypeVar("T")

MOST_BYTES = 64 << 10  # of a request's body: a few words, and memory is for pictures
_EVENT_PERIOD = 0.5  # seconds: what a page says is never older than a second, also on a busy machine
_LAST_WORDS = 0.5  # seconds that a command may still take once the server ends, `stop` itself above all


async def run_blocking(call: Callable[[], T], ending: asyncio.Event) -> T:
    """Run `call` in the thread pool and return what it returns.

    Not FastAPI's own `def` handlers: the server would wait for their threads, and a plate may take minutes.

    Args:
        call: Blocks.
        ending: Set when the server ends. The call is given up then, though its thread may go on for a while.

    Raises:
        CamdaemonError: from `call`; any other exception of it is logged and becomes one.
    """
    work = asyncio.create_task(to_thread.run_sync(call, abandon_on_cancel=True))
    end = asyncio.create_task(ending.wait())
    try:
        await asyncio.wait({work, end}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({work}, timeout=_LAST_WORDS)
        if work.done():
            return work.result()
        raise ControlError("given up: camdaemon is stopping. Run: camdaemon run")
    except CamdaemonError:
        raise
    except Exception as exc:
        log.exception("command failed")
        raise CamdaemonError(_describe_bug(exc)) from None
    finally:
        work.cancel()
        end.cancel()


def as_utf8(value: Any) -> Any:
    """Return a copy of the JSON value `value` whose texts UTF-8 can hold: a name of a file may be any bytes."""
    match value:
        case str():
            return value if is_utf8(value) else printable(value, keep="\n\t")
        case list():
            return [as_utf8(each) for each in value]
        case dict():
            return {as_utf8(key): as_utf8(each) for key, each in value.items()}
        case _:
            return value


async def status_events(commands: object, ending: asyncio.Event) -> AsyncIterator[str]:
    """Yield the status twice a second as server-sent events, until `ending` is set or the status fails."""
    status = partial(table.call, commands, table.find("status"), {})
    while not ending.is_set():
        try:
            yield f"data: {json.dumps(as_utf8(await run_blocking(status, ending)))}\n\n"
        except CamdaemonError as exc:
            yield f"event: error\ndata: {json.dumps({'error': str(exc)})}\n\n"
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), _EVENT_PERIOD)


def answer_errors(app: FastAPI) -> None:
    """Make every error of `app` leave as {"error": one sentence}."""

    def problem(code: int, message: str) -> JSONResponse:
        return JSONResponse({"error": as_utf8(message)}, code)

    @app.exception_handler(CamdaemonError)
    async def on_our_error(_: Request, exc: CamdaemonError) -> JSONResponse:
        return problem(_http_status(exc), str(exc))

    @app.exception_handler(RequestValidationError)
    async def on_wrong_body(_: Request, exc: RequestValidationError) -> JSONResponse:
        return problem(422, _describe_wrong_body(exc))

    @app.exception_handler(HTTPException)
    async def on_wrong_address(request: Request, exc: HTTPException) -> JSONResponse:
        asked = f"{request.method} {request.scope['path']}"  # request.url parses it once more, and may raise
        return problem(exc.status_code, f"{asked}: {exc.detail}. What can be asked is listed at /openapi.json")

    @app.exception_handler(Exception)  # an answer that is no JSON; uvicorn logs the traceback and hangs up
    async def on_bug(_: Request, exc: Exception) -> JSONResponse:
        return problem(500, _describe_bug(exc))


def _http_status(error: CamdaemonError) -> int:
    match error:
        case ConfirmationNeeded():
            return 428
        case ConfigError():
            return 422
        case PlateRefused():
            return 409
        case DeviceError():
            return 503
        case _:
            return 500


def _describe_bug(bug: Exception) -> str:
    return printable(f"camdaemon failed ({type(bug).__name__}: {bug}). Run: journalctl --user -u camdaemon")


def _describe_wrong_body(error: RequestValidationError) -> str:
    parts = []
    for mistake in error.errors():
        if mistake["loc"] == ("body",) or mistake["type"] == "json_invalid":
            return "the request is not a JSON object. Send one, with the header Content-Type: application/json"
        name = ".".join(str(part) for part in mistake["loc"][1:])
        given = f", not {reprlib.repr(mistake['input'])}" if isinstance(mistake["input"], str | int | float) else ""
        parts.append(f"{name}: {mistake['msg'][0].lower()}{mistake['msg'][1:]}{given}")
    return "; ".join(parts) + ". What each command takes is listed at /openapi.json"


class BodyLimit:
    """ASGI middleware under which reading more than `most` bytes of a body raises HTTPException 413 in the app."""

    def __init__(self, app: ASGIApp, most: int = MOST_BYTES) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, see ASGI 3. Only the body of a POST is kept anywhere."""
        has_body = scope["type"] == "http" and scope["method"] == "POST"
        await self._app(scope, limit_body(receive, self._most, self._too_large) if has_body else receive, send)

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"the request is larger than {self._most >> 10} kB")


def limit_body(receive: Receive, most: int, too_large: Callable[[], Exception]) -> Receive:
    """Wrap `receive`: it counts the bytes, whatever length was announced, and raises `too_large()` above `most`."""
    left = most

    async def counting() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise too_large()
        return message

    return counting
