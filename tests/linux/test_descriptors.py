from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from camdaemon.linux import descriptors
from camdaemon.linux.descriptors import SparingSocket

EXHAUSTED = """
import os, resource, socket, sys
from camdaemon.linux.descriptors import SparingSocket
listener = SparingSocket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(sys.argv[1])
listener.listen(20)
clients = [socket.socket(socket.AF_UNIX) for _ in range(6)]
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
taken = []
try:
    while True:
        taken.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
for client in clients:
    client.connect(sys.argv[1])
accepted = []
try:
    while True:
        accepted.append(listener.accept()[0])
except OSError as exc:
    print(len(accepted), exc.errno)
for wire in accepted:
    wire.close()
listener.refill()
print(len([listener.accept()[0] for _ in range(2)]))
listener.close()
"""


def test_connections_are_accepted_without_descriptors(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EXHAUSTED, str(tmp_path / "s")], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["4", "24", "2"]


def test_the_spares_are_closed_with_the_socket() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with SparingSocket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        assert len(os.listdir("/proc/self/fd")) == before + 1 + descriptors._SPARES
    listener.refill()  # of a closed one
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("soft", "hard", "then"),
    [
        (1024, 524288, 8192),
        (1024, 4096, 4096),
        (1024, resource.RLIM_INFINITY, 8192),
        (20000, 524288, None),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None),
    ],
)
def test_the_soft_limit_is_raised_within_the_hard_one(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, then: int | None
) -> None:
    changed: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: changed.append(limits))
    descriptors.raise_limit()
    assert changed == ([] if then is None else [(then, hard)])
