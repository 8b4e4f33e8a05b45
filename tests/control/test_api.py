from __future__ import annotations

import os
import re
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from camdaemon.control import socket_file as socket_file_module
from camdaemon.control import table
from camdaemon.control.server import ApiServer
from camdaemon.errors import CamdaemonError, ConfigError, ControlError, DeviceError, MattingError, PlateRefused
from camdaemon.linux.descriptors import SparingSocket


def connect(path: Path) -> httpx.Client:
    wire = httpx.HTTPTransport(uds=str(path), verify=False)
    return httpx.Client(transport=wire, base_url="http://camdaemon", timeout=20, trust_env=False)


@pytest.fixture
def http(served: Any) -> Iterator[httpx.Client]:
    with connect(served.path) as client:
        yield client


@pytest.fixture
def verbs(served: Any) -> Any:
    return served.verbs


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize(
    ("verb", "body", "asked"),
    [
        ("plate", {"countdown": 2.5}, ("plate", 2.5)),
        ("backdrop", {"spec": "blur:8"}, ("backdrop", "blur:8")),
        ("mode", {"mode": "card"}, ("mode", "card")),
        ("stop", None, ("stop",)),
    ],
)
def test_a_verb_reaches_the_daemon(http: httpx.Client, verbs: Any, verb: str, body: object, asked: object) -> None:
    answer = http.post(f"/{verb}", json=body)
    assert (answer.status_code, answer.json()) == (200, {"message": f"done: {verb}."})
    assert verbs.asked == [asked]


def test_status_is_plain_json(http: httpx.Client) -> None:
    assert http.get("/status").json() == {"mode": "card", "fps": 29.9, "plate": None, "asked": 1}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("no such file; try another"), 422),
        (PlateRefused("the room moved; try again"), 409),
        (DeviceError("no camera; plug it in"), 503),
        (MattingError("no matte"), 500),
        (ControlError("stopping"), 500),
        (CamdaemonError("anything"), 500),
    ],
)
def test_an_error_of_ours_keeps_its_message(http: httpx.Client, verbs: Any, error: Exception, code: int) -> None:
    verbs.error = error
    answer = http.post("/backdrop", json={"spec": "x.png"})
    assert (answer.status_code, answer.json()) == (code, {"error": str(error)})


def test_a_bug_is_answered_and_logged(http: httpx.Client, verbs: Any, caplog: pytest.LogCaptureFixture) -> None:
    verbs.error = ZeroDivisionError("division by zero")
    answer = http.get("/status")
    assert answer.status_code == 500
    assert "ZeroDivisionError: division by zero" in answer.json()["error"]
    assert any(record.exc_info for record in caplog.records)
    verbs.error = None
    assert http.get("/status").status_code == 200


def test_a_status_that_is_no_json_is_a_bug_too(http: httpx.Client, verbs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(verbs), "status", lambda _: {"oops": object()})
    answer = http.get("/status")
    assert answer.status_code == 500
    assert answer.json()["error"].startswith("camdaemon failed (")


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/plate", {}, "countdown: .*required"),
        ("/plate", {"countdown": -1}, r"countdown: .*greater.*\b0, not -1"),
        ("/plate", {"countdwn": 1, "countdown": 1}, "countdwn: .*not permitted"),
        ("/mode", {"mode": "raw"}, "mode: .*'matte', 'card' or 'passthrough', not 'raw'"),
        ("/backdrop", {"spec": ""}, "spec: "),
        ("/backdrop", ["spec"], "not a JSON object"),
        ("/backdrop", None, "not a JSON object"),
    ],
)
def test_a_wrong_request_is_explained(http: httpx.Client, verbs: Any, path: str, body: object, words: str) -> None:
    answer = http.post(path, json=body)
    assert answer.status_code == 422
    assert list(answer.json()) == ["error"]
    assert re.search(words, answer.json()["error"])
    assert verbs.asked == []


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_not_json_is_explained(http: httpx.Client, kind: str) -> None:
    answer = http.post("/mode", content=b"mode=card", headers={"Content-Type": kind})
    assert answer.status_code == 422
    assert "Content-Type: application/json" in answer.json()["error"]


@pytest.mark.parametrize(("method", "path", "code"), [("GET", "/nothing", 404), ("GET", "/plate", 405)])
def test_a_wrong_address_is_explained(http: httpx.Client, method: str, path: str, code: int) -> None:
    answer = http.request(method, path)
    assert answer.status_code == code
    assert answer.json()["error"].startswith(f"{method} {path}: ")
    assert answer.json()["error"].endswith("/openapi.json")


def test_openapi_lists_the_verbs_and_our_errors(http: httpx.Client) -> None:
    paths = http.get("/openapi.json").json()["paths"]
    assert set(paths) == {command.path for command in table.TABLE} | {"/events"}
    body = paths["/adjust"]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    edge = http.get("/openapi.json").json()["components"]["schemas"][body]["properties"]["edge"]
    assert edge["anyOf"][0] == {"type": "number", "minimum": -1.0, "maximum": 1.0}
    (row,) = (each for each in table.find("adjust").parameters if each.name == "edge")
    assert edge["description"] == row.help
    refused = paths["/plate"]["post"]["responses"]["422"]["content"]["application/json"]["schema"]
    assert refused["$ref"].endswith("/Problem")
    assert "text/event-stream" in paths["/events"]["get"]["responses"]["200"]["content"]


def test_status_answers_while_a_plate_is_awaited(http: httpx.Client, verbs: Any) -> None:
    verbs.hang = True
    answers: list[int] = []
    waiting = threading.Thread(target=lambda: answers.append(http.post("/plate", json={"countdown": 0}).status_code))
    waiting.start()
    assert verbs.in_plate.wait(60)
    began = time.monotonic()
    assert http.get("/status").status_code == 200
    assert time.monotonic() - began < 60
    assert answers == []
    verbs.go_on.set()
    waiting.join(60)
    assert answers == [200]


def test_the_socket_is_private_from_its_first_moment(
    verbs: Any, socket_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = []

    class Watched(SparingSocket):
        def bind(self, address: Any) -> None:
            super().bind(address)
            first.append(permissions(Path(address)))

    monkeypatch.setattr(socket_file_module, "SparingSocket", Watched)
    server = ApiServer(verbs, socket_file)
    umask = os.umask(0)
    try:
        server.start()
        assert os.umask(0) == 0  # the process has its own umask back
        assert first == [0o600]
        assert permissions(socket_file) == 0o600
        assert permissions(socket_file.parent) == 0o700
    finally:
        os.umask(umask)
        server.stop()


def test_start_and_stop_leave_nothing_behind(verbs: Any, socket_file: Path) -> None:
    def running() -> int:
        return [thread.name for thread in threading.enumerate()].count("api")

    before = running()
    server = ApiServer(verbs, socket_file)
    server.stop()  # harmless before start
    for _ in range(2):
        server.start()
        assert running() == before + 1
        server.stop()
        server.stop()
        assert running() == before
        assert not socket_file.exists()


def test_a_taken_path_is_an_error_that_leaves_it_alone(served: Any) -> None:
    second = ApiServer(served.verbs, served.path)
    with pytest.raises(ControlError, match=r"another program answers.*camdaemon stop"):
        second.start()
    second.stop()
    assert served.path.exists()


def test_stop_hangs_up_on_whoever_does_not_read(fresh: Any) -> None:
    """Else such a connection stays open for as long as the process lives."""
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.settimeout(5)
        deaf.connect(str(fresh.path))
        deaf.sendall(200 * b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")  # far more than the socket holds
        assert deaf.recv(1, socket.MSG_PEEK)
        fresh.server.stop()
        with suppress(ConnectionResetError):
            while deaf.recv(1 << 20):  # a connection that was left open would say nothing at the end
                pass


def test_stop_is_bounded_whoever_is_connected(fresh: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A waiting plate, an events client that reads, one that does not, and one that never asks anything."""
    fresh.verbs.hang = True
    answers: list[httpx.Response] = []
    events: list[str] = []
    reading = threading.Event()

    def plate() -> None:
        with connect(fresh.path) as http:
            answers.append(http.post("/plate", json={"countdown": 0}))

    def read() -> None:
        with connect(fresh.path) as http, http.stream("GET", "/events") as stream:
            for line in stream.iter_lines():
                events.append(line)
                reading.set()

    threads = [threading.Thread(target=plate), threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    with socket.socket(socket.AF_UNIX) as deaf, socket.socket(socket.AF_UNIX) as mute:
        deaf.connect(str(fresh.path))
        deaf.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        mute.connect(str(fresh.path))
        assert fresh.verbs.in_plate.wait(60)
        assert reading.wait(60)
        began = time.monotonic()
        fresh.server.stop()
        assert time.monotonic() - began < 60
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert answers[0].status_code == 500
    assert "camdaemon is stopping" in answers[0].json()["error"]
    assert events[0].startswith("data: {")
    assert not fresh.path.exists()
    assert caplog.records == []  # no traceback, no stuck thread
