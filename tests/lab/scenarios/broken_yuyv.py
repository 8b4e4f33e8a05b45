"""A camera whose raw pictures lose data on the cable, so that the rest moves up: viewers see the whole ones."""

from __future__ import annotations

from inside.bench import Bench
from scenarios import broken_mjpg


def play(bench: Bench) -> None:
    broken_mjpg.play(bench, "yuyv")
