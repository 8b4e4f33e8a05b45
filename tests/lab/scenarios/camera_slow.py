"""The camera gives 15 frames a second when 30 are asked of it: the status says what comes, and nothing is stale."""

from __future__ import annotations

import time

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
    live = [seen for seen in viewer.between(first.t + 1, time.monotonic()) if seen.word == "composite"]
    oldest = max(seen.age or 0.0 for seen in live)
    bench.note(age_most_ms=1000 * oldest)
    assert oldest < 0.25, f"a frame {oldest:.2f} s old was shown as live"
