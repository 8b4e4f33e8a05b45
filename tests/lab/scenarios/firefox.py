"""Firefox lists the camera by its label, with the right size and colors, moving; enumerating opens no camera."""

from __future__ import annotations

from inside.bench import Bench
from scenarios import chromium

TIMEOUT = 240.0


def play(bench: Bench) -> None:
    chromium.play(bench, "firefox")
