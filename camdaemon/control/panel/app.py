"""The panel's addresses: page, pictures, backdrop folder, and the commands that the table gives to the panel."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, aclosing
from functools import partial
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import quote

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from camdaemon import __version__
from camdaemon.control import table
from camdaemon.control.api import Answer, RequestBody, add_route
from camdaemon.control.http import answer_errors, run_blocking, status_events
from camdaemon.control.panel.guard import TYPE_AGAIN, UPLOAD, Guard, Refused
from camdaemon.control.panel.sessions import Others, Session, Sessions

CAMERA_S = 30.0  # seconds that the camera may be seen after a press
_PICTURE_S = 1.0  # seconds to wait for a picture before the answer is "none yet"

_PAGE = Path(__file__).parent / "page"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_STATIC = {path.name: path for path in _PAGE.iterdir() if path.suffix in _TYPES}  # nothing else is served

View = Literal["composite", "alpha", "camera"]  # camera: before the matte, for the user's own eyes


class BackdropFolder(Protocol):
    """The backdrop folder, as the panel shows it. Any thread."""

    def thumbnail(self, name: str) -> bytes:
        """Make a small JPEG of the file `name` in the folder. Raises ConfigError if there is none or it is broken."""

    def add(self, name: str, data: bytes) -> str:
        """Keep an uploaded picture or video under a safe form of `name`; return the name it got.

        Raises ConfigError if it is too large, no picture or video, or has too many pixels; nothing is written then.
        """


class Preview(Protocol):
    """What camdaemon sees and shows, small, for the user's own eyes. Any thread."""

    def jpeg(self, view: View, after: int, timeout: float) -> tuple[int, bytes] | None:
        """Return the newest picture of `view` with a number above `after`, as (number, JPEG), at most 640 pixels wide.

        Waits up to `timeout` seconds for one; None if none came. Pictures are made only while they are asked for.
        'camera' goes to the user's own eyes only, on an explicit press.
        """


class PanelCommands(Protocol):
    """The commands: the methods that the table names, and what only the page asks for. Any thread."""

    def draw_plate(self) -> bytes | None:
        """Draw the plate in use as a JPEG, with what is not trusted of it and what was learned; None: none yet."""


class CameraBody(RequestBody):
    """Whether the page shows the camera before the matte."""

    show: bool = Field(description=f"true for {CAMERA_S:g} s, on this page only")


class ModeBody(RequestBody):
    """A mode that the panel may ask for; 'passthrough' is known only to be refused with a reason."""

    mode: Literal["matte", "card", "passthrough"] = Field(description="what viewers see; never passthrough from here")


class Tile(BaseModel):
    """One file of the backdrop folder."""

    name: str
    spec: str
    kind: str
    thumbnail: str = Field(description="the address of its thumbnail")


class Added(Answer):
    """What an upload is answered with."""

    name: str = Field(description="what the file is called in the backdrop folder")


def make_app(
    commands: PanelCommands, gallery: BackdropFolder, preview: Preview, sessions: Sessions, port: int
) -> FastAPI:
    """Make the panel as an ASGI application for 127.0.0.1:`port`, behind a `Guard`.

    `app.state.ending`, once set in its loop, ends every open request.
    """
    app = FastAPI(title="camdaemon panel", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.ending = ending = asyncio.Event()
    answer_errors(app)
    for command in table.TABLE:
        if command.panel:
            add_route(app, command, commands, ending)

    @app.exception_handler(Refused)
    async def on_refused(_: Request, exc: Refused) -> JSONResponse:
        return JSONResponse({"error": exc.detail}, exc.status_code)

    @app.post("/mode")
    async def mode(body: ModeBody) -> Answer:
        """Show the matte or the privacy card."""
        if body.mode == "passthrough":  # one wrong press must not show a room
            raise Refused(403, "the panel never shows your room to viewers. Run: camdaemon mode passthrough")
        return Answer(
            message=await run_blocking(partial(table.call, commands, table.find("mode"), {"mode": body.mode}), ending)
        )

    _add_page(app, sessions)
    _add_views(app, commands, preview, sessions)
    _add_backdrops(app, commands, gallery)
    app.add_middleware(Guard, sessions=sessions, port=port)
    return app


def _add_page(app: FastAPI, sessions: Sessions) -> None:
    @app.get("/open")
    async def let_in(token: str = "") -> Response:
        """Trade a token for a session."""
        session = sessions.redeem(token)
        if session is None:
            return PlainTextResponse(f"This address works once, within a minute. {TYPE_AGAIN}\n", 403)
        return HTMLResponse((_PAGE / "open.html").read_text("utf-8").replace("SESSION", session.key))

    @app.get("/static/{name}")
    async def static(name: str) -> Response:
        """A file of the page."""
        if name not in _STATIC:
            raise Refused(404, "the panel has no such file. Reload the page")
        return Response(_STATIC[name].read_bytes(), media_type=_TYPES[_STATIC[name].suffix])

    @app.get("/")
    async def page() -> Response:
        """The page."""
        return await static("index.html")


def _add_views(app: FastAPI, commands: PanelCommands, preview: Preview, sessions: Sessions) -> None:
    ending: asyncio.Event = app.state.ending

    @app.get("/events", response_class=StreamingResponse)
    async def events(request: Request) -> StreamingResponse:
        """The status twice a second as server-sent events, and what other pages do. An open page reads them."""
        open_page = sessions.open_page(request.state.session, request.state.page)
        return StreamingResponse(_events(status_events(commands, ending), open_page), media_type="text/event-stream")

    @app.post("/camera")
    async def camera(body: CameraBody, request: Request) -> Answer:
        """Let this session see the camera for a while, or no longer."""
        session: Session = request.state.session
        session.camera_until = sessions.clock() + (CAMERA_S if body.show else 0)
        sessions.record_look(session, request.state.page, looks=body.show)
        return Answer(message=f"Only you see this, for {CAMERA_S:g} seconds." if body.show else "Camera hidden.")

    @app.get("/plate/picture", response_class=Response)
    async def plate() -> Response:
        """The plate in use as a JPEG, with what is not trusted of it and what was learned. 204: none yet."""
        found = await run_blocking(commands.draw_plate, ending)
        return Response(status_code=204) if found is None else Response(found, media_type="image/jpeg")

    @app.get("/view/{view}", response_class=Response)
    async def picture(view: View, request: Request, after: int = Query(-1, ge=-1)) -> Response:
        """One JPEG, newer than number `after`; its own number is in X-Picture. 204: none yet."""
        wait = _PICTURE_S
        if view == "camera":
            session: Session = request.state.session
            wait = min(wait, session.camera_until - sessions.clock())
            if wait <= 0:
                raise Refused(403, "the camera is shown for half a minute after a press. Press “Camera” again")
            sessions.record_look(session, request.state.page)
        found = await run_blocking(partial(preview.jpeg, view, after, wait), ending)
        if found is None:
            return Response(status_code=204)
        return Response(found[1], media_type="image/jpeg", headers={"X-Picture": str(found[0])})


async def _events(
    statuses: AsyncIterator[str], open_page: AbstractContextManager[Callable[[], Others]]
) -> AsyncIterator[str]:
    """Yield each of `statuses`, and the event 'others' after it: what the other pages do."""
    with open_page as stay:
        async with aclosing(statuses) as events:  # type: ignore[type-var]  # it is a generator
            async for event in events:
                others = stay()
                yield event
                yield f"event: others\ndata: {json.dumps(others)}\n\n"


def _add_backdrops(app: FastAPI, commands: object, gallery: BackdropFolder) -> None:
    ending: asyncio.Event = app.state.ending

    @app.get(UPLOAD)
    async def backdrops() -> list[Tile]:
        """The files of the backdrop folder."""
        files = await run_blocking(partial(table.call, commands, table.find("backdrops"), {}), ending)
        small = f"{UPLOAD}/thumb?name="
        return [Tile(name=f.name, spec=f.spec, kind=f.kind, thumbnail=small + quote(f.name, safe="")) for f in files]

    @app.get(f"{UPLOAD}/thumb", response_class=Response)
    async def thumbnail(name: str) -> Response:
        """The thumbnail of one of them."""
        return Response(await run_blocking(partial(gallery.thumbnail, name), ending), media_type="image/jpeg")

    @app.post(UPLOAD)
    async def add(request: Request, name: str = Query(min_length=1, max_length=255)) -> Added:
        """Keep the file in the body. It is not shown yet."""
        try:
            data = b"".join([chunk async for chunk in request.stream()])
        except ClientDisconnect:
            raise Refused(400, f"the upload of {name} broke off. Send it again") from None
        kept = await run_blocking(partial(gallery.add, name, data), ending)
        return Added(message=f"{kept} is in the backdrop folder now.", name=kept)
