"""What arrives at the service manager's socket, byte for byte; and that nothing about it can hurt the daemon."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from camdaemon.linux.systemd import ServiceManager


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A service manager's end, and what it would put into $NOTIFY_SOCKET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(5)
        name = str(tmp_path / "notify") if request.param == "path" else f"@camdaemon-test-{os.getpid()}"
        listener.bind("\0" + name[1:] if name.startswith("@") else name)
        yield listener, name


def heard(listener: socket.socket) -> list[str]:
    """All that has arrived: a datagram is there as soon as it was sent."""
    messages = []
    listener.setblocking(False)
    while True:
        try:
            messages.append(listener.recv(4096).decode())
        except BlockingIOError:
            return messages


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_life_from_ready_to_stopping(manager):
    listener, name = manager
    service = ServiceManager.from_environment({"NOTIFY_SOCKET": name})
    service.ready("card 30 fps")
    assert heard(listener) == ["READY=1\nSTATUS=card 30 fps"]
    service.stopping()
    assert heard(listener) == ["STOPPING=1"]


def test_a_status_is_one_line_and_sent_once(manager):
    listener, name = manager
    service = ServiceManager(name)
    service.ready("matte")
    for text in ("matte", "matte 30 fps\nREADY=0", "matte 30 fps READY=0", "card"):
        service.status(text)
    assert heard(listener) == ["READY=1\nSTATUS=matte", "STATUS=matte 30 fps READY=0", "STATUS=card"]


def test_the_watchdog_is_fed_only_while_frames_move(manager):
    listener, name = manager
    clock = Clock()
    service = ServiceManager(name, watchdog_s=20.0, clock=clock)
    for clock.now, frames in ((101, 30), (109.9, 297), (110, 300), (111, 330), (120, 600)):
        service.alive(frames)
    assert heard(listener) == ["WATCHDOG=1"] * 2
    for clock.now in (129, 130, 140, 1000):
        service.alive(600)
    assert heard(listener) == [], "frames stand still"
    service.alive(601)
    assert heard(listener) == ["WATCHDOG=1"]


def test_no_frame_at_all_does_not_feed_it(manager):
    listener, name = manager
    clock = Clock()
    service = ServiceManager(name, watchdog_s=2.0, clock=clock)
    clock.now = 200
    service.alive(0)
    assert heard(listener) == []


@pytest.mark.parametrize(
    ("variables", "fed"),
    [
        ({"WATCHDOG_USEC": "20000", "WATCHDOG_PID": str(os.getpid())}, True),
        ({"WATCHDOG_USEC": "20000"}, True),
        ({"WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"}, False),
        ({"WATCHDOG_USEC": "soon"}, False),
        ({"WATCHDOG_USEC": "0"}, False),
        ({}, False),
    ],
)
def test_who_is_watched(manager, variables, fed, monkeypatch):
    listener, name = manager
    service = ServiceManager.from_environment({"NOTIFY_SOCKET": name, **variables})
    monkeypatch.setattr(service, "_clock", lambda: float("inf"))
    service.alive(1)
    assert heard(listener) == (["WATCHDOG=1"] if fed else [])


def test_children_are_not_told(manager, monkeypatch):
    _, name = manager
    for variable, value in (("NOTIFY_SOCKET", name), ("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", str(os.getpid()))):
        monkeypatch.setenv(variable, value)
    ServiceManager.from_environment()
    code = "import os; print([name for name in os.environ if name.startswith(('NOTIFY', 'WATCHDOG'))])"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True)
    assert child.stdout.strip() == "[]"


def everything(service: ServiceManager) -> None:
    service.ready("a")
    service.status("b")
    service.alive(5)
    service.stopping()


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:99"}])
def test_without_a_manager_nothing_happens(environment, monkeypatch):
    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("it opened a socket"))
    service = ServiceManager.from_environment(environment)
    everything(service)


def test_a_vanished_socket_never_raises_and_one_that_is_back_is_used_again(tmp_path, caplog):
    caplog.set_level("DEBUG", "camdaemon")
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
    service = ServiceManager(str(path), watchdog_s=1e-9)
    everything(service)  # no process reads it any more
    path.unlink()
    everything(ServiceManager(str(path), watchdog_s=1e-9))
    everything(ServiceManager("/" + "x" * 200, watchdog_s=1e-9))
    lost = [record.message for record in caplog.records]
    assert len(lost) == 12
    for word in ("READY=1", "STATUS=b", "WATCHDOG=1", "STOPPING=1"):
        assert sum(word in message for message in lost) == 3, word
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        service.ready("c")
        assert heard(listener) == ["READY=1\nSTATUS=c"]


def test_a_manager_that_does_not_read_holds_nothing_up_for_long(tmp_path, monkeypatch):
    monkeypatch.setattr("camdaemon.linux.systemd._SEND_S", 0.05)
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        service = ServiceManager(str(path))
        for number in range(2000):  # far beyond what a socket's queue takes
            service.status(str(number))
            if number > 5 and not _has_room(path):
                break
        else:
            pytest.fail("the queue never filled up")
        service.stopping()


def _has_room(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        try:
            sender.sendto(b"X=1", str(path))
        except BlockingIOError:
            return False
        return True
