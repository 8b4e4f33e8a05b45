"""What the panel answers, and how its server comes and goes."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from typing import Any

import httpx
import pytest

from camdaemon.control import table
from camdaemon.control.panel import app
from camdaemon.control.panel.server import PanelServer
from camdaemon.errors import ControlError, DeviceError, PlateRefused


def running() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "panel"]


def test_the_page_is_whole_small_and_asks_nobody_else(http: httpx.Client) -> None:
    page = http.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    total = len(page.content)
    for name in [*re.findall(r'(?:src|href)="/static/([^"]+)"', page.text), "view.js", "gallery.js", "graphs.js"]:
        part = http.get(f"/static/{name}")
        assert part.status_code == 200
        total += len(part.content)
    assert total < 60_000
    for path in app._STATIC.values():
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "//" not in re.sub(r"(^|\s)//.*|/\*\*.*", "", text, flags=re.MULTILINE)  # no address of another host
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|eval\(|\son\w+=\"|\sstyle=\"|<style", text)


@pytest.mark.parametrize("name", ["..%2fapp.py", "%2e%2e/app.py", "../app.py", "/etc/passwd", "app.py", "", "x.js"])
def test_only_the_pages_own_files_are_served(http: httpx.Client, name: str) -> None:
    assert http.get(httpx.URL(str(http.base_url) + f"/static/{name}")).status_code in (404, 405)


@pytest.mark.parametrize(
    ("path", "body", "asked"),
    [
        ("/plate", {"countdown": 3}, ("plate", 3.0)),
        ("/backdrop", {"spec": "color:#102030"}, ("backdrop", "color:#102030")),
        ("/backdrop/next", {}, ("next",)),
        ("/backdrop/previous", {}, ("previous",)),
        ("/scene", {"name": "work"}, ("scene", "work")),
        ("/mode", {"mode": "card"}, ("mode", "card")),
        ("/mode", {"mode": "matte"}, ("mode", "matte")),
        ("/card", {"turn": "on"}, ("card", "on")),
        ("/pause", {"turn": "toggle"}, ("pause", "toggle")),
        ("/mirror", {"turn": "off"}, ("mirror", "off")),
        ("/adjust", {"edge": -0.25}, ("adjust", -0.25, None)),
        ("/adjust", {"blur": 12}, ("adjust", None, 12.0)),
        ("/crop", {"left": 0.2, "width": 0.5}, ("crop", 0.2, 0.0, 0.5, 1.0)),
        ("/crop/off", {}, ("uncrop",)),
        ("/reset", {}, ("reset",)),
        ("/reload", {}, ("reload",)),
    ],
)
def test_a_verb_reaches_the_daemon(panel: Any, http: httpx.Client, path: str, body: object, asked: object) -> None:
    answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"message"}
    assert panel.daemon.asked == [asked]


def test_the_panel_takes_no_more_of_the_api_than_it_names(panel: Any, http: httpx.Client) -> None:
    own = {
        "/",
        "/open",
        "/static/{name}",
        "/events",
        "/camera",
        "/view/{view}",
        "/backdrops",
        "/backdrops/thumb",
        "/plate/picture",
        "/mode",
    }
    given = {command.path for command in table.TABLE if command.panel}
    assert set(http.get("/openapi.json").json()["paths"]) == given | own
    assert given == {
        *("/plate", "/plate/cancel", "/backdrop", "/backdrop/next", "/backdrop/previous", "/scene"),
        *("/card", "/pause", "/mirror", "/crop", "/crop/off", "/reset", "/adjust", "/reload"),
    }  # named one by one: another one is to be marked on purpose
    for path in ("/stop", "/panel"):
        assert http.post(path, json={}).status_code == 404
    assert panel.daemon.asked == []


def test_passthrough_needs_the_command_line(panel: Any, http: httpx.Client) -> None:
    answer = http.post("/mode", json={"mode": "passthrough"})
    assert answer.status_code == 403
    assert answer.json()["error"].endswith("camdaemon mode passthrough")
    assert panel.daemon.asked == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/mode", {"mode": "raw"}),
        ("/pause", {"turn": "maybe"}),
        ("/adjust", {"edge": 1.5}),
        ("/adjust", {"blur": -1}),
        ("/camera", {}),
        ("/plate", ["countdown"]),
    ],
)
def test_a_wrong_request_is_explained(panel: Any, http: httpx.Client, path: str, body: object) -> None:
    answer = http.post(path, json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]
    assert panel.daemon.asked == []


@pytest.mark.parametrize(("error", "code"), [(PlateRefused("it moved; again"), 409), (DeviceError("gone; plug"), 503)])
def test_an_error_keeps_its_sentence(panel: Any, http: httpx.Client, error: Exception, code: int) -> None:
    panel.daemon.error = error
    answer = http.post("/plate", json={"countdown": 0})
    assert (answer.status_code, answer.json()) == (code, {"error": str(error)})


def test_pictures_are_newer_than_the_last_one(panel: Any, http: httpx.Client) -> None:
    last = -1
    for view in ("composite", "composite", "alpha"):
        answer = http.get(f"/view/{view}", params={"after": last})
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.content.startswith(b"\xff\xd8")
        assert int(answer.headers["x-picture"]) > last
        last = int(answer.headers["x-picture"])
    assert panel.daemon.made == {"composite": 2, "alpha": 1}
    assert http.get("/view/room").status_code == 422


def test_no_picture_yet_is_no_error(http: httpx.Client) -> None:
    answer = http.get("/view/composite", params={"after": 10**9})
    assert (answer.status_code, answer.content) == (204, b"")


def test_the_camera_is_shown_after_a_press_for_half_a_minute(panel: Any, http: httpx.Client) -> None:
    def look(client: httpx.Client) -> int:
        return client.get("/view/camera").status_code

    assert "press" in http.get("/view/camera").json()["error"]
    assert panel.daemon.made == {}
    assert http.post("/camera", json={"show": True}).status_code == 200
    assert look(http) == 200
    with panel.client() as other:
        assert look(other) == 403  # the press was another browser's
    panel.clock.now += app.CAMERA_S - 1
    assert look(http) == 200
    panel.clock.now += 1
    assert look(http) == 403
    http.post("/camera", json={"show": True})
    http.post("/camera", json={"show": False})
    assert look(http) == 403


def test_backdrops_come_with_their_thumbnails(panel: Any, http: httpx.Client) -> None:
    odd = "a&b=c #1/é.jpg"
    panel.daemon.files = {"dawn.jpg": b"dawn", odd: b"odd", "waves.mp4": b"waves"}
    tiles = http.get("/backdrops").json()
    assert [(tile["name"], tile["kind"]) for tile in tiles] == [
        (odd, "image"),
        ("dawn.jpg", "image"),
        ("waves.mp4", "video"),
    ]
    for tile in tiles:
        picture = http.get(tile["thumbnail"])
        assert picture.headers["content-type"] == "image/jpeg"
        assert picture.content == panel.daemon.files[tile["name"]]


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..\\x.jpg", "a\x00.jpg", "C:x", "."])
def test_a_name_is_judged_by_the_gallery_alone(panel: Any, http: httpx.Client, name: str) -> None:
    assert http.get("/backdrops/thumb", params={"name": name}).status_code == 422
    http.post("/backdrops", params={"name": name}, content=b"x", headers={"Content-Type": "application/octet-stream"})
    assert panel.daemon.asked == [("thumbnail", name), ("add", name, 1)]


def test_an_upload_is_kept_and_not_shown(panel: Any, http: httpx.Client) -> None:
    data = panel.daemon.files["dawn.jpg"]
    raw = {"Content-Type": "application/octet-stream"}
    answer = http.post("/backdrops?name=new.jpg", content=data, headers=raw)
    assert (answer.status_code, answer.json()["name"]) == (200, "new.jpg")
    assert panel.daemon.files["new.jpg"] == data
    wrong = http.post("/backdrops?name=song.mp3", content=b"ID3", headers=raw)
    assert wrong.status_code == 422
    assert re.match(r"song\.mp3 .*neither.*picture.*video", wrong.json()["error"])
    assert http.post("/backdrops", content=data, headers=raw).status_code == 422
    assert {asked[0] for asked in panel.daemon.asked} == {"add"}


def test_others_are_answered_while_a_plate_is_awaited(panel: Any, http: httpx.Client) -> None:
    panel.daemon.hang = True
    answers: list[int] = []

    def plate() -> None:
        answers.append(http.post("/plate", json={"countdown": 0}).status_code)

    waiting = threading.Thread(target=plate)
    waiting.start()
    assert panel.daemon.in_plate.wait(60)
    with panel.client() as other:
        began = time.monotonic()
        assert other.get("/view/composite").status_code == 200
        assert other.post("/mode", json={"mode": "card"}).status_code == 200
        assert time.monotonic() - began < 60
    assert answers == []
    panel.daemon.go_on.set()
    waiting.join(60)
    assert answers == [200]


def test_events_are_the_status(http: httpx.Client) -> None:
    with http.stream("GET", "/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        first = next(line for line in stream.iter_lines() if line)
    assert json.loads(first.removeprefix("data: "))["mode"] == "matte"


def test_it_listens_only_while_asked_for(fresh: Any) -> None:
    fresh.server.close()  # harmless before
    before = len(running())
    url = fresh.token_url()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/open\?token=[\w-]{43}", url)
    again = fresh.token_url()
    assert again.partition("?")[0] == url.partition("?")[0]
    assert again != url
    assert len(running()) == before + 1
    fresh.server.close()
    fresh.server.close()
    assert len(running()) == before
    with pytest.raises(httpx.ConnectError), httpx.Client(trust_env=False) as client:
        client.get(url)
    with fresh.client() as anew:
        assert anew.get("/").status_code == 200


def test_it_ends_by_itself_when_no_page_is_open(fresh: Any) -> None:
    before = running()
    with fresh.client() as http:
        (thread,) = set(running()) - set(before)
        with http.stream("GET", "/events") as stream:
            lines = stream.iter_lines()
            next(lines)
            fresh.clock.now += 299
            while fresh.server._running.sessions.idle_s() > 0:  # until the next event
                next(lines)
            fresh.clock.now += 299
            assert thread.is_alive()
            assert http.get("/").status_code == 200
        fresh.clock.now += 301
        thread.join(60)
        assert not thread.is_alive()
    with fresh.client() as anew:
        assert anew.get("/").status_code == 200


def test_close_is_bounded_whoever_is_connected(fresh: Any, caplog: pytest.LogCaptureFixture) -> None:
    before = running()
    fresh.daemon.hang = True
    reading = threading.Event()

    def read(http: httpx.Client) -> None:
        with http.stream("GET", "/events") as stream:
            for _ in stream.iter_lines():
                reading.set()

    with fresh.client() as one, fresh.client() as two, socket.socket() as mute:
        mute.connect(("127.0.0.1", one.base_url.port))
        plate = threading.Thread(target=lambda: one.post("/plate", json={"countdown": 0}))
        events = threading.Thread(target=read, args=(two,))
        plate.start()
        events.start()
        assert fresh.daemon.in_plate.wait(60)
        assert reading.wait(60)
        began = time.monotonic()
        fresh.server.close()
        assert time.monotonic() - began < 60
        plate.join(60)
        events.join(60)
        assert not plate.is_alive()
        assert not events.is_alive()
    assert running() == before
    assert caplog.records == []


def test_no_port_is_an_error_for_people(panel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "create_server", full)
    server = PanelServer(panel.daemon)
    with pytest.raises(ControlError, match=r"open files.*camdaemon panel"):
        server.open(panel.daemon, panel.daemon)
    server.close()
