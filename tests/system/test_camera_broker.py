"""The service of hidden cameras, over real sockets: who gets a camera, and who is told why not."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from camdaemon.errors import DeviceError
from camdaemon.linux import hidden
from camdaemon.system import camera_broker
from camdaemon.system.camera_broker import Broker

PROGRAM = Path(camera_broker.__file__)
ROOT = Path(__file__).parents[2]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a device node and become another user")


class Service:
    """A broker in a folder that stands for the machine. Its cameras are nodes as /dev/null is."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.seat, self.dev, self.runtime = folder / "seat0", folder / "dev", folder / "user"
        self.dev.mkdir()
        self.sit(os.getuid())
        self.lock_file = self.lock_path(os.getuid())
        self.lock_file.parent.mkdir(parents=True)
        self.group = os.getegid() + 12345 if os.geteuid() == 0 else os.getegid()
        self.address = folder / "camera.socket"
        monkeypatch.setattr(hidden, "SOCKET", str(self.address))
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.address))
        self.address.chmod(0o666)
        self.listener.listen()
        self.captures = True
        self.broker = Broker(
            self.group,
            dev=str(self.dev),
            seat=str(self.seat),
            runtime=str(self.runtime),
            major=os.major(os.stat("/dev/null").st_rdev),
            is_capture=lambda fd: self.captures,
        )
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        while not self.stopping.is_set():
            self.broker.serve(self.listener, idle_s=0.05)

    def lock_path(self, uid: int) -> Path:
        return self.runtime / str(uid) / "camdaemon" / "control.sock.lock"

    def sit(self, uid: int) -> None:
        self.seat.write_text(f"# This is private data. Do not parse.\nIS_SEAT0=1\nACTIVE=2\nACTIVE_UID={uid}\n")

    def add(self, name: str, mode: int = 0o660, group: int | None = None) -> Path:
        path = self.dev / name
        os.mknod(path, stat.S_IFCHR | mode, os.stat("/dev/null").st_rdev)
        path.chmod(mode)
        os.chown(path, 0, self.group if group is None else group)
        return path

    def close(self) -> None:
        self.stopping.set()
        self.thread.join()
        self.listener.close()


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to other users
        os.chmod(folder, 0o755)
        made = Service(Path(folder), monkeypatch)
        yield made
        hidden.prove_identity(None)
        made.close()


@pytest.fixture
def daemon(service: Service) -> Iterator[int]:
    """This process is the user's only camdaemon."""
    with service.lock_file.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        hidden.prove_identity(file.fileno())
        yield file.fileno()


def count_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@needs_root
def test_the_daemon_of_the_user_at_the_screen_gets_the_camera(service: Service, daemon: int) -> None:
    path = service.add("video0")
    before = count_descriptors()
    fd = hidden.fetch(str(path))
    assert os.fstat(fd).st_ino == path.stat().st_ino
    assert fcntl.fcntl(fd, fcntl.F_GETFL) & (os.O_RDWR | os.O_NONBLOCK) == os.O_RDWR | os.O_NONBLOCK
    assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    os.close(fd)
    end = time.monotonic() + 10  # the service closes its own after it has answered
    while count_descriptors() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert count_descriptors() == before


@needs_root
def test_by_a_link_too(service: Service, daemon: int) -> None:
    link = service.folder / "by-id"
    link.symlink_to(service.add("video0"))
    os.close(hidden.fetch(str(link)))


def test_without_the_lock_nobody_is_the_daemon(service: Service) -> None:
    with pytest.raises(DeviceError, match="only the running camdaemon"):
        hidden.fetch("/dev/video0")


def test_a_lock_file_that_is_not_locked_proves_nothing(service: Service) -> None:
    with service.lock_file.open("a+") as file:
        hidden.prove_identity(file.fileno())
        with pytest.raises(DeviceError, match="another process"):
            hidden.fetch("/dev/video0")


def test_a_file_elsewhere_proves_nothing(service: Service) -> None:
    with (service.folder / "control.sock.lock").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        hidden.prove_identity(file.fileno())
        with pytest.raises(DeviceError, match="only the running camdaemon"):
            hidden.fetch("/dev/video0")


def test_who_borrows_the_daemons_descriptor_is_not_the_daemon(service: Service, daemon: int) -> None:
    code = f"""
        from camdaemon.errors import DeviceError
        from camdaemon.linux import hidden
        hidden.SOCKET = {str(service.address)!r}
        hidden.prove_identity({daemon})
        try:
            hidden.fetch("/dev/video0")
        except DeviceError as exc:
            print(exc)
    """
    done = run_python(code, pass_fds=(daemon,))
    assert "another process" in done


def run_python(code: str, pass_fds: tuple[int, ...] = (), user: int | None = None) -> str:
    done = subprocess.run(
        ["/usr/bin/python3" if user else sys.executable, "-c", textwrap.dedent(code)],
        cwd="/",
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        pass_fds=pass_fds,
        user=user,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_service_keeps_no_copy_of_the_lock(service: Service) -> None:
    with service.lock_file.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        hidden.prove_identity(file.fileno())
        with pytest.raises(DeviceError):
            hidden.fetch("/dev/video7")
    with service.lock_file.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_another_user_at_the_screen(service: Service, daemon: int) -> None:
    service.sit(os.getuid() + 1)
    with pytest.raises(DeviceError, match=r"only the user at the screen.*camdaemon doctor"):
        hidden.fetch("/dev/video0")
    assert "screen" in hidden.find_refusal()


@needs_root
@pytest.mark.skipif(not os.path.exists("/usr/bin/python3"), reason="no Python that another user may run")
def test_another_user_is_refused_before_a_byte_is_read(service: Service, daemon: int) -> None:
    """By the kernel's word, whatever it sends, and without a wait."""
    answer = run_python(
        f"""
        import socket
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect({str(service.address)!r})
            print(peer.recv(1000).decode())
        """,
        user=65534,
    )
    assert answer.startswith("no: only the user at the screen")


def test_nobody_at_the_screen(service: Service) -> None:
    service.seat.unlink()
    assert "logind" in hidden.find_refusal()


def test_a_ping_says_whether_this_user_would_get_one(service: Service) -> None:
    assert hidden.find_refusal() == ""


@needs_root
def test_only_hidden_cameras_are_opened(service: Service, daemon: int) -> None:
    service.add("video0")
    service.add("video1", group=0)  # not hidden
    service.add("video2", mode=0o666)  # open to others: not by our rule
    (service.dev / "video3").write_text("no device")
    os.chown(service.dev / "video3", 0, service.group)
    (service.dev / "video4").symlink_to(service.dev / "video0")
    for name, why in (("video1", "not a hidden"), ("video2", "not a hidden"), ("video3", "not a hidden")):
        with pytest.raises(DeviceError, match=why):
            hidden.fetch(str(service.dev / name))
    said = ask(service, "video4", daemon)
    assert said.startswith("no: video4")


@needs_root
def test_a_node_for_metadata_is_not_a_camera(service: Service, daemon: int) -> None:
    service.captures = False
    with pytest.raises(DeviceError, match="no pictures"):
        hidden.fetch(str(service.add("video1")))


def ask(service: Service, request: str, proof: int) -> str:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(service.address))
        socket.send_fds(peer, [f"{request}\n".encode()], [proof])
        return peer.recv(1000).decode()


@pytest.mark.parametrize(
    "name", ["../video0", "/dev/video0", "video", "video0/../null", "sda", "", "videö0", "x" * 200]
)
def test_no_other_name_is_a_request(service: Service, daemon: int, name: str) -> None:
    assert ask(service, name, daemon).startswith("no: ")


def test_more_descriptors_than_one_are_closed(service: Service, daemon: int) -> None:
    read, write = os.pipe()
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(service.address))
        socket.send_fds(peer, [b"video0\n"], [daemon, write, write])
        os.close(write)
        assert peer.recv(1000).startswith(b"no: ")
    hidden.find_refusal()
    with closing(os.fdopen(read, "rb")) as end:
        assert end.read() == b"", "the service still holds the pipe's other end"


def test_a_peer_that_says_nothing_holds_up_nobody_for_long(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_broker, "_ANSWER_S", 0.1)
    with socket.socket(socket.AF_UNIX) as silent, socket.socket(socket.AF_UNIX) as gone:
        silent.connect(str(service.address))
        gone.connect(str(service.address))
        gone.close()
        assert hidden.find_refusal() == ""
        assert silent.recv(1000).startswith(b"no: ")


def test_it_ends_when_nobody_asks(service: Service) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(service.folder / "other.socket"))
        listener.listen()
        service.broker.serve(listener, idle_s=0.01)


def test_a_service_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hidden, "SOCKET", str(tmp_path / "none"))
    with pytest.raises(DeviceError, match=r"does not answer.*systemctl"):
        hidden.fetch("/dev/video0")
    assert "does not answer" in hidden.find_refusal()


def test_the_program_stands_alone_and_wants_systemd() -> None:
    """As the service runs it: without the package, the environment or a user's folders."""
    done = subprocess.run([sys.executable, "-I", PROGRAM], capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 2
    assert "camdaemon-camera.socket" in done.stderr


@pytest.mark.skipif(not os.path.exists("/usr/bin/python3"), reason="no /usr/bin/python3")
def test_the_systems_own_python_takes_the_socket(service: Service) -> None:
    """systemd's protocol: the socket is descriptor 3, and the variables name this very process."""
    address = service.folder / "activated.socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen()
        start = 'import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ["LISTEN_PID"] = str(os.getpid()); '
        start += 'os.environ["LISTEN_FDS"] = "1"; os.execv("/usr/bin/python3", ["python3", "-I", sys.argv[2]])'
        words = [sys.executable, "-c", start, str(listener.fileno()), str(PROGRAM)]
        process = subprocess.Popen(words, pass_fds=(listener.fileno(),), stderr=subprocess.PIPE, text=True)
    try:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(address))
            assert peer.recv(1000).startswith(b"no: ")  # nobody sits at this machine, or someone else
    finally:
        process.kill()
        _, said = process.communicate()
    assert f"user {os.getuid()}, process {os.getpid()}" in said
