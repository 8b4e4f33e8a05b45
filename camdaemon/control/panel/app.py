"""The panel's addresses: page, pictures, backdrop folder, and those of the API's verbs that a page may ask for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from camdaemon import __version__
from camdaemon.control import api
from camdaemon.control.bodies import Answer, ModeAsked, _Asked
from camdaemon.control.panel.guard import TYPE_AGAIN, UPLOAD, Guard, Refused, Session, Sessions, cookie_name
from camdaemon.control.verbs import Gallery, Preview, Verbs, View

CAMERA_S = 30.0  # seconds that the camera may be seen after a press
_PICTURE_S = 1.0  # seconds to wait for a picture before the answer is "none yet"

# Named one by one: a verb that the API learns one day is not the panel's by that. /mode is our own, /stop is not here.
_VERBS = {
    *("/plate", "/backdrop", "/backdrop/next", "/backdrop/previous", "/scene"),
    *("/card", "/pause", "/mirror", "/adjust", "/reload"),
}
_PAGE = Path(__file__).parent / "page"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_STATIC = {path.name: path for path in _PAGE.iterdir() if path.suffix in _TYPES}  # nothing else is ever served


class CameraAsked(_Asked):
    show: bool = Field(description=f"true for {CAMERA_S:g} s, on this page only")


class Tile(BaseModel):
    name: str
    spec: str
    kind: str
    thumbnail: str = Field(description="the address of its small picture")


class Added(Answer):
    name: str = Field(description="what the file is called in the backdrop folder")


def make_app(verbs: Verbs, gallery: Gallery, preview: Preview, sessions: Sessions, port: int) -> FastAPI:
    """The panel as an ASGI application for 127.0.0.1:`port`, behind a `Guard`. `app.state.ending`: see api.make_app."""
    whole = api.make_app(verbs)
    app = FastAPI(title="camdaemon panel", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.ending = ending = whole.state.ending
    app.router.routes += [each for each in whole.routes if isinstance(each, APIRoute) and each.path in _VERBS]
    api._answer_errors(app)

    @app.exception_handler(Refused)
    async def refused(_: Request, wrong: Refused) -> JSONResponse:
        return JSONResponse({"error": wrong.detail}, wrong.status_code)

    @app.post("/mode")
    async def mode(asked: ModeAsked) -> Answer:
        """Show the matte or the privacy card."""
        if asked.mode == "passthrough":  # one wrong press must not show a room
            raise Refused(403, "the panel never shows your room to viewers; if you mean it: camdaemon mode passthrough")
        return Answer(message=await api._blocking(partial(verbs.mode, asked.mode), ending))

    _add_page(app, sessions, port)
    _add_views(app, verbs, preview, sessions)
    _add_backdrops(app, verbs, gallery)
    app.add_middleware(Guard, sessions=sessions, port=port)
    return app


def _add_page(app: FastAPI, sessions: Sessions, port: int) -> None:
    @app.get("/open")
    async def let_in(token: str = "") -> Response:
        """Trade a token for a session."""
        session = sessions.redeem(token)
        if session is None:
            return PlainTextResponse(f"This address works once, and for a minute; {TYPE_AGAIN}\n", 403)
        # Not a redirect: the file that sent the browser here is another site to it, and until the browser stands on a
        # page of ours it would keep a strict cookie to itself.
        answer = HTMLResponse('<!doctype html><title>camdaemon</title><meta http-equiv="refresh" content="0;url=/">')
        answer.set_cookie(cookie_name(port), session.cookie, path="/", httponly=True, samesite="strict")
        return answer

    @app.get("/static/{name}")
    async def static(name: str) -> Response:
        """What the page is made of."""
        if name not in _STATIC:
            raise Refused(404, "the panel has no such file; reload the page")
        return Response(_STATIC[name].read_bytes(), media_type=_TYPES[_STATIC[name].suffix])

    @app.get("/")
    async def page() -> Response:
        """The page."""
        return await static("index.html")


def _add_views(app: FastAPI, verbs: Verbs, preview: Preview, sessions: Sessions) -> None:
    ending: asyncio.Event = app.state.ending

    @app.get("/events", response_class=StreamingResponse)
    async def events() -> StreamingResponse:
        """The status once a second as server-sent events. Whoever reads them is an open page."""
        return StreamingResponse(_seen_events(verbs, ending, sessions), media_type="text/event-stream")

    @app.post("/camera")
    async def camera(asked: CameraAsked, request: Request) -> Answer:
        """Let this session see the camera for a while, or no longer."""
        session: Session = request.state.session
        session.camera_until = sessions.clock() + (CAMERA_S if asked.show else 0)
        return Answer(message=f"Only you see this, for {CAMERA_S:g} seconds." if asked.show else "Camera hidden.")

    @app.get("/view/{view}", response_class=Response)
    async def picture(view: View, request: Request, after: int = Query(-1, ge=-1)) -> Response:
        """One JPEG, newer than number `after`; its own number is in X-Picture. 204: there is none yet."""
        wait = _PICTURE_S
        if view == "camera":
            session: Session = request.state.session
            wait = min(wait, session.camera_until - sessions.clock())
            if wait <= 0:
                raise Refused(403, "the camera is shown for half a minute after a press; press “Camera” again")
        found = await api._blocking(partial(preview.jpeg, view, after, wait), ending)
        if found is None:
            return Response(status_code=204)
        return Response(found[1], media_type="image/jpeg", headers={"X-Picture": str(found[0])})


async def _seen_events(verbs: Verbs, ending: asyncio.Event, sessions: Sessions) -> AsyncIterator[str]:
    async with aclosing(api._events(verbs, ending)) as events:  # type: ignore[type-var]  # it is a generator
        async for event in events:
            sessions.seen()
            yield event


def _add_backdrops(app: FastAPI, verbs: Verbs, gallery: Gallery) -> None:
    ending: asyncio.Event = app.state.ending

    @app.get(UPLOAD)
    async def backdrops() -> list[Tile]:
        """What lies in the backdrop folder."""
        files = await api._blocking(verbs.backdrops, ending)
        small = f"{UPLOAD}/thumb?name="
        return [Tile(name=f.name, spec=f.spec, kind=f.kind, thumbnail=small + quote(f.name, safe="")) for f in files]

    @app.get(f"{UPLOAD}/thumb", response_class=Response)
    async def thumbnail(name: str) -> Response:
        """The small picture of one of them."""
        return Response(await api._blocking(partial(gallery.thumbnail, name), ending), media_type="image/jpeg")

    @app.post(UPLOAD)
    async def add(request: Request, name: str = Query(min_length=1, max_length=255)) -> Added:
        """Keep the file that the body is. It is not shown yet."""
        try:
            data = b"".join([chunk async for chunk in request.stream()])
        except ClientDisconnect:
            raise Refused(400, f"the upload of {name} broke off; send it again") from None
        kept = await api._blocking(partial(gallery.add, name, data), ending)
        return Added(message=f"{kept} is in the backdrop folder now.", name=kept)
