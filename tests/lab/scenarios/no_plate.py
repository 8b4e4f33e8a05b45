"""A camera without a saved plate is live at once, by the network that works without one, and nobody sees the room."""

from __future__ import annotations

from inside.bench import Bench

TIMEOUT = 240.0


def play(bench: Bench) -> None:
    bench.webcam()
    # The engine and the size are those of the scenario "network".
    daemon = bench.daemon("--matting", "bgmv2", "--engine", "torch", "--size", "320x180", plate="saved")
    viewer = bench.view()
    bench.note(first_composite_s=viewer.wait("composite", 30).t - viewer.began)
    viewer.wait("composite", 10, since=viewer.seen[-1].t + 5)
    status = daemon.status()
    assert status["plate"] in ("missing", "grown"), "a slow guest may not have learned anything yet"
    assert "rougher edges" in status["plate_note"]
    bench.note(fps=status["fps_out"])
