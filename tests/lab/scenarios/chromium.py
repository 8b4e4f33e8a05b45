"""Chromium lists the camera by its label, with the right size and colors, moving; enumerating opens no camera."""

from __future__ import annotations

import contextlib

import numpy as np
from inside import browser
from inside.bench import Bench
from inside.judge import BACKDROP
from inside.module import LABEL, WEBCAM

TIMEOUT = 240.0


def play(bench: Bench, name: str = "chromium") -> None:
    if not browser.is_installed(name):
        bench.not_applicable(f"{name} is not installed")
    daemon = bench.start()
    bench.wait_until(lambda: WEBCAM not in daemon.nodes(), 15, "the camera is closed without viewers")
    with contextlib.closing(browser.Visit(name, "list", LABEL)) as visit:
        listed = visit.answer(60)
    assert listed["count"] >= 1, listed
    counts = daemon.counts()
    bench.note(opened_by_listing=counts.get("wakes", 0))
    assert counts.get("wakes", 0) == 0, f"{name}'s enumeration opened the camera: {counts}"
    with contextlib.closing(browser.Visit(name, "watch", LABEL)) as visit:
        found = visit.answer(150)
        wakes = daemon.counts()["wakes"]
    bench.note(label=found["label"], fps=found["frames"] / found["seconds"], wakes=wakes, room=found["marked"])
    assert found["label"].startswith(LABEL), found
    assert found["size"] == [640, 360], found
    assert found["marked"] < 0.012, f"the room was seen: {found}"
    off = np.abs(np.array(found["corners"]) - np.array(BACKDROP)).max()
    bench.note(color_off=int(off))
    assert off < 12, f"the backdrop's color is off by {off}: {found['corners']}"
    assert found["different"] > 5, f"the picture hardly moves: {found}"
    bench.wait_until(lambda: WEBCAM not in daemon.nodes(), 15, "the camera closes after the browser")
