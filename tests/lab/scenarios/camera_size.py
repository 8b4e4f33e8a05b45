"""The camera gives 640x360 instead of 1280x720: viewers get the requested size."""

from __future__ import annotations

from inside.bench import Bench


def play(bench: Bench) -> None:
    bench.webcam()
    daemon = bench.daemon("--size", "1280x720")
    viewer = bench.view()
    bench.note(viewers_get=str(viewer.size))
    viewer.wait("composite", 20)
    assert str(viewer.size) == "1280x720", viewer.size
    assert "got YUYV 640x360" in daemon.log(), f"the log does not say what the camera gives: {daemon.log()}"
