from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import warnings
from pathlib import Path

import platformdirs
import pytest

from camdaemon.control.instance import DaemonLock, private_directory, socket_path
from camdaemon.errors import ControlError

DAEMON = """
import socket, sys, time
from pathlib import Path
from camdaemon.control.instance import DaemonLock
with DaemonLock(Path(sys.argv[1])):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _no_daemon_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CAMDAEMON_SOCKET", raising=False)
    runtime = tmp_path / "xdg"
    runtime.mkdir(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))


def test_the_argument_then_the_environment_then_the_runtime_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert socket_path() == tmp_path / "xdg" / "camdaemon" / "control.sock"
    monkeypatch.setenv("CAMDAEMON_SOCKET", "/tmp/from-env.sock")
    assert socket_path() == Path("/tmp/from-env.sock")
    assert socket_path("/tmp/from-argument.sock") == Path("/tmp/from-argument.sock")


def test_without_a_runtime_directory_it_falls_back_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = socket_path()
    assert path.parts[-2:] == ("camdaemon", "control.sock")
    assert path.is_absolute()


def test_no_safe_fallback_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Path:
        raise PermissionError("runtime directory is owned by another user")

    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr("platformdirs.user_runtime_path", refuse)
    with pytest.raises(ControlError, match=r"no safe place.*another user.*Run: export CAMDAEMON_SOCKET="):
        socket_path()


@pytest.mark.parametrize("folder", ["plain", "ends in a slash/", "with space/é", "../relative"])
def test_the_socket_is_where_platformdirs_would_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """Ours does without loading it, 15 ms. None of the folders exists: what is at a fixed path differs by machine."""
    monkeypatch.chdir(tmp_path / "xdg")
    monkeypatch.setenv("XDG_RUNTIME_DIR", folder if folder.startswith("..") else f"{tmp_path}/{folder}")
    assert socket_path() == platformdirs.user_runtime_path("camdaemon", appauthor=False) / "control.sock"


def test_a_path_longer_than_a_unix_socket_may_be() -> None:
    longest = "/" + "x" * 106
    assert socket_path(longest) == Path(longest)
    with pytest.raises(ControlError, match=r"108 bytes.*107.*/x.*Run: export CAMDAEMON_SOCKET="):
        socket_path(longest + "x")
    with pytest.raises(ControlError, match="109 bytes"):  # bytes are counted, not letters
        socket_path("/" + "ü" * 54)


def test_the_directory_is_made_private_with_its_parents(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        private_directory(tmp_path / "a" / "b")
    finally:
        os.umask(umask)
    for made in (tmp_path / "a", tmp_path / "a" / "b"):
        assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_a_directory_open_to_others_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(ControlError, match=r"open to others.*export CAMDAEMON_SOCKET="):
        private_directory(tmp_path)


def test_a_directory_of_somebody_else_or_a_link_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir(0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(ControlError, match=r"/link .*yours.*Run: export CAMDAEMON_SOCKET="):
        private_directory(tmp_path / "link")
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    with pytest.raises(ControlError, match=r"/real .*yours.*Run: export CAMDAEMON_SOCKET="):
        private_directory(tmp_path / "real")


def test_a_directory_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ControlError, match=r"make.*/file .*Run: export CAMDAEMON_SOCKET="):
        private_directory(tmp_path / "file")


def test_a_second_daemon_is_refused_until_the_first_has_gone(socket_file: Path) -> None:
    with DaemonLock(socket_file):
        socket_file.touch()
        for _ in range(2):
            with pytest.raises(ControlError, match=rf"pid {os.getpid()}\)\. Run: camdaemon stop"):
                DaemonLock(socket_file).__enter__()
        assert socket_file.exists()
        socket_file.unlink()
    with DaemonLock(socket_file):
        pass


def test_a_killed_daemon_leaves_nothing_in_the_way(socket_file: Path) -> None:
    command = [sys.executable, "-c", DAEMON, str(socket_file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout
        assert daemon.stdout.readline() == "ready\n"
        with pytest.raises(ControlError, match=rf"pid {daemon.pid}\)"):
            DaemonLock(socket_file).__enter__()
        daemon.send_signal(signal.SIGKILL)
    assert socket_file.is_socket()
    with DaemonLock(socket_file), socket.socket(socket.AF_UNIX) as listener:
        assert not socket_file.exists()
        listener.bind(str(socket_file))


def test_a_file_that_is_no_socket_is_not_removed(socket_file: Path) -> None:
    private_directory(socket_file.parent)
    socket_file.write_text("precious")
    for _ in range(2):  # and the refused one holds no lock
        with pytest.raises(ControlError, match="is not a socket"):
            DaemonLock(socket_file).__enter__()
    assert socket_file.read_text() == "precious"
