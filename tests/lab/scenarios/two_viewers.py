"""Two programs watch at once, each its own virtual camera of the same picture (`--sink` twice)."""

from __future__ import annotations

from inside.bench import Bench
from inside.module import SECOND, VIRTUAL, WEBCAM


def play(bench: Bench) -> None:
    bench.webcam()
    daemon = bench.daemon("--sink", VIRTUAL, "--sink", SECOND)
    bench.until(lambda: WEBCAM not in daemon.nodes(), 15, "the camera is closed while nobody watches")
    one, other = bench.view(VIRTUAL), bench.view(SECOND)
    for viewer in (one, other):
        bench.note(first_composite_s=viewer.wait("composite", 15).t - viewer.began)
    one.close()
    assert other.wait("composite", 5, since=other.seen[-1].t + 4), "the other one goes on when the first has gone"
    assert daemon.counts()["wakes"] == 1, daemon.counts()
    other.close()
    bench.until(lambda: WEBCAM not in daemon.nodes(), 15, "the camera is closed after the last viewer")
