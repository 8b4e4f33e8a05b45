"""Who is let in: the cookie that a token buys, our own Host and Origin, and no more bytes than allowed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from camdaemon.control.panel import guard
from camdaemon.control.panel.guard import Sessions

ADDRESSES = ["/", "/static/panel.js", "/events", "/openapi.json", "/backdrops", "/backdrops/thumb?name=dawn.jpg"]
ADDRESSES += ["/view/composite", "/view/alpha", "/view/camera", "/nothing", "/docs"]
ADDRESSES += ["/open%3F/../view/camera", "/open%23", "//open", "/open/", "/open/../backdrops", "/%6fpen/"]
POSTS = ["/plate", "/backdrop", "/backdrop/next", "/backdrop/previous", "/scene", "/mode", "/card", "/pause"]
POSTS += ["/mirror", "/adjust", "/reload", "/camera", "/backdrops?name=x.jpg"]


@pytest.fixture
def stranger(panel: Any) -> Iterator[httpx.Client]:
    with panel.stranger() as client:
        yield client


def refused(answer: httpx.Response, code: int = 403) -> str:
    """Its sentence."""
    assert answer.status_code == code, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.text


def post(client: httpx.Client, path: str, **options: Any) -> httpx.Response:
    kind = "application/octet-stream" if path.startswith("/backdrops") else "application/json"
    return client.post(path, content=b"{}", headers={"Content-Type": kind} | options.pop("headers", {}), **options)


def talk(panel: Any, request: bytes, *, hang_up: bool = False) -> bytes:
    """Send bytes that no HTTP library would; what is answered until the server hangs up, or we after the last byte."""
    port = int(panel.address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as wire:
        wire.sendall(request.replace(b"PORT", str(port).encode()))
        if hang_up:
            wire.shutdown(socket.SHUT_WR)
        answer = b""
        while more := wire.recv(65536):
            answer += more
    return answer


def test_a_token_buys_one_session() -> None:
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    one, two = sessions.issue(), sessions.issue()
    assert sessions.redeem("") is None
    assert sessions.redeem("é\ud800") is None
    session = sessions.redeem(one)
    assert session is not None
    assert sessions.redeem(one) is None
    assert sessions.find(session.cookie) is session
    assert sessions.find(session.cookie + "x") is None
    assert sessions.find("") is None
    now[0] = guard.TOKEN_S
    assert sessions.redeem(two) is None


def test_only_the_newest_sessions_stay() -> None:
    sessions = Sessions()
    opened = [sessions.redeem(sessions.issue()) for _ in range(guard._SESSIONS + 1)]
    cookies = [session.cookie for session in opened if session is not None]
    assert len(cookies) == len(opened)
    assert sessions.find(cookies[0]) is None
    assert all(sessions.find(cookie) for cookie in cookies[1:])


def test_a_token_is_traded_for_a_strict_cookie(panel: Any, stranger: httpx.Client) -> None:
    answer = stranger.get(panel.token_url())
    assert (answer.status_code, "0;url=/" in answer.text) == (200, True)
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "Path=/", "SameSite=strict"} < set(cookie.split("; "))
    assert "Expires" not in cookie
    assert stranger.get("/").status_code == 200


def test_a_used_wrong_or_old_token_says_what_to_type(panel: Any, stranger: httpx.Client) -> None:
    url = panel.token_url()
    stranger.get(url)
    stranger.cookies.clear()
    late = panel.token_url()
    panel.clock.now += guard.TOKEN_S + 1
    for address in (url, late, "/open?token=guess", "/open"):
        answer = stranger.get(address)
        assert refused(answer).endswith("camdaemon panel\n")
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("cookie", [None, "", "guess", "x" * 4000])
def test_without_the_cookie_nothing_is_answered(panel: Any, stranger: httpx.Client, cookie: str | None) -> None:
    if cookie is not None:
        assert stranger.base_url.port is not None
        stranger.headers["Cookie"] = f"{guard.cookie_name(stranger.base_url.port)}={cookie}"
    for path in ADDRESSES:
        assert "camdaemon panel" in refused(stranger.get(path))
    for path in POSTS:
        refused(post(stranger, path))
    assert panel.daemon.asked == []


def test_another_panels_cookie_is_none_of_ours(fresh: Any, http: httpx.Client) -> None:
    with fresh.stranger() as again:
        value = next(iter(http.cookies.values()))
        again.headers["Cookie"] = f"{guard.cookie_name(again.base_url.port)}={value}"
        refused(again.get("/"))


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example:PORT", "evil.example:PORT", "127.0.0.1", "127.0.0.1:1", "[::1]:PORT"],
)
def test_another_host_name_is_refused(panel: Any, http: httpx.Client, host: str) -> None:
    host = host.replace("PORT", str(http.base_url.port))
    for answer in (
        http.get("/", headers={"Host": host}),
        http.get(panel.token_url(), headers={"Host": host}),
        post(http, "/pause", headers={"Host": host}),
    ):
        assert "host name" in refused(answer)
    assert panel.daemon.asked == []


def test_localhost_is_our_name_too(http: httpx.Client) -> None:
    assert http.get("/", headers={"Host": f"localhost:{http.base_url.port}"}).status_code == 200


@pytest.mark.parametrize("hosts", [b"", b"Host: 127.0.0.1:PORT\r\nHost: evil.example\r\n"])
def test_no_host_or_two_are_refused(panel: Any, hosts: bytes) -> None:
    panel.token_url()
    assert talk(panel, b"GET / HTTP/1.0\r\n" + hosts + b"\r\n").split()[1] in (b"403", b"400")


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "http://127.0.0.1", "https://127.0.0.1:PORT", "http://127.0.0.1:1"]
)
def test_another_origin_changes_nothing(panel: Any, http: httpx.Client, origin: str | None) -> None:
    del http.headers["Origin"]
    if origin is not None:
        http.headers["Origin"] = origin.replace("PORT", str(http.base_url.port))
    for path in POSTS:
        assert "another site" in refused(post(http, path))
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        refused(http.request(method, "/mode"))
    assert (http.get("/").status_code == 200) == (origin is None)
    assert panel.daemon.asked == []


@pytest.mark.parametrize(
    ("site", "code"), [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)]
)
def test_the_browser_may_say_who_asks(http: httpx.Client, site: str, code: int) -> None:
    """same-site: another port of 127.0.0.1, which gets our cookie from the browser."""
    assert http.get("/view/alpha", headers={"Sec-Fetch-Site": site}).status_code == code


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_form_can_send_is_refused(panel: Any, http: httpx.Client, kind: str) -> None:
    for path in POSTS:
        assert "Content-Type: application/" in refused(post(http, path, headers={"Content-Type": kind}), 415)
    assert panel.daemon.asked == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_other_methods_do_nothing(panel: Any, http: httpx.Client, method: str) -> None:
    for path in ("/", "/plate", "/backdrops", "/view/composite"):
        assert http.request(method, path).status_code == 405
    assert panel.daemon.asked == []


def test_every_answer_keeps_other_sites_out(panel: Any, http: httpx.Client, stranger: httpx.Client) -> None:
    answers = [http.get("/"), http.get("/view/composite"), http.get("/nothing"), http.post("/mode", json={})]
    answers += [stranger.get("/"), stranger.get("/open"), stranger.get(panel.token_url())]
    for answer in answers:
        csp = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert csp["default-src"] == csp["frame-ancestors"] == csp["base-uri"] == csp["form-action"] == "'none'"
        assert {csp[f"{kind}-src"] for kind in ("script", "style", "img", "connect")} == {"'self'"}
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers


def pieces(size: int) -> Iterator[bytes]:
    """A chunked body: its length is not announced."""
    for _ in range(size // 1000):
        yield b" " * 1000


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize(("path", "limit"), [("/backdrop", guard.MAX_JSON), ("/backdrops?name=big.jpg", 200_000)])
def test_a_body_is_read_up_to_its_limit(
    panel: Any, http: httpx.Client, monkeypatch: pytest.MonkeyPatch, announced: bool, path: str, limit: int
) -> None:
    monkeypatch.setattr(guard, "MAX_UPLOAD", 200_000)
    content = b" " * (limit + 1000) if announced else pieces(limit + 2000)
    kind = "application/octet-stream" if "?" in path else "application/json"
    answer = http.post(path, content=content, headers={"Content-Type": kind})
    assert answer.status_code == 413
    assert "is larger than " in answer.text
    assert panel.daemon.asked == []
    assert http.get("/").status_code == 200


def test_a_body_longer_than_announced_is_cut(panel: Any, http: httpx.Client) -> None:
    cookie = "; ".join(f"{name}={value}" for name, value in http.cookies.items()).encode()
    head = b"POST /backdrop HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nOrigin: http://127.0.0.1:PORT\r\nCookie: " + cookie
    head += b"\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n"
    answer = talk(panel, head + b'{"spec": "blur"}' + b"x" * 2000)
    assert answer.startswith(b"HTTP/1.1 200")
    assert panel.daemon.asked == [("backdrop", "blur")]


@pytest.mark.parametrize("kind", ["json", "octet-stream"])
def test_a_body_shorter_than_announced_does_nothing(
    panel: Any, http: httpx.Client, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = {"json": b"/backdrop", "octet-stream": b"/backdrops?name=x.jpg"}[kind]
    cookie = "; ".join(f"{name}={value}" for name, value in http.cookies.items()).encode()
    head = b"POST " + path + b" HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nOrigin: http://127.0.0.1:PORT\r\nCookie: " + cookie
    head += b"\r\nContent-Type: application/" + kind.encode() + b"\r\nContent-Length: 500\r\n\r\n"
    talk(panel, head + b'{"spec": "blur"}', hang_up=True)
    assert http.get("/").status_code == 200
    assert panel.daemon.asked == []
    assert not [record for record in caplog.records if record.exc_info]
