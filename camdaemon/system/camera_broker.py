# Written by: camdaemon setup
"""Hands a hidden camera to the camdaemon of the user at the seat, and to nobody else. A system service.

`camdaemon setup --hide-camera` copies this file to a folder of root's, because a service may not run what a user may
change. So it stands alone: standard library only, and any Python from 3.9 on. systemd starts it when somebody connects
to its socket, as the only member of the group that hidden cameras belong to.

One request a connection: a node's name (`video0`) with a descriptor of the daemon's lock, or `ping`. The answer is
`ok` with the opened camera's descriptor (none for `ping`), or `no: REASON`, one line each.

A peer must be the user at the seat, as logind tells it, and hold the lock that makes a process that user's only
camdaemon. Nothing else of that user gets a camera by accident; a program that sets out to imitate the daemon does.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
import stat
import struct
import sys
from collections.abc import Callable
from typing import NamedTuple

_SEAT = "/run/systemd/seats/seat0"  # what libsystemd's sd_seat_get_active reads
_FIRST_FD = 3  # sd_listen_fds(3)
_LISTEN_S = 30.0  # without a request for so long, the service ends; the next one starts it again
_ANSWER_S = 2.0  # for a peer to send its request, and to take the answer
_LONGEST = 64  # bytes of a request
_VIDEO_MAJOR = 81  # Documentation/admin-guide/devices.txt: video4linux
_QUERYCAP, _CAPABILITY = 0x80685600, struct.Struct("=84xIII8x")  # version, capabilities, those of this node
_CAN_CAPTURE, _HAS_OWN = 0x1001, 0x80000000  # single- or multi-planar; whether the third field counts


class Peer(NamedTuple):
    """Who asks, as the kernel tells it (SO_PEERCRED)."""

    pid: int
    uid: int
    gid: int


class Refused(Exception):
    """The peer gets no camera; the message says why."""


def is_capture_node(fd: int) -> bool:
    """Whether pictures can be had of the video node `fd`: not those beside a camera that carry metadata."""
    buffer = bytearray(_CAPABILITY.size)
    fcntl.ioctl(fd, _QUERYCAP, buffer)
    _, whole, own = _CAPABILITY.unpack(buffer)
    return bool((own if whole & _HAS_OWN else whole) & _CAN_CAPTURE)


class Broker:
    """Answers one peer at a time. For one thread.

    Args:
        group: id of the group that hidden cameras belong to.
        dev: folder of the nodes.
        seat: logind's file on the seat.
        locks: the kernel's list of file locks.
        runtime: folder with the users' runtime folders.
        major: of the device number of a camera.
        is_capture: tells cameras from their other nodes.
    """

    def __init__(
        self,
        group: int,
        dev: str = "/dev",
        seat: str = _SEAT,
        locks: str = "/proc/locks",
        runtime: str = "/run/user",
        major: int = _VIDEO_MAJOR,
        is_capture: Callable[[int], bool] = is_capture_node,
    ) -> None:
        self._group, self._dev, self._seat, self._locks = group, dev, seat, locks
        self._runtime, self._major, self._is_capture = runtime, major, is_capture

    def serve(self, listener: socket.socket, idle_s: float = _LISTEN_S) -> None:
        """Answer until nobody has connected for `idle_s` seconds."""
        listener.settimeout(idle_s)
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # the time is up: in Python 3.9 that is no TimeoutError
                return
            with connection:
                self.answer(connection)

    def answer(self, connection: socket.socket) -> None:
        """Answer one request. Never raises, also when the peer hangs or goes away."""
        connection.settimeout(_ANSWER_S)
        peer = Peer(*struct.unpack("=iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)))
        try:
            fd = self._find(connection, peer)
        except Refused as exc:
            print(f"refused: user {peer.uid}, process {peer.pid}: {exc}", file=sys.stderr, flush=True)
            _send(connection, f"no: {exc}\n")
        except (OSError, ValueError) as exc:
            print(f"no answer: user {peer.uid}, process {peer.pid}: {exc}", file=sys.stderr, flush=True)
            _send(connection, "no: the request was not understood\n")
        else:
            _send(connection, "ok\n", fd)
            if fd is not None:
                os.close(fd)
                print(f"handed out: user {peer.uid}, process {peer.pid}", file=sys.stderr, flush=True)

    def _find(self, connection: socket.socket, peer: Peer) -> int | None:
        """Return the camera that `peer` asks for and may have; None for a ping."""
        self._check_seat(peer)  # before a byte is read: nobody else can make the user at the seat wait
        name, proof = _receive(connection)
        try:
            if name == "ping":
                return None
            self._check_daemon(proof, peer)
        finally:
            if proof is not None:
                os.close(proof)  # at once: a copy of it would hold the lock for a daemon that has ended
        return self._open(name)

    def _check_seat(self, peer: Peer) -> None:
        try:
            with open(self._seat, encoding="utf-8") as file:
                active = re.search(r"^ACTIVE_UID=(\d+)$", file.read(), re.M)
        except OSError:
            active = None
        if active is None:
            raise Refused("nobody is logged in at the screen, by what logind knows")
        if int(active[1]) != peer.uid:
            raise Refused("only the user at the screen gets it, and that is another one now")

    def _check_daemon(self, proof: int | None, peer: Peer) -> None:
        """Whether `proof` is the lock file of the peer's camdaemon, and the peer has locked it."""
        expected = f"{self._runtime}/{peer.uid}/camdaemon/control.sock.lock"
        if proof is None or os.readlink(f"/proc/self/fd/{proof}") != expected:
            raise Refused(f"only the running camdaemon gets it, which has locked {expected}")
        found = os.fstat(proof)
        device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
        with open(self._locks, encoding="ascii") as file:
            held = {tuple(line.split()[1:6]) for line in file}  # with -> before those that wait
        if found.st_uid != peer.uid or ("FLOCK", "ADVISORY", "WRITE", str(peer.pid), device) not in held:
            raise Refused("only the running camdaemon gets it, and another process is that")

    def _open(self, name: str) -> int:
        """Open the hidden camera `name`. What is not one is not opened, so no peer can use our rights for it."""
        if not re.fullmatch(r"video[0-9]{1,3}", name):
            raise Refused("no camera has that name")
        try:
            place = os.open(f"{self._dev}/{name}", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as exc:
            raise Refused(f"{name}: {exc.strerror}") from None
        try:
            found = os.fstat(place)
            is_video = stat.S_ISCHR(found.st_mode) and os.major(found.st_rdev) == self._major
            if not is_video or found.st_gid != self._group or found.st_mode & 0o007:
                raise Refused(f"{name} is not a hidden camera")
            fd = os.open(f"/proc/self/fd/{place}", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as exc:
            raise Refused(f"{name}: {exc.strerror}") from None
        finally:
            os.close(place)
        try:
            if self._is_capture(fd):
                return fd
        except OSError:
            pass
        os.close(fd)
        raise Refused(f"{name} gives no pictures")


def _receive(connection: socket.socket) -> tuple[str, int | None]:
    """The request and the descriptor that came with it. Raises ValueError: more, or none, or no text."""
    data, fds, _, _ = socket.recv_fds(connection, _LONGEST, 1)
    try:
        if not data.endswith(b"\n"):
            raise ValueError("no whole line")
        return data.decode("ascii").strip(), fds.pop() if fds else None
    finally:
        for fd in fds:
            os.close(fd)


def _send(connection: socket.socket, line: str, fd: int | None = None) -> None:
    try:
        socket.send_fds(connection, [line.encode()], [] if fd is None else [fd])
    except OSError as exc:  # it did not wait
        print(f"not sent: {exc}", file=sys.stderr, flush=True)


def main() -> int:
    """Serve the socket that systemd hands over; 2 where there is none."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        print("This is a service: systemd starts it through camdaemon-camera.socket.", file=sys.stderr)
        return 2
    with socket.socket(fileno=_FIRST_FD) as listener:
        Broker(os.getegid()).serve(listener)
    return 0


if __name__ == "__main__":
    sys.exit(main())
