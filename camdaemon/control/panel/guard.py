"""Decides which requests the panel answers: those of the browser that `camdaemon panel` sent here.

A page on the web can make that browser send requests to 127.0.0.1, and another user of the machine can connect to any
port. So a request needs the cookie that only a one-time token is traded for and our own Host (against DNS rebinding). A
request that changes something needs our own Origin as well.
"""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from camdaemon.control.http import MOST_BYTES, limit_body

TYPE_AGAIN = "Run: camdaemon panel"
TOKEN_S = 60.0  # seconds a token may wait for its browser
UPLOAD = "/backdrops"  # the one address that takes a file
MAX_UPLOAD, MAX_JSON = 64 << 20, MOST_BYTES  # bytes of a body; uploads are held in memory
_OUR_SITES = ("same-origin", "none")  # none: typed, or from a bookmark
_SESSIONS = 16  # the oldest ends when there are more

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
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


@dataclass
class Session:
    """One browser that was let in."""

    cookie: str
    camera_until: float = -math.inf  # the clock's second until which it may see the camera before the matte


class Sessions:
    """One-time tokens, and the sessions that they are traded for. Any thread. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, float] = {}  # token → the second at which it expires
        self._sessions: deque[Session] = deque(maxlen=_SESSIONS)
        self._seen = clock()

    def issue(self) -> str:
        """Make a token that is good for one session within `TOKEN_S`."""
        now, token = self.clock(), secrets.token_urlsafe(32)
        with self._lock:
            self._tokens = {old: end for old, end in self._tokens.items() if end > now} | {token: now + TOKEN_S}
            self._seen = now
        return token

    def redeem(self, token: str) -> Session | None:
        """Trade `token` for a new session; None if it is wrong, used or too old."""
        with self._lock:
            known = next((known for known in self._tokens if _same(known, token)), None)
            if known is None or self._tokens.pop(known) <= self.clock():
                return None
            session = Session(secrets.token_urlsafe(32))
            self._sessions.append(session)
            return session

    def find(self, cookie: str) -> Session | None:
        """Return the session of `cookie`; None if there is none."""
        with self._lock:
            return next((session for session in self._sessions if _same(session.cookie, cookie)), None)

    def record_page(self) -> None:
        """Record that a page is open now."""
        self._seen = self.clock()

    def idle_s(self) -> float:
        """Return the seconds since a page was open or asked for."""
        return self.clock() - self._seen


def _same(ours: str, theirs: str) -> bool:
    return secrets.compare_digest(ours.encode(), theirs.encode("utf-8", "replace"))


class Guard:
    """ASGI middleware that lets in a session's requests to 127.0.0.1:`port` and refuses all others with a sentence.

    The app finds the `Session` in `request.state.session`; only /open is reached without one. Reading more of a body
    than is allowed raises `Refused` there. All answers get the headers that keep other sites out.
    """

    def __init__(self, app: ASGIApp, sessions: Sessions, port: int) -> None:
        self._app, self._sessions = app, sessions
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._origins = {f"http://{host}" for host in self._hosts}
        self._cookie = cookie_name(port)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, see ASGI 3. Only HTTP is answered."""
        if scope["type"] != "http":
            return
        request = Request(scope)
        try:
            self._check_sender(request)
            if get_path(request) != "/open":
                request.state.session = self._session(request)
            limit = _check_body(request)
        except Refused as exc:
            no = PlainTextResponse(exc.detail + "\n", exc.status_code)
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
        session = self._sessions.find(request.cookies.get(self._cookie, ""))
        if session is None:
            raise Refused(403, f"this browser was not let in, or the panel was closed meanwhile. {TYPE_AGAIN}")
        return session


def get_path(request: Request) -> str:
    """Return the path as the router takes it; request.url parses it once more."""
    return str(request.scope["path"])


def cookie_name(port: int) -> str:
    """Name the cookie by the port: cookies know hosts only, and two panels would overwrite each other's."""
    return f"camdaemon_panel_{port}"


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
