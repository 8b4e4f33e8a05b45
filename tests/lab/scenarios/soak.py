"""Viewers come and go for two minutes (SOAK_MINUTES for longer): memory and descriptors do not grow."""

from __future__ import annotations

import os
import random
import time
from statistics import median

from inside import live
from inside.bench import Bench
from inside.process import Daemon

TIMEOUT = 300.0
_MINUTES = float(os.environ.get("SOAK_MINUTES", "2"))


def play(bench: Bench) -> None:
    daemon = bench.start()
    for _ in range(3):  # for what is allocated only once
        _watch(bench, 3.0)
    ages: list[float] = []
    settled = _measure(daemon)
    end, visits, turns = time.monotonic() + 60 * _MINUTES, 0, random.Random(1)
    most = settled
    while time.monotonic() < end:
        ages += _watch(bench, turns.uniform(0.3, 8.0))
        time.sleep(turns.uniform(0.0, 5.0))  # sometimes the camera closes before the next viewer comes
        visits += 1
        now = _measure(daemon)
        most = max(most[0], now[0]), max(most[1], now[1]), max(most[2], now[2])
    now = _measure(daemon)
    bench.note(minutes=_MINUTES, visits=visits, wakes=daemon.counts().get("wakes", 0))
    bench.note(age_ms=1000 * median(ages), age_most_ms=1000 * max(ages), over_250_ms=sum(age > 0.25 for age in ages))
    bench.note(memory_mb=f"{settled[0]:.0f} to {now[0]:.0f}, most {most[0]:.0f}")
    bench.note(descriptors=f"{settled[1]} to {now[1]}", threads=f"{settled[2]} to {now[2]}")
    assert now[0] < settled[0] + 20 + 0.05 * settled[0], f"memory grew from {settled[0]:.0f} to {now[0]:.0f} MB"
    assert now[1] <= settled[1] + 4, f"descriptors grew from {settled[1]} to {now[1]}"
    assert now[2] <= settled[2] + 2, f"threads grew from {settled[2]} to {now[2]}"


def _measure(daemon: Daemon) -> tuple[float, int, int]:
    """Return memory in MB, descriptors, threads."""
    return daemon.memory_mb(), daemon.descriptors(), daemon.threads()


def _watch(bench: Bench, seconds: float) -> list[float]:
    """Watch once; return the ages of the pictures, none of which camdaemon calls stale."""
    viewer = bench.view()
    viewer.wait(lambda _: True, 5)
    time.sleep(seconds)
    viewer.close()
    return live.fresh(viewer)
