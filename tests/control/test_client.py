from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from camdaemon.control import table
from camdaemon.control.client import Client
from camdaemon.control.instance import private_directory
from camdaemon.control.table import BackdropFile
from camdaemon.errors import ConfigError, ControlError, DeviceError, PlateRefused


@pytest.fixture
def client(served: Any) -> Client:
    return Client(served.path)


@pytest.fixture
def verbs(served: Any) -> Any:
    return served.verbs


@pytest.fixture
def _fast_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("camdaemon.control.http._EVENT_PERIOD", 0.05)


def test_every_verb_end_to_end(client: Client, verbs: Any) -> None:
    remote = client
    assert remote.plate(1.5) == "done: plate."
    assert remote.backdrop("color:#102030") == "done: backdrop."
    assert remote.mode("passthrough") == "done: mode."
    assert remote.status() == {"mode": "card", "fps": 29.9, "plate": None, "asked": 4}
    assert remote.stop() == "done: stop."
    assert verbs.asked == [
        ("plate", 1.5), ("backdrop", "color:#102030"), ("mode", "passthrough"), ("status",), ("stop",)
    ]  # fmt: skip


def test_every_verb_of_a_live_show_end_to_end(client: Client, verbs: Any) -> None:
    remote = client
    said = [
        remote.next_backdrop(), remote.previous_backdrop(), remote.scene("meeting"), remote.card("toggle"),
        remote.pause("on"), remote.mirror("off"), remote.adjust(0.5, None), remote.reload(), remote.panel(),
    ]  # fmt: skip
    assert remote.backdrops() == [BackdropFile("beach.jpg", "/pictures/beach.jpg", "image")]
    assert remote.scenes() == ["meeting", "late"]
    assert verbs.asked == [
        ("next_backdrop",), ("previous_backdrop",), ("scene", "meeting"), ("card", "toggle"), ("pause", "on"),
        ("mirror", "off"), ("adjust", 0.5, None), ("reload",), ("panel",), ("backdrops",), ("scenes",),
    ]  # fmt: skip
    assert said == [f"done: {asked[0]}." for asked in verbs.asked[:9]]


def test_a_proxy_in_the_environment_is_not_asked(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert client.stop() == "done: stop."


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (ConfigError("no such file x.png; name another"), ConfigError),
        (PlateRefused("the room moved; try again"), ControlError),
        (DeviceError("no camera; plug it in"), ControlError),
    ],
)
def test_the_daemons_words_are_raised(client: Client, verbs: Any, error: Exception, raised: type[Exception]) -> None:
    verbs.error = error
    for ask in (lambda: client.plate(0), lambda: client.backdrop("x.png"), client.status):
        with pytest.raises(raised) as caught:
            ask()
        assert str(caught.value) == str(error)


def test_a_wrong_word_is_a_config_error(client: Client) -> None:
    with pytest.raises(ConfigError, match=r"'raw'.*matte, card, passthrough.*Run: camdaemon mode matte"):
        client.mode("raw")


def test_what_has_no_row_is_no_command(client: Client) -> None:
    with pytest.raises(AttributeError, match=r"no command.*'explode'"):
        client.explode()
    with pytest.raises(ValueError, match="argument"):
        client.stop("now")


@pytest.mark.parametrize("countdown", [-1, float("nan"), float("inf")])
def test_an_impossible_countdown(client: Client, verbs: Any, countdown: float) -> None:
    with pytest.raises(ConfigError, match="Run: camdaemon plate --countdown 5"):
        client.plate(countdown)
    assert verbs.asked == []


def test_events_stream_and_end_with_the_server(fresh: Any) -> None:
    events = Client(fresh.path).events()
    assert [next(events)["asked"], next(events)["asked"]] == [1, 2]
    fresh.server.stop()
    assert all(event["mode"] == "card" for event in events)  # ends, and as an end, not as a fault


@pytest.mark.usefixtures("_fast_events")
def test_an_error_between_events_is_raised(client: Client, verbs: Any) -> None:
    events = client.events()
    next(events)
    verbs.error = DeviceError("the camera is gone; plug it in")
    with pytest.raises(ControlError, match=str(verbs.error)):
        list(events)


def test_a_plate_is_given_up_when_the_daemon_stops(fresh: Any) -> None:
    fresh.verbs.hang = True
    errors: list[str] = []

    def plate() -> None:
        try:
            Client(fresh.path).plate(0)
        except ControlError as exc:
            errors.append(str(exc))

    waiting = threading.Thread(target=plate)
    waiting.start()
    assert fresh.verbs.in_plate.wait(60)
    fresh.server.stop()
    waiting.join(60)
    (error,) = errors
    assert re.search(r"stopping.*Run: camdaemon run$", error)


@pytest.mark.parametrize("stale", [False, True])
def test_no_daemon(socket_file: Path, stale: bool) -> None:
    private_directory(socket_file.parent)
    if stale:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(socket_file))
    client = Client(socket_file)
    for ask in (client.status, client.stop, lambda: client.plate(3), lambda: list(client.events())):
        with pytest.raises(ControlError, match=rf"running.*{re.escape(str(socket_file))}.*Run: camdaemon run$"):
            ask()


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (b"", "closed.*'stop'"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "is no camdaemon"),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\n[]", "is no camdaemon"),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\n{}", "refused .HTTP 500."),
    ],
)
def test_a_strange_answer(socket_file: Path, reply: bytes, words: str) -> None:
    private_directory(socket_file.parent)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_file))
        listener.listen()

        def answer() -> None:
            with listener.accept()[0] as connection:
                connection.recv(4096)
                connection.sendall(reply)

        answering = threading.Thread(target=answer)
        answering.start()
        with pytest.raises(ControlError, match=words):
            Client(socket_file).stop()
        answering.join(60)


def test_a_silent_daemon_is_not_awaited_forever(socket_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = table.find("status")
    rows = tuple(row._replace(timeout_s=0.1) if row is status else row for row in table.TABLE)
    monkeypatch.setattr(table, "TABLE", rows)
    private_directory(socket_file.parent)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(socket_file))
        silent.listen()
        with pytest.raises(ControlError, match=r"answer.*'status'.*0\.1 s"):
            Client(socket_file).status()


def test_the_client_is_light(served: Any) -> None:
    code = f"""
import sys
from camdaemon.control.client import Client
assert Client({str(served.path)!r}).status()["mode"] == "card"
heavy = {{"torch", "numpy", "cv2", "fastapi", "starlette", "uvicorn", "pydantic", "httpx", "typer", "http"}}
heavy &= set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_a_slow_answer_is_told_of_once(fresh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("camdaemon.control.client._PATIENCE_S", 0.05)
    fresh.verbs.hang = True
    waiting: list[int] = []

    def on_waiting() -> None:
        waiting.append(1)
        fresh.verbs.go_on.set()

    client = Client(fresh.path)
    assert client.ask(table.find("plate"), {"countdown": 0}, on_waiting) == "done: plate."
    assert waiting == [1]


def test_a_sentence_comes_as_plain_text_or_json(served: Any) -> None:
    """Older daemons know JSON alone."""
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(served.path)), base_url="http://x") as http:
        assert http.post("/card", json={"turn": "on"}).json() == {"message": "done: card."}
        plain = http.post("/card", json={"turn": "on"}, headers={"Accept": "text/plain"})
    assert (plain.headers["content-type"], plain.text) == ("text/plain; charset=utf-8", "done: card.")
