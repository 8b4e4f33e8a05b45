"""The camera gives 15 fps instead of 30: the status shows the true rate, and nothing is stale."""

from __future__ import annotations

from statistics import median

from inside import live
from inside.bench import Bench


def play(bench: Bench) -> None:
    bench.webcam(fps=15)
    daemon = bench.daemon("--fps", "30")
    viewer = bench.view()
    first = viewer.wait("composite", 15)
    viewer.wait(lambda seen: seen.t > first.t + 4, 10)
    status = daemon.status()
    bench.note(fps_in=status["fps_in"], fps_out=status["fps_out"])
    assert 12 < status["fps_in"] < 17, status
    ages = live.fresh(viewer)
    bench.note(age_ms=1000 * median(ages), age_most_ms=1000 * max(ages))
    assert median(ages) < 0.25, f"the median age of live pictures is {median(ages):.2f} s"
