"""The verbs over HTTP on a Unix socket that only this user can open. Described at /openapi.json."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from camdaemon import __version__
from camdaemon.control.lock import private_directory
from camdaemon.control.verbs import Mode, Verbs
from camdaemon.errors import CamdaemonError, ConfigError, ControlError, DeviceError, PlateRefused

log = logging.getLogger(__name__)
T = TypeVar("T")

_EVENT_PERIOD = 1.0  # seconds
_LAST_WORDS = 0.5  # seconds that a verb may still take once the server ends, `stop` itself above all
_JOIN = 1.8  # seconds


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PlateAsked(_Asked):
    countdown: float = Field(ge=0, le=120, allow_inf_nan=False, description="seconds to leave the picture")


class BackdropAsked(_Asked):
    spec: str = Field(min_length=1, description="an image, a video, color:#rrggbb, blur[:sigma], or plate")


class ModeAsked(_Asked):
    mode: Mode = Field(description="passthrough shows the room")


class Answer(BaseModel):
    message: str = Field(description="one sentence for people")


class Problem(BaseModel):
    error: str = Field(description="what failed, why, and what to type")


def make_app(verbs: Verbs) -> FastAPI:
    """The verbs as an ASGI application. `app.state.ending`, once set in its loop, makes every open request end."""
    ending = asyncio.Event()
    app = FastAPI(
        title="camdaemon",
        version=__version__,
        docs_url=None,  # those pages would load their scripts from the network
        redoc_url=None,
        responses={code: {"model": Problem} for code in (409, 422, 500, 503)},
    )
    app.state.ending = ending
    _answer_errors(app)

    @app.post("/plate")
    async def plate(asked: PlateAsked) -> Answer:
        """Photograph the empty room; answers when the plate is taken."""
        return Answer(message=await _blocking(partial(verbs.plate, asked.countdown), ending))

    @app.post("/backdrop")
    async def backdrop(asked: BackdropAsked) -> Answer:
        """Show another backdrop; if it cannot be prepared, the old one stays."""
        return Answer(message=await _blocking(partial(verbs.backdrop, asked.spec), ending))

    @app.post("/mode")
    async def mode(asked: ModeAsked) -> Answer:
        """Show the matte, the privacy card, or the room itself."""
        return Answer(message=await _blocking(partial(verbs.mode, asked.mode), ending))

    @app.get("/status")
    async def status() -> dict[str, Any]:
        """What is going on."""
        return await _blocking(verbs.status, ending)

    @app.post("/stop")
    async def stop() -> Answer:
        """Stop the daemon; answers before it has stopped."""
        return Answer(message=await _blocking(verbs.stop, ending))

    @app.get("/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
    async def events() -> StreamingResponse:
        """The status once a second as server-sent events, until the daemon stops."""
        return StreamingResponse(_events(verbs, ending), media_type="text/event-stream")

    return app


async def _blocking(verb: Callable[[], T], ending: asyncio.Event) -> T:
    """Run `verb` in the thread pool. When the server ends it is given up, though its thread may go on for a while.

    Not FastAPI's own `def` handlers: the server would wait for their threads, and a plate may take minutes.
    """
    work = asyncio.create_task(to_thread.run_sync(verb, abandon_on_cancel=True))
    end = asyncio.create_task(ending.wait())
    try:
        await asyncio.wait({work, end}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({work}, timeout=_LAST_WORDS)
        if work.done():
            return work.result()
        raise ControlError("camdaemon is stopping, so this was given up; start it again with: camdaemon run")
    except CamdaemonError:
        raise
    except Exception as bug:
        log.exception("a command failed")
        raise CamdaemonError(_apology(bug)) from None
    finally:
        work.cancel()
        end.cancel()


async def _events(verbs: Verbs, ending: asyncio.Event) -> AsyncIterator[str]:
    while not ending.is_set():
        try:
            yield f"data: {json.dumps(await _blocking(verbs.status, ending))}\n\n"
        except CamdaemonError as wrong:
            yield f"event: error\ndata: {json.dumps({'error': str(wrong)})}\n\n"
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), _EVENT_PERIOD)


def _answer_errors(app: FastAPI) -> None:
    """Every error leaves as {"error": one sentence}."""

    def problem(code: int, message: str) -> JSONResponse:
        return JSONResponse({"error": message}, code)

    @app.exception_handler(CamdaemonError)
    async def of_ours(_: Request, wrong: CamdaemonError) -> JSONResponse:
        return problem(_http_status(wrong), str(wrong))

    @app.exception_handler(RequestValidationError)
    async def of_the_request(_: Request, wrong: RequestValidationError) -> JSONResponse:
        return problem(422, _sentence(wrong))

    @app.exception_handler(HTTPException)
    async def of_the_address(request: Request, wrong: HTTPException) -> JSONResponse:
        asked = f"{request.method} {request.url.path}"
        return problem(wrong.status_code, f"{asked}: {wrong.detail}; what can be asked is listed at /openapi.json")

    @app.exception_handler(Exception)  # an answer that is no JSON; uvicorn logs the traceback and hangs up
    async def of_nobody(_: Request, bug: Exception) -> JSONResponse:
        return problem(500, _apology(bug))


def _http_status(wrong: CamdaemonError) -> int:
    match wrong:
        case ConfigError():
            return 422
        case PlateRefused():
            return 409
        case DeviceError():
            return 503
        case _:
            return 500


def _apology(bug: Exception) -> str:
    return f"camdaemon failed ({type(bug).__name__}: {bug}); its log says where: journalctl --user -u camdaemon"


def _sentence(wrong: RequestValidationError) -> str:
    parts = []
    for error in wrong.errors():
        if error["loc"] == ("body",) or error["type"] == "json_invalid":
            return "the request is not a JSON object; send one, with the header Content-Type: application/json"
        name = ".".join(str(part) for part in error["loc"][1:])
        given = f", not {error['input']!r}" if isinstance(error["input"], str | int | float) else ""
        parts.append(f"{name}: {error['msg'][0].lower()}{error['msg'][1:]}{given}")
    return "; ".join(parts) + "; what each command takes is listed at /openapi.json"


class _Server(uvicorn.Server):
    """uvicorn, which first lets open requests know that it ends: it would wait for an events client forever."""

    def __init__(self, app: FastAPI) -> None:
        config = uvicorn.Config(
            app, loop="asyncio", http="h11", ws="none", lifespan="off", log_config=None, log_level="warning",
            access_log=False, server_header=False, timeout_graceful_shutdown=1,
        )  # fmt: skip
        super().__init__(config)
        self._ending: asyncio.Event = app.state.ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._ending.set()
        await super().shutdown(sockets)


class ApiServer:
    """Serves `verbs` at `path` from a thread named 'api'. `start` and `stop` are for one thread, the daemon's main one.

    Hold the `DaemonLock` of `path` meanwhile. The verbs are called from pool threads.
    """

    def __init__(self, verbs: Verbs, path: Path) -> None:
        self._verbs, self._path = verbs, path
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Returns when requests are answered; ControlError when the socket cannot be made."""
        self._server = _Server(make_app(self._verbs))
        listener = _bind(self._path)
        # A daemon thread, and so are the pool's, which inherit it: a verb that hangs must not keep the process alive.
        self._thread = threading.Thread(target=_serve, args=(self._server, listener), name="api", daemon=True)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                self.stop()
                raise ControlError("the control server did not start; its log says why: journalctl --user -u camdaemon")
            time.sleep(0.005)

    def stop(self) -> None:
        """End every request, the thread and the socket file, within 2 s. Harmless when not started or repeated."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(_JOIN)
        if self._thread.is_alive():
            log.warning("thread %s did not end in %g s", self._thread.name, _JOIN)
        self._path.unlink(missing_ok=True)
        self._server = self._thread = None


def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    """Body of the thread 'api'. Without it camdaemon goes on: keys and signals still work."""
    try:
        server.run(sockets=[listener])
    except Exception:
        log.exception("the control server died; the picture goes on")
    finally:
        listener.close()


def _bind(path: Path) -> socket.socket:
    """A socket at `path` that is 0600 from its first moment: uvicorn would make it 0666, and chmod comes too late."""
    private_directory(path.parent)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError as wrong:
        listener.close()
        raise ControlError(f"cannot listen at {path}: {wrong.strerror}; if none runs there: rm {path}") from None
    finally:
        os.umask(umask)
    return listener
