"""The default network with its weights mattes the camera."""

from __future__ import annotations

from inside.bench import Bench

TIMEOUT = 240.0


def play(bench: Bench) -> None:
    bench.webcam()
    # Not OpenVINO: the code that it generates crashes under user-mode Linux.
    daemon = bench.daemon("--matting", "bgmv2", "--engine", "torch", "--size", "320x180")
    viewer = bench.view()
    bench.note(first_composite_s=viewer.wait("composite", 30).t - viewer.began)
    viewer.wait("composite", 10, since=viewer.seen[-1].t + 5)
    bench.note(fps=daemon.status()["fps_out"], matting=daemon.status()["matting"])
