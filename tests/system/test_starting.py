"""Starting without a terminal: what is started, what is waited for, and what is said when it fails."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from camdaemon.cli import live
from camdaemon.cli import starting as without_terminal
from camdaemon.control import table
from camdaemon.control.server import ApiServer
from camdaemon.errors import CamdaemonError, ControlError
from camdaemon.linux import desktop
from camdaemon.system import service, starting
from tests.control.conftest import FakeCommands

ANSWER = """#!{python}
import os, socket
with socket.socket(socket.AF_UNIX) as listener:
    os.makedirs(os.path.dirname(os.environ["CAMDAEMON_SOCKET"]), exist_ok=True)
    listener.bind(os.environ["CAMDAEMON_SOCKET"])
    listener.listen()
    print("session", os.getsid(0) == os.getpid(), flush=True)
    wire, _ = listener.accept()
    with wire:
        while b"\\r\\n\\r\\n" not in wire.recv(65536):
            pass
        wire.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\n\\r\\n{{}}")
"""


@pytest.fixture(autouse=True)
def socket_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "run" / "c.sock"
    monkeypatch.setenv("CAMDAEMON_SOCKET", str(path))
    return path


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process is a camdaemon called by its path."""
    path = tmp_path / "bin" / "camdaemon"
    path.parent.mkdir()
    monkeypatch.setattr(sys, "argv", [str(path)])
    return path


def write(program: Path, text: str) -> None:
    program.write_text(text)
    program.chmod(0o755)


@pytest.fixture
def serve(socket_file: Path) -> Iterator[Callable[[], FakeCommands]]:
    """Have a daemon answer from the call on."""
    with ExitStack() as stack:

        def serve() -> FakeCommands:
            commands = FakeCommands()
            server = ApiServer(commands, socket_file)
            server.start()
            stack.callback(server.stop)
            return commands

        yield serve


def test_what_runs_is_left_alone(serve: Callable[[], FakeCommands]) -> None:
    serve()
    assert not starting.start(lambda: pytest.fail("nothing is to wait for"))


def test_without_the_service_it_is_a_process_of_its_own(program: Path) -> None:
    write(program, ANSWER.format(python=sys.executable))
    waited: list[bool] = []
    assert starting.start(lambda: waited.append(True))
    assert waited == [True]
    assert starting.log_path().read_text() == "session True\n"
    assert starting.log_path().stat().st_mode & 0o777 == 0o600


def test_one_that_ends_at_once_says_why(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(program, "#!/bin/sh\necho old >&2\necho 'camdaemon: no camera. Run: camdaemon devices' >&2\nexit 3\n")
    with pytest.raises(ControlError, match=r"did not start: no camera. Run: camdaemon devices$"):
        starting.start()
    monkeypatch.setattr(service, "own_command", lambda: [str(program.with_name("gone"))])
    with pytest.raises(ControlError, match=r"cannot be started: .*Run: camdaemon run$"):
        starting.start()


def test_the_service_is_what_is_started_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch, serve: Callable[[], FakeCommands]
) -> None:
    service.unit_path().parent.mkdir(parents=True)
    service.unit_path().write_text("")
    monkeypatch.setattr(service, "has_systemd", lambda: True)
    monkeypatch.setattr(service, "start", serve)
    assert starting.start()


def test_a_launcher_tells_on_the_desktop(monkeypatch: pytest.MonkeyPatch, program: Path) -> None:
    """Nobody sees what a program prints that was started from a menu."""
    shown: list[tuple[str, str]] = []
    monkeypatch.setattr(desktop, "show", lambda *note: shown.append(note))
    monkeypatch.setattr(without_terminal, "_is_seen", lambda: False)
    write(program, "#!/bin/sh\necho 'camdaemon: no camera' >&2\nexit 3\n")
    with pytest.raises(CamdaemonError, match="no camera"):
        live.run(table.find("panel"), {"browser": False, "start": True})
    (first, last) = shown
    assert "starts" in first[0]
    assert "no camera" in last[1]


def test_the_panel_of_what_was_started_opens(
    serve: Callable[[], FakeCommands], capsys: pytest.CaptureFixture[str]
) -> None:
    commands = serve()
    live.run(table.find("panel"), {"browser": False, "start": True})
    assert commands.asked[-1] == ("panel",)
    assert "done: panel." in capsys.readouterr().out


def test_no_notification_service_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
    desktop.show("title", "body")
    assert os.environ["DBUS_SESSION_BUS_ADDRESS"]
