"""The daemon is killed (SIGKILL) and restarted five times while a viewer stays connected."""

from __future__ import annotations

from inside.bench import Bench
from inside.process import Daemon
from scenarios import restarted

TIMEOUT = 240.0


def play(bench: Bench) -> None:
    restarted.restart_repeatedly(bench, end=Daemon.kill, card=None)
