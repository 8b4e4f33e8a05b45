"""The commands over HTTP on a Unix socket that only this user can open. Described at /openapi.json."""

from __future__ import annotations

import asyncio
import inspect
import math
from functools import partial
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, create_model

from camdaemon import __version__
from camdaemon.control import table
from camdaemon.control.http import BodyLimit, answer_errors, as_utf8, run_blocking, status_events
from camdaemon.control.table import REQUIRED, BackdropFile, Command, Parameter
from camdaemon.frames.kinds import BACKDROPS, syntax_of


class RequestBody(BaseModel):
    """A JSON object with the values of a command. An unknown field is an error."""

    model_config = ConfigDict(extra="forbid")


class Answer(BaseModel):
    """What a command answers when it is done."""

    message: str = Field(description="one sentence for people")


class Problem(BaseModel):
    """What a command answers when it failed. Nothing has changed then."""

    error: str = Field(description="what failed, why, and what to type")


def make_app(commands: object) -> FastAPI:
    """Make the ASGI application of the socket: a route for each command, and /events.

    Args:
        commands: Has the methods that the table names; they are called from pool threads.

    Returns:
        The application. `app.state.ending`, once set in its loop, ends every open request.
    """
    ending = asyncio.Event()
    app = FastAPI(
        title="camdaemon",
        version=__version__,
        docs_url=None,  # those pages would load their scripts from the network
        redoc_url=None,
        redirect_slashes=False,
        responses={code: {"model": Problem} for code in (409, 422, 428, 500, 503)},
    )
    app.state.ending = ending
    app.add_middleware(BodyLimit)
    answer_errors(app)
    for command in table.TABLE:
        if command.socket:
            add_route(app, command, commands, ending)

    @app.get("/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
    async def events() -> StreamingResponse:
        """The status twice a second as server-sent events, until the daemon stops."""
        return StreamingResponse(status_events(commands, ending), media_type="text/event-stream")

    return app


def add_route(app: FastAPI, command: Command, commands: object, ending: asyncio.Event) -> None:
    """Add the route of one command to `app`."""

    async def answer(values: dict[str, Any], request: Request) -> Any:
        done = await run_blocking(partial(table.call, commands, command, values), ending)
        if command.answer is str and request.headers.get("accept") == "text/plain":  # who waits for no JSON module
            return PlainTextResponse(as_utf8(done))
        if command.answer is str:
            return Answer(message=as_utf8(done))
        if command.answer == list[BackdropFile]:
            return as_utf8([file._asdict() for file in done])
        return as_utf8(done)

    if command.sent:

        async def route(body: Any, request: Request) -> Any:
            return await answer({parameter.name: getattr(body, parameter.name) for parameter in command.sent}, request)

        route.__annotations__ = {"body": body_model(command), "request": Request}
    else:

        async def route(request: Request) -> Any:  # type: ignore[misc]
            return await answer({}, request)

    app.add_api_route(
        command.path,
        route,
        methods=[command.method],
        response_model=_response_model(command),
        operation_id=command.word.replace(" ", "_"),
        summary=command.help,
        description=_describe(getattr(commands, command.function, None)),
    )


def _describe(function: object) -> str:
    """Return the first line of a function's docstring; '' for None."""
    text = None if function is None else inspect.getdoc(function)
    return (text or "").partition("\n")[0]


def body_model(command: Command) -> type[RequestBody]:
    """Make the pydantic model of the JSON object that `command` takes."""
    fields: dict[str, Any] = {parameter.name: _field(parameter) for parameter in command.sent}
    return create_model(f"{command.word.title().replace(' ', '')}Body", __base__=RequestBody, **fields)


def _field(parameter: Parameter) -> tuple[Any, Any]:
    limits: dict[str, Any] = {}
    match parameter.kind:
        case "number":
            kind: Any = float
            limits["allow_inf_nan"] = False
            limits |= {
                name: limit for name, limit in (("ge", parameter.low), ("le", parameter.high)) if math.isfinite(limit)
            }
        case "choice":
            kind = Literal[parameter.choices]
        case "flag":
            kind = bool
        case _:
            kind = str
            limits["min_length"] = 1
    if parameter.default is None:
        kind = kind | None
    syntax = f": {syntax_of(BACKDROPS)}" if parameter.kind == "backdrop" else ""
    return kind, Field(
        ... if parameter.default is REQUIRED else parameter.default,
        description=parameter.help + syntax,
        **limits,
    )


def _response_model(command: Command) -> Any:
    if command.answer is str:
        return Answer
    return list[dict[str, str]] if command.answer == list[BackdropFile] else command.answer
