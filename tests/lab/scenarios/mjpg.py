"""A webcam that sends MJPG is matted: seen by a viewer, ffmpeg and OpenCV."""

from __future__ import annotations

from inside.bench import Bench
from scenarios import yuyv


def play(bench: Bench) -> None:
    yuyv.play(bench, "mjpg")
