"""Whoever opens connections and says nothing, or dribbles: the owner still gets in."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from camdaemon.control import connections
from camdaemon.control.client import Client
from camdaemon.control.panel.server import PanelServer
from tests.control.panel.conftest import Clock, Opened
from tests.control.panel.fake_daemon import FakeDaemon

MOST = connections.MOST_STRANGERS


@pytest.fixture
def crowd() -> Iterator[ExitStack]:
    """Closes what is entered."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def panel() -> Iterator[Opened]:
    daemon = FakeDaemon()
    opened = Opened(daemon, PanelServer(daemon), Clock())
    yield opened
    daemon.go_on.set()
    opened.server.close()


def knock(crowd: ExitStack, address: Any, *, say: bytes = b"") -> socket.socket:
    """A connection that stays open."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    wire = crowd.enter_context(socket.socket(family))
    wire.connect(address)  # waits where the queue is full, unlike with a time-out
    wire.settimeout(20)
    wire.sendall(say)
    return wire


def is_cut_off(wire: socket.socket) -> bool:
    """Whether the server ends the connection, which it is given time for."""
    try:
        return wire.recv(1) == b""
    except ConnectionResetError:
        return True


def ask(wire: socket.socket, host: str = "x") -> bytes:
    """The status line of an answer on a connection that was open before."""
    wire.sendall(f"GET /static/icon.svg HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    return wire.recv(65536).partition(b"\r\n")[0]


def test_the_oldest_silent_connection_goes_first(served: Any, crowd: ExitStack) -> None:
    wires = [knock(crowd, str(served.path)) for _ in range(MOST + 3)]
    for old in wires[:3]:
        assert is_cut_off(old)
    assert b"404" in ask(wires[3])
    assert b"404" in ask(wires[-1])


def test_hundreds_of_connections_do_not_keep_the_owner_out(served: Any, crowd: ExitStack) -> None:
    for _ in range(5 * MOST):
        knock(crowd, str(served.path), say=b"POST /card HTTP/1.1\r\nHost:")
    assert Client(served.path).card("on") == "done: card."


def test_who_has_asked_once_may_stay(served: Any, crowd: ExitStack) -> None:
    events = knock(crowd, str(served.path), say=b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
    assert events.recv(12) == b"HTTP/1.1 200"
    for _ in range(2 * MOST):
        knock(crowd, str(served.path))
    answer = b""
    while b"\ndata: " not in answer.partition(b"data: ")[2]:  # a second event, which comes a second later
        answer += events.recv(65536)


@pytest.mark.parametrize("said", [b"", b"G", b"GET /status HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_the_first_request_must_come_in_time(
    fresh: Any, crowd: ExitStack, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "FIRST_REQUEST_S", 0.2)
    wire = knock(crowd, str(fresh.path), say=said)
    dribbling = threading.Event()

    def dribble() -> None:
        try:
            while not dribbling.wait(0.02):
                wire.sendall(b"x")
        except OSError:
            pass

    thread = threading.Thread(target=dribble)
    if said:
        thread.start()
    try:
        assert is_cut_off(wire)
    finally:
        dribbling.set()
        if said:
            thread.join()


def test_a_slow_command_is_no_slow_request(fresh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "FIRST_REQUEST_S", 0.2)
    fresh.verbs.hang = True
    threading.Timer(0.6, fresh.verbs.go_on.set).start()
    assert Client(fresh.path).plate(0) == "done: plate."


def test_the_panels_page_stays_however_many_strangers_come(panel: Opened, crowd: ExitStack) -> None:
    """Strangers are those without a session, also if the panel has answered them."""
    with panel.client() as http:
        port = http.base_url.port
        host = f"127.0.0.1:{port}"
        with http.stream("GET", "/events") as events:
            lines = events.iter_lines()
            next(lines)
            first = knock(crowd, ("127.0.0.1", port))
            assert b"200" in ask(first, host)
            for _ in range(2 * MOST):
                knock(crowd, ("127.0.0.1", port))
            first.settimeout(20)
            while first.recv(65536):  # the picture's rest, then the end
                pass
            assert json.loads(next(line for line in lines if line.startswith("data: {")).removeprefix("data: "))
            assert http.post("/card", json={"turn": "on"}).status_code == 200


def test_who_is_refused_is_hung_up_on(panel: Opened) -> None:
    with panel.stranger() as http:
        assert http.get("/view/camera").headers["connection"] == "close"


def test_the_owner_gets_in_while_strangers_keep_coming(panel: Opened) -> None:
    panel.token_url()
    ending = threading.Event()

    def flood(port: int) -> None:
        with ExitStack() as crowd:
            while not ending.wait(0.005):
                knock(crowd, ("127.0.0.1", port))

    with panel.client() as http:
        thread = threading.Thread(target=flood, args=(http.base_url.port,))
        thread.start()
        try:
            for _ in range(5):
                assert http.post("/card", json={"turn": "on"}).status_code == 200
        finally:
            ending.set()
            thread.join()


def test_closed_connections_are_forgotten(fresh: Any) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with ExitStack() as crowd:
        knock(crowd, str(fresh.path))
        assert Client(fresh.path).card("on")
        before = descriptors()
    for _ in range(3):
        with ExitStack() as crowd:
            wires = [knock(crowd, str(fresh.path)) for _ in range(MOST)]
            assert b"404" in ask(wires[-1])
    assert Client(fresh.path).card("on")
    assert descriptors() <= before + MOST // 4  # those closed last may still be on their way
