"""Two programs watch concurrently, each its own virtual camera with the same picture (`--sink` twice)."""

from __future__ import annotations

from inside.bench import Bench
from inside.module import SECOND, VIRTUAL, WEBCAM


def play(bench: Bench) -> None:
    bench.webcam()
    daemon = bench.daemon("--sink", VIRTUAL, "--sink", SECOND)
    bench.wait_until(lambda: WEBCAM not in daemon.nodes(), 15, "the camera closes without viewers")
    one, other = bench.view(VIRTUAL), bench.view(SECOND)
    for viewer in (one, other):
        bench.note(first_composite_s=viewer.wait("composite", 15).t - viewer.began)
    one.close()
    assert other.wait("composite", 5, since=other.seen[-1].t + 4), "the second viewer goes on after the first has gone"
    assert daemon.counts()["wakes"] == 1, daemon.counts()
    other.close()
    bench.wait_until(lambda: WEBCAM not in daemon.nodes(), 15, "the camera closes after the last viewer")
