"""The daemon killed (SIGKILL) and started again five times under a viewer who stays."""

from __future__ import annotations

from inside.bench import Bench
from inside.process import Daemon
from scenarios import restarted

TIMEOUT = 240.0


def play(bench: Bench) -> None:
    restarted.again(bench, end=Daemon.kill, card=None)
