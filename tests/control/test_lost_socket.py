"""The way to the card is kept: when its socket is removed, its thread dies, descriptors run out, a daemon comes."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from camdaemon.control import server as server_module
from camdaemon.control.client import Client
from camdaemon.control.instance import DaemonLock, OtherDaemon
from camdaemon.control.server import ApiServer
from camdaemon.errors import ControlError
from tests.control.conftest import FakeCommands


class Daemon:
    """A lock and a server, as the daemon has them."""

    def __init__(self, path: Path) -> None:
        self.path, self.verbs = path, FakeCommands()
        self.ended: list[ControlError] = []
        self.gave_up = threading.Event()
        self.lock = DaemonLock(path)
        self.server = ApiServer(self.verbs, path, self.lock.keep, self._give_up)

    def __enter__(self) -> Daemon:
        self.lock.__enter__()
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.verbs.go_on.set()
        self.server.stop()
        self.lock.__exit__()

    def _give_up(self, why: ControlError) -> None:
        self.ended.append(why)
        self.gave_up.set()


@pytest.fixture(autouse=True)
def _watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_LOOK_S", 0.05)


@pytest.fixture
def daemon(socket_file: Path) -> Iterator[Daemon]:
    with Daemon(socket_file) as running:
        yield running


def answers(path: Path) -> bool:
    """Whether the daemon at `path` answers `card` within a while."""
    end = threading.Event()
    for _ in range(200):
        try:
            return bool(Client(path).card("on"))
        except ControlError:
            end.wait(0.05)
    return False


def remove(path: Path) -> None:
    path.unlink()


def wipe(path: Path) -> None:
    """As when /run/user/1000 is made anew: socket, lock and folder are gone."""
    shutil.rmtree(path.parent)


def replace(path: Path) -> None:
    """By the socket of a program that has ended."""
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))


def move(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))


@pytest.mark.parametrize("lose", [remove, wipe, replace, move])
def test_a_lost_socket_is_bound_again(
    daemon: Daemon, lose: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        lose(daemon.path)
        assert answers(daemon.path)
    assert daemon.path.stat().st_mode & 0o777 == 0o600
    assert daemon.path.parent.stat().st_mode & 0o777 == 0o700
    assert "back at" in caplog.text
    assert daemon.ended == []


def test_a_request_in_work_outlives_the_socket_that_it_came_by(daemon: Daemon) -> None:
    daemon.verbs.hang = True
    with ThreadPoolExecutor(1) as pool:
        plate = pool.submit(lambda: Client(daemon.path).plate(0))
        assert daemon.verbs.in_plate.wait(5)
        daemon.path.unlink()
        assert answers(daemon.path)
        daemon.verbs.go_on.set()
        assert plate.result(10) == "done: plate."


def test_a_dead_thread_is_started_again(daemon: Daemon) -> None:
    (thread,) = (thread for thread in threading.enumerate() if thread is daemon.server._thread)
    assert thread.ident
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
    thread.join(10)
    assert not thread.is_alive()
    assert answers(daemon.path)
    assert daemon.ended == []


def test_without_any_way_for_commands_the_daemon_ends(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_GIVE_UP_S", 0.2)
    daemon.path.unlink()
    daemon.path.write_text("in the way")
    assert daemon.gave_up.wait(10)
    assert "in the way" in str(daemon.ended[0])
    daemon.server.stop()
    assert daemon.path.read_text() == "in the way"


def test_a_daemon_whose_lock_was_removed_takes_it_again(daemon: Daemon) -> None:
    lock = daemon.path.with_name(daemon.path.name + ".lock")
    inode = lock.stat().st_ino
    lock.rename(lock.with_name("kept"))  # so that its inode is not used again
    for _ in range(200):
        if lock.exists() and lock.read_text().strip() == str(os.getpid()):
            break
        threading.Event().wait(0.05)
    assert lock.stat().st_ino != inode
    with pytest.raises(OtherDaemon, match=rf"pid {os.getpid()}"):
        DaemonLock(daemon.path).__enter__()
    assert answers(daemon.path)


def test_who_lost_its_name_to_another_daemon_ends(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()
    keep = daemon.lock.keep
    monkeypatch.setattr(daemon.server, "_keep_lock", lambda: held.wait(10) and keep())
    shutil.rmtree(daemon.path.parent)
    with Daemon(daemon.path) as second:
        held.set()
        assert daemon.gave_up.wait(10)
        assert isinstance(daemon.ended[0], ControlError)
        daemon.server.stop()  # leaves the other's socket alone
        assert answers(daemon.path)
        assert second.verbs.asked
        assert second.ended == []


def test_a_daemon_that_answers_is_not_pushed_aside(daemon: Daemon) -> None:
    """Its lock was removed, by a cleaner of temporary files, a moment ago."""
    daemon.path.with_name(daemon.path.name + ".lock").unlink()
    with pytest.raises(OtherDaemon):
        DaemonLock(daemon.path).__enter__()
    assert answers(daemon.path)


RACER = """
import sys, time
from pathlib import Path
from camdaemon.control.instance import DaemonLock
from camdaemon.errors import ControlError
print("ready", flush=True)
sys.stdin.readline()
try:
    lock = DaemonLock(Path(sys.argv[1]))
    lock.__enter__()
except ControlError:
    print("refused", flush=True)
else:
    print("runs", flush=True)
    sys.stdin.readline()
"""


def test_of_daemons_that_start_at_once_one_runs(socket_file: Path) -> None:
    command = [sys.executable, "-c", RACER, str(socket_file)]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in range(4)
    ]
    try:
        for racer in racers:
            assert racer.stdout
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin
            racer.stdin.write("\n")
        said = [racer.stdout.readline().strip() for racer in racers if racer.stdout]
        assert sorted(said) == ["refused"] * 3 + ["runs"]
    finally:
        for racer in racers:
            racer.kill()
            racer.communicate()


DAEMON = """
import resource, sys, os, time
from pathlib import Path
from camdaemon.control.server import ApiServer
from tests.control.conftest import FakeCommands
server = ApiServer(FakeCommands(), Path(sys.argv[1]))
server.start()
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
taken = []
try:
    while True:
        taken.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    print("exhausted", flush=True)
sys.stdin.readline()
server.stop()
"""


def test_the_card_comes_without_any_descriptor_left(socket_file: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", DAEMON, str(socket_file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as running:
        try:
            assert running.stdout
            assert running.stdout.readline() == "exhausted\n"
            for _ in range(12):  # more often than there are spare descriptors
                environment = {**os.environ, "CAMDAEMON_SOCKET": str(socket_file), "PYTHONPATH": str(root)}
                card = [sys.executable, "-m", "camdaemon", "card", "on"]
                done = subprocess.run(card, env=environment, capture_output=True, text=True, timeout=60, check=False)
                assert (done.returncode, done.stdout, done.stderr) == (0, "done: card.\n", "")
        finally:
            running.kill()
