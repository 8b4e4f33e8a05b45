"""Stands for systemctl in the guest, which has no systemd: socket activation of the service of hidden cameras.

Called as systemctl is; `supervise SOCKET_UNIT` is what it leaves running. It reads the installed units, so what they
say of the socket, the program and its user is what is tested. What they say of the sandbox is systemd's alone.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

UNITS = Path("/etc/systemd/system")
_RUNNING = Path("/run/supervisor.pid")
# systemd's protocol: the socket is descriptor 3, and LISTEN_PID names the program itself
_EXEC = """import os, sys
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[1], sys.argv[1:])"""


def main(words: list[str]) -> int:
    """Do what systemctl does with `words`, as far as setup uses it; 2 for anything else."""
    match words:
        case ["daemon-reload"] | ["stop", _]:
            return 0
        case ["is-active", _]:
            return 0 if _RUNNING.exists() else 3
        case ["enable", "--now", unit]:
            supervisor = [sys.executable, __file__, "supervise", unit]
            with Path("/run/broker.log").open("ab") as log:
                process = subprocess.Popen(supervisor, stdout=log, stderr=log, start_new_session=True)
            _RUNNING.write_text(str(process.pid))
            return _wait_for(_read(UNITS / unit)["ListenStream"])
        case ["disable", "--now", unit]:
            os.killpg(int(_RUNNING.read_text()), signal.SIGKILL)
            _RUNNING.unlink()
            Path(_read(UNITS / unit)["ListenStream"]).unlink()
            return 0
        case ["supervise", unit]:
            _supervise(_read(UNITS / unit), _read((UNITS / unit).with_suffix(".service")))
    return 2


def _read(unit: Path) -> dict[str, str]:
    """The settings of a unit; the last of each name."""
    pairs = (line.partition("=") for line in unit.read_text().splitlines() if line[:1] not in "#[")
    return {name: value for name, _, value in pairs}


def _wait_for(path: str) -> int:
    while not os.path.exists(path):
        select.select([], [], [], 0.01)
    return 0


def _supervise(sockets: dict[str, str], service: dict[str, str]) -> None:
    path = sockets["ListenStream"]
    os.makedirs(os.path.dirname(path), int(sockets["DirectoryMode"], 8), exist_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, int(sockets["SocketMode"], 8))
    listener.listen()
    os.dup2(listener.fileno(), 3)
    while True:
        select.select([listener], [], [])
        subprocess.run(
            ["/usr/bin/python3", "-c", _EXEC, *service["ExecStart"].split()],
            pass_fds=(3,),
            user=service["User"],
            group=service["Group"],
            extra_groups=[],
            env={"PATH": "/usr/bin"},
            check=False,
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
