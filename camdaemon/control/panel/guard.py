"""Decides which requests the panel answers: those of the page that `camdaemon panel` opened.

A page on the web can make a browser send requests to 127.0.0.1, and another user of the machine can connect to any port
and listen on one. So a request needs our own Host (against DNS rebinding) and, but for the page's own files, the key
that only a one-time token is traded for. The page sends it in a header. It is no cookie: a browser sends a cookie of
127.0.0.1 to every port there. A request that changes something needs our own Origin as well.
"""

from __future__ import annotations

from functools import partial

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from camdaemon.control.connections import let_in
from camdaemon.control.http import MOST_BYTES, limit_body
from camdaemon.control.panel.sessions import Session, Sessions

TYPE_AGAIN = "Run: camdaemon panel"
PAGE_HEADER = "Panel-Page"  # each page makes a name for itself, so that the others can be told of it
UPLOAD = "/backdrops"  # the one address that takes a file
MAX_UPLOAD, MAX_JSON = 64 << 20, MOST_BYTES  # bytes of a body; uploads are held in memory
_OUR_SITES = ("same-origin", "none")  # none: typed, or from a bookmark
_MOST_NAME = 64  # letters of a page's name for itself

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Refused(HTTPException):
    """A refused request. `detail` is one sentence for people."""


class Guard:
    """ASGI middleware that lets in a session's requests to 127.0.0.1:`port` and refuses all others with a sentence.

    The app finds the `Session` in `request.state.session`, and the page's own name for itself in `request.state.page`.
    Only the page's files and /open, which hold nothing of the user's, are answered without a session. Reading more of a
    body than is allowed raises `Refused` there. All answers get the headers that keep other sites out.
    """

    def __init__(self, app: ASGIApp, sessions: Sessions, port: int) -> None:
        self._app, self._sessions = app, sessions
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._origins = {f"http://{host}" for host in self._hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, see ASGI 3. Only HTTP is answered."""
        if scope["type"] != "http":
            return
        request = Request(scope)
        try:
            self._check_sender(request)
            if not is_public(get_path(request)):
                request.state.session = self._session(request)
                let_in(scope)
                request.state.page = request.headers.get(PAGE_HEADER, "")[:_MOST_NAME]
            limit = _check_body(request)
        except Refused as exc:
            no = PlainTextResponse(exc.detail + "\n", exc.status_code, {"Connection": "close"})
            await no(scope, receive, _with_headers(send))
        else:
            await self._app(scope, limit_body(receive, limit, partial(_too_large, limit)), _with_headers(send))

    def _check_sender(self, request: Request) -> None:
        if len(hosts := request.headers.getlist("host")) != 1 or hosts[0] not in self._hosts:
            raise Refused(403, f"this host name is not the panel's. {TYPE_AGAIN}")
        # /open is reached from a file of the user's own, and from nowhere without its token.
        if get_path(request) != "/open" and request.headers.get("sec-fetch-site", "none") not in _OUR_SITES:
            raise Refused(403, f"another site may not use the panel. {TYPE_AGAIN}")
        origins = request.headers.getlist("origin")
        reading = request.method in ("GET", "HEAD")
        if not (reading and not origins) and (len(origins) != 1 or origins[0] not in self._origins):
            raise Refused(403, f"another site may not use the panel. {TYPE_AGAIN}")

    def _session(self, request: Request) -> Session:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        session = self._sessions.find(key) if scheme == "Bearer" else None
        if session is None:
            raise Refused(403, f"this page was not let in, or it was closed meanwhile. {TYPE_AGAIN}")
        return session


def get_path(request: Request) -> str:
    """Return the path as the router takes it; request.url parses it once more."""
    return str(request.scope["path"])


def is_public(path: str) -> bool:
    """Whether what is at `path` is the same for everybody: the page's files, and where a token is traded."""
    return path in ("/", "/open") or path.startswith("/static/")


def _check_body(request: Request) -> int:
    """Return the most bytes that the body may have. Refuses early what is announced; `limit_body` counts what comes."""
    path = get_path(request)
    upload = path == UPLOAD
    kind, limit = ("application/octet-stream", MAX_UPLOAD) if upload else ("application/json", MAX_JSON)
    if request.method == "POST":
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != kind:
            raise Refused(415, f"{path} takes a body with the header Content-Type: {kind}")
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > limit:
            raise _too_large(limit)
    return limit


def _too_large(limit: int) -> Refused:
    if limit == MAX_JSON:
        return Refused(413, f"the request is larger than {MAX_JSON >> 10} kB. Send less")
    megabytes = MAX_UPLOAD >> 20
    return Refused(
        413,
        f"the file is larger than the {megabytes} MB that the panel takes. "
        "Copy it into the backdrop folder, or run: camdaemon backdrop FILE",
    )


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_HEADERS)
        await send(message)

    return sending
