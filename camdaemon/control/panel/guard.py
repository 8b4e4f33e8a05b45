"""Who may talk to the panel: one user's own browser on this machine, sent here by `camdaemon panel`.

A page on the web can make that browser send requests to 127.0.0.1, and another user of the machine can connect to any
port. So a request needs the cookie that only a one-time token buys, our own Host (against DNS rebinding), and for
anything that changes something our own Origin.
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

TYPE_AGAIN = "open the panel anew with: camdaemon panel"
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
    """A request that is not answered. `detail` is one sentence for people."""


@dataclass
class Session:
    """One browser. camera_until: the clock's second until which it may see the camera before the matte."""

    cookie: str
    camera_until: float = -math.inf


class Sessions:
    """One-time tokens, and the sessions that they buy. Any thread. `clock` gives seconds: time.monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, float] = {}  # and the second it ends at
        self._sessions: deque[Session] = deque(maxlen=_SESSIONS)
        self._seen = clock()

    def issue(self) -> str:
        """A token that buys one session within `TOKEN_S`."""
        now, token = self.clock(), secrets.token_urlsafe(32)
        with self._lock:
            self._tokens = {old: end for old, end in self._tokens.items() if end > now} | {token: now + TOKEN_S}
            self._seen = now
        return token

    def redeem(self, token: str) -> Session | None:
        """A new session for `token`, which is used up by that; None when it is wrong, used or too old."""
        with self._lock:
            known = next((known for known in self._tokens if _same(known, token)), None)
            if known is None or self._tokens.pop(known) <= self.clock():
                return None
            session = Session(secrets.token_urlsafe(32))
            self._sessions.append(session)
            return session

    def find(self, cookie: str) -> Session | None:
        """The session of `cookie`; None when there is none."""
        with self._lock:
            return next((session for session in self._sessions if _same(session.cookie, cookie)), None)

    def seen(self) -> None:
        """A page is open."""
        self._seen = self.clock()

    def lonely_s(self) -> float:
        """Seconds since a page was open or asked for."""
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
        """See ASGI 3. Nothing but HTTP is answered."""
        if scope["type"] != "http":
            return
        request = Request(scope)
        try:
            self._check_sender(request)
            if scope_path(request) != "/open":
                request.state.session = self._session(request)
            limit = _check_body(request)
        except Refused as exc:
            no = PlainTextResponse(exc.detail + "\n", exc.status_code)
            await no(scope, receive, _with_headers(send))
        else:
            await self._app(scope, limit_body(receive, limit, partial(_too_large, limit)), _with_headers(send))

    def _check_sender(self, request: Request) -> None:
        if len(hosts := request.headers.getlist("host")) != 1 or hosts[0] not in self._hosts:
            raise Refused(403, f"this host name is not the panel's; {TYPE_AGAIN}")
        # /open is reached from a file of the user's own, and from nowhere without its token.
        if scope_path(request) != "/open" and request.headers.get("sec-fetch-site", "none") not in _OUR_SITES:
            raise Refused(403, f"another site may not use the panel; {TYPE_AGAIN}")
        origins = request.headers.getlist("origin")
        reading = request.method in ("GET", "HEAD")
        if not (reading and not origins) and (len(origins) != 1 or origins[0] not in self._origins):
            raise Refused(403, f"another site may not use the panel; {TYPE_AGAIN}")

    def _session(self, request: Request) -> Session:
        session = self._sessions.find(request.cookies.get(self._cookie, ""))
        if session is None:
            raise Refused(403, f"this browser was not let in, or the panel was closed meanwhile; {TYPE_AGAIN}")
        return session


def scope_path(request: Request) -> str:
    """What the router goes by; request.url parses it once more."""
    return str(request.scope["path"])


def cookie_name(port: int) -> str:
    """Cookies know hosts but no ports, so that two panels would overwrite each other's."""
    return f"camdaemon_panel_{port}"


def _check_body(request: Request) -> int:
    """The most bytes that the body may have. What is announced is refused early; `limit_body` counts what comes."""
    path = scope_path(request)
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
        return Refused(413, f"the request is larger than {MAX_JSON >> 10} kB; send less")
    megabytes = MAX_UPLOAD >> 20
    return Refused(
        413,
        f"the file is larger than the {megabytes} MB that the panel takes; "
        "copy it into the backdrop folder, or show it from where it is: camdaemon backdrop FILE",
    )


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_HEADERS)
        await send(message)

    return sending
