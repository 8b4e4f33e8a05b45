"""The verbs over HTTP on a Unix socket that only this user can open. Described at /openapi.json."""

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
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException

from camdaemon import __version__
from camdaemon.control.bodies import (
    AdjustAsked,
    Answer,
    BackdropAsked,
    ModeAsked,
    PlateAsked,
    Problem,
    SceneAsked,
    TurnAsked,
)
from camdaemon.control.limits import BodyLimit
from camdaemon.control.verbs import Turn, Verbs
from camdaemon.errors import CamdaemonError, ConfigError, ControlError, DeviceError, PlateRefused

log = logging.getLogger(__name__)
T = TypeVar("T")

_EVENT_PERIOD = 1.0  # seconds
_LAST_WORDS = 0.5  # seconds that a verb may still take once the server ends, `stop` itself above all


def make_app(verbs: Verbs) -> FastAPI:
    """The verbs as an ASGI application. `app.state.ending`, once set in its loop, makes every open request end."""
    ending = asyncio.Event()
    app = FastAPI(
        title="camdaemon",
        version=__version__,
        docs_url=None,  # those pages would load their scripts from the network
        redoc_url=None,
        redirect_slashes=False,
        responses={code: {"model": Problem} for code in (409, 422, 500, 503)},
    )
    app.state.ending = ending
    app.add_middleware(BodyLimit)
    _answer_errors(app)
    _add_commands(app, verbs, ending)
    for name in ("card", "pause", "mirror"):
        _add_switch(app, name, getattr(verbs, name), ending)
    plain: dict[str, tuple[Callable[[], str], str]] = {
        "/backdrop/next": (verbs.next_backdrop, "The backdrop folder's next file"),
        "/backdrop/previous": (verbs.previous_backdrop, "The backdrop folder's file before"),
        "/reload": (verbs.reload, "Read the configuration again; with a mistake in it, the old one stays"),
        "/panel": (verbs.panel, "Serve the panel; answers with its address, good for one visit"),
        "/stop": (verbs.stop, "Stop the daemon; answers before it has stopped"),
    }
    for path, (verb, summary) in plain.items():
        _add_plain(app, path, verb, summary, ending)
    _add_questions(app, verbs, ending)
    return app


def _add_commands(app: FastAPI, verbs: Verbs, ending: asyncio.Event) -> None:
    @app.post("/plate")
    async def plate(asked: PlateAsked) -> Answer:
        """Photograph the empty room; answers when the plate is taken."""
        return Answer(message=await _blocking(partial(verbs.plate, asked.countdown), ending))

    @app.post("/backdrop")
    async def backdrop(asked: BackdropAsked) -> Answer:
        """Show another backdrop; if it cannot be prepared, the old one stays."""
        return Answer(message=await _blocking(partial(verbs.backdrop, asked.spec), ending))

    @app.post("/scene")
    async def scene(asked: SceneAsked) -> Answer:
        """Switch to a scene of the configuration, with a cross-fade."""
        return Answer(message=await _blocking(partial(verbs.scene, asked.name), ending))

    @app.post("/mode")
    async def mode(asked: ModeAsked) -> Answer:
        """Show the matte, the privacy card, or the room itself."""
        return Answer(message=await _blocking(partial(verbs.mode, asked.mode), ending))

    @app.post("/adjust")
    async def adjust(asked: AdjustAsked) -> Answer:
        """Move the matte's edge, blur the backdrop."""
        return Answer(message=await _blocking(partial(verbs.adjust, asked.edge, asked.blur), ending))


def _add_questions(app: FastAPI, verbs: Verbs, ending: asyncio.Event) -> None:
    @app.get("/backdrops")
    async def backdrops() -> list[dict[str, str]]:
        """What lies in the backdrop folder."""
        return [file._asdict() for file in await _blocking(verbs.backdrops, ending)]

    @app.get("/scenes")
    async def scenes() -> list[str]:
        """The names of the configuration's scenes."""
        return await _blocking(verbs.scenes, ending)

    @app.get("/status")
    async def status() -> dict[str, Any]:
        """What is going on."""
        return await _blocking(verbs.status, ending)

    @app.get("/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
    async def events() -> StreamingResponse:
        """The status once a second as server-sent events, until the daemon stops."""
        return StreamingResponse(_events(verbs, ending), media_type="text/event-stream")


def _add_switch(app: FastAPI, name: str, verb: Callable[[Turn], str], ending: asyncio.Event) -> None:
    async def switch(asked: TurnAsked) -> Answer:
        return Answer(message=await _blocking(partial(verb, asked.turn), ending))

    app.post(f"/{name}", operation_id=name, summary=f"Turn '{name}' on or off")(switch)


def _add_plain(app: FastAPI, path: str, verb: Callable[[], str], summary: str, ending: asyncio.Event) -> None:
    async def plain() -> Answer:
        return Answer(message=await _blocking(verb, ending))

    app.post(path, operation_id=path.strip("/").replace("/", "_"), summary=summary)(plain)


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
    except Exception as exc:
        log.exception("a command failed")
        raise CamdaemonError(_apology(exc)) from None
    finally:
        work.cancel()
        end.cancel()


async def _events(verbs: Verbs, ending: asyncio.Event) -> AsyncIterator[str]:
    while not ending.is_set():
        try:
            yield f"data: {json.dumps(await _blocking(verbs.status, ending))}\n\n"
        except CamdaemonError as exc:
            yield f"event: error\ndata: {json.dumps({'error': str(exc)})}\n\n"
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
        asked = f"{request.method} {request.scope['path']}"  # request.url parses it once more, and may raise
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
        given = f", not {reprlib.repr(error['input'])}" if isinstance(error["input"], str | int | float) else ""
        parts.append(f"{name}: {error['msg'][0].lower()}{error['msg'][1:]}{given}")
    return "; ".join(parts) + "; what each command takes is listed at /openapi.json"
