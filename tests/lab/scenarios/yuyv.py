"""A webcam that sends YUYV, seen by a viewer, ffmpeg and OpenCV."""

from __future__ import annotations

from inside import outside
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
    live = [seen for seen in viewer.seen if seen.word == "composite"]
    ages = sorted(seen.age for seen in live if seen.age is not None)
    assert len(ages) > 0.9 * len(live), f"the frames' numbers were unreadable: {len(ages)} of {len(live)}"
    assert len({seen.number for seen in live}) > 15, "the picture hardly moves"
    oldest = max(seen.age or 0.0 for seen in live[1:])  # the first one waits for torch's first steps
    bench.note(fps=status["fps_out"], age_ms=1000 * ages[len(ages) // 2], age_most_ms=1000 * oldest)
    bench.note(age_first_ms=1000 * (live[0].age or 0.0))
    assert oldest < 0.25, f"a frame {oldest:.2f} s old was shown as live"
    assert status["fps_out"] > 8, f"only {status['fps_out']} fps"
    outside.ffmpeg(bench, VIRTUAL, 30)
    outside.opencv(bench, VIRTUAL, 30)
