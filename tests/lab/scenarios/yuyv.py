"""A webcam that sends YUYV is matted: seen by a viewer, ffmpeg and OpenCV."""

from __future__ import annotations

from statistics import median

from inside import live, outside
from inside.bench import Bench
from inside.module import VIRTUAL


def play(bench: Bench, kind: str = "yuyv") -> None:
    bench.webcam(kind)
    daemon = bench.daemon()
    viewer = bench.view()
    first = viewer.wait("composite", 15)
    bench.note(first_composite_s=first.t - viewer.began)
    assert str(viewer.size) == "640x360", viewer.size
    viewer.wait(lambda seen: seen.word == "composite" and seen.t > first.t + 4, 20)
    status = daemon.status()
    viewer.close()
    seen, ages = live.pictures(viewer), live.fresh(viewer)
    assert len(ages) > 0.9 * len(seen), f"the frames' numbers were unreadable: {len(ages)} of {len(seen)}"
    assert len({each.number for each in seen}) > 15, "the picture hardly moves"
    usual = median(ages)
    bench.note(fps=status["fps_out"], age_first_ms=1000 * ages[0], age_ms=1000 * usual, age_most_ms=1000 * max(ages))
    assert usual < 0.25, f"the median age of live pictures is {usual:.2f} s"
    outside.ffmpeg(bench, VIRTUAL, 30)
    outside.opencv(bench, VIRTUAL, 30)
