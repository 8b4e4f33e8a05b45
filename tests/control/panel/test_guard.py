"""Who is let in: the session that a token buys, our own Host and Origin, and no more bytes than allowed."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from camdaemon.control.panel import guard
from camdaemon.control.panel import sessions as sessions_module
from camdaemon.control.panel.sessions import RELOAD_S, TOKEN_S, Sessions

ADDRESSES = ["/events", "/openapi.json", "/backdrops", "/backdrops/thumb?name=dawn.jpg"]
ADDRESSES += ["/view/composite", "/view/alpha", "/view/camera", "/nothing", "/docs"]
ADDRESSES += ["/static", "/statics/panel.js"]
ADDRESSES += ["/open%3F/../view/camera", "/open%23", "/open/", "/open/../backdrops", "/%6fpen/"]
POSTS = ["/plate", "/backdrop", "/backdrop/next", "/backdrop/previous", "/scene", "/mode", "/card", "/pause"]
POSTS += ["/mirror", "/adjust", "/reload", "/crop", "/crop/off", "/reset", "/camera", "/backdrops?name=x.jpg"]


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
    with socket.create_connection(("127.0.0.1", port), timeout=60) as wire:
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
    assert sessions.find(session.key) is session
    assert sessions.find(session.key + "x") is None
    assert sessions.find("") is None
    now[0] = TOKEN_S
    assert sessions.redeem(two) is None


def test_only_the_newest_sessions_stay() -> None:
    sessions = Sessions()
    opened = [sessions.redeem(sessions.issue()) for _ in range(sessions_module._SESSIONS + 1)]
    keys = [session.key for session in opened if session is not None]
    assert len(keys) == len(opened)
    assert sessions.find(keys[0]) is None
    assert all(sessions.find(key) for key in keys[1:])


def test_a_session_ends_with_its_last_page() -> None:
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    session = sessions.redeem(sessions.issue())
    assert session
    now[0] += TOKEN_S - 1  # the browser takes its time
    assert sessions.find(session.key)
    with sessions.open_page(session, "one") as stay:
        for _ in range(100):
            now[0] += 10
            assert stay() == "none"
    now[0] += RELOAD_S - 1
    assert sessions.find(session.key)
    with sessions.open_page(session, "one, loaded again") as stay:
        stay()
    now[0] += RELOAD_S
    assert sessions.find(session.key) is None


def test_a_session_that_no_page_was_opened_for_ends_too() -> None:
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    session = sessions.redeem(sessions.issue())
    assert session
    now[0] += TOKEN_S
    assert sessions.find(session.key) is None


def test_each_page_is_told_what_the_others_do() -> None:
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    mine, stolen = sessions.redeem(sessions.issue()), sessions.redeem(sessions.issue())
    assert mine
    assert stolen
    with sessions.open_page(mine, "first") as first:
        sessions.record_look(mine, "first")
        assert first() == "none"  # it knows of its own look
        with sessions.open_page(mine, "second") as second:
            assert (first(), second()) == ("open", "camera")
            now[0] += 3
            assert (first(), second()) == ("open", "open")
        assert first() == "none"
        sessions.record_look(stolen, "first")  # no page, and another's name
        assert first() == "camera"
        now[0] += 3
        assert first() == "none"


def test_a_token_is_traded_for_a_key_and_no_cookie(panel: Any, stranger: httpx.Client) -> None:
    """A browser sends a cookie of 127.0.0.1 to every server there, whatever its port."""
    key = panel.key(stranger)
    for path in ("/", "/static/panel.js", "/events", "/view/composite"):
        assert "set-cookie" not in stranger.get(path).headers
    stranger.headers["Authorization"] = f"Bearer {key}"
    assert stranger.get("/view/composite").status_code == 200


def test_a_used_wrong_or_old_token_says_what_to_type(panel: Any, stranger: httpx.Client) -> None:
    url = panel.token_url()
    stranger.get(url)
    late = panel.token_url()
    panel.clock.now += TOKEN_S + 1
    for address in (url, late, "/open?token=guess", "/open"):
        assert refused(stranger.get(address)).endswith("camdaemon panel\n")


@pytest.mark.parametrize(
    "headers",
    [{}, {"Cookie": "session=guess"}, {"Authorization": "guess"}, {"Authorization": "Bearer"}]
    + [{"Authorization": f"{scheme} {key}"} for scheme in ("Bearer", "Basic") for key in ("guess", "x" * 4000)],
)
def test_without_a_session_nothing_is_answered(panel: Any, stranger: httpx.Client, headers: dict[str, str]) -> None:
    stranger.headers.update(headers)
    for path in ADDRESSES:
        assert "camdaemon panel" in refused(stranger.get(path))
    for path in POSTS:
        refused(post(stranger, path))
    assert panel.daemon.asked == []


@pytest.mark.parametrize(
    "path", [b"//", b"//open", b"//static/panel.js", b"/static", b"/\xff", b"http://127.0.0.1/view/camera"]
)
def test_an_odd_address_needs_a_session_too(panel: Any, path: bytes) -> None:
    panel.token_url()
    answer = talk(panel, b"GET " + path + b" HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n", hang_up=True)
    assert answer.split()[1] in (b"403", b"400"), path


def test_the_key_counts_in_its_own_header_alone(panel: Any, stranger: httpx.Client) -> None:
    key = panel.key(stranger)
    for headers in ({"Cookie": f"session={key}"}, {"Authorization": key}, {"Authorization": f"bearer{key}"}):
        refused(stranger.get("/view/composite", headers=headers))
    refused(stranger.get(f"/view/composite?session={key}&token={key}"))


def test_the_pages_own_files_are_the_same_for_everybody(http: httpx.Client, stranger: httpx.Client) -> None:
    """They hold nothing of the user's, and a browser can ask for them before the page has its key."""
    for path in ("/", "/static/panel.js", "/static/open.js", "/static/panel.css", "/static/icon.svg"):
        assert stranger.get(path).content == http.get(path).content


def test_another_panels_key_is_none_of_ours(fresh: Any, http: httpx.Client) -> None:
    with fresh.stranger() as again:
        again.headers["Authorization"] = http.headers["Authorization"]
        refused(again.get("/view/composite"))


def test_a_session_ends_a_while_after_its_last_page(fresh: Any) -> None:
    with fresh.client() as http:
        with http.stream("GET", "/events") as stream:
            next(stream.iter_lines())
        fresh.clock.now += RELOAD_S - 1
        assert http.get("/view/composite").status_code == 200
        fresh.clock.now += 2
        assert "closed meanwhile" in refused(http.get("/view/composite"))


def test_every_page_is_told_when_another_looks_at_the_camera(panel: Any, http: httpx.Client) -> None:
    def told(lines: Iterator[str]) -> str:
        """The next event of the kind 'others'."""
        assert "event: others" in lines
        return str(json.loads(next(lines).removeprefix("data: ")))

    with http.stream("GET", "/events", headers={"Panel-Page": "mine"}) as stream, panel.client() as other:
        lines = stream.iter_lines()
        assert told(lines) == "none"
        other.post("/camera", json={"show": True})
        assert other.get("/view/camera").status_code == 200
        assert told(lines) == "camera"
        other.post("/camera", json={"show": False})
        assert told(lines) == "none"


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
    """same-site: another port of 127.0.0.1."""
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
        assert {csp[f"{kind}-src"] for kind in ("script", "style", "connect")} == {"'self'"}
        assert csp["img-src"] == "'self' blob:"  # thumbnails, which the page fetches
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
    key = http.headers["Authorization"].encode()
    head = b"POST /backdrop HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nOrigin: http://127.0.0.1:PORT\r\nAuthorization: " + key
    head += b"\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n"
    answer = talk(panel, head + b'{"spec": "blur"}' + b"x" * 2000)
    assert answer.startswith(b"HTTP/1.1 200")
    assert panel.daemon.asked == [("backdrop", "blur")]


@pytest.mark.parametrize("kind", ["json", "octet-stream"])
def test_a_body_shorter_than_announced_does_nothing(
    panel: Any, http: httpx.Client, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = {"json": b"/backdrop", "octet-stream": b"/backdrops?name=x.jpg"}[kind]
    key = http.headers["Authorization"].encode()
    head = (
        b"POST " + path + b" HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nOrigin: http://127.0.0.1:PORT\r\nAuthorization: " + key
    )
    head += b"\r\nContent-Type: application/" + kind.encode() + b"\r\nContent-Length: 500\r\n\r\n"
    talk(panel, head + b'{"spec": "blur"}', hang_up=True)
    assert http.get("/").status_code == 200
    assert panel.daemon.asked == []
    assert not [record for record in caplog.records if record.exc_info]
