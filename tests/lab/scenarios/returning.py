"""A viewer that returns just after the camera closed sees a card or a live picture, never the last picture again."""

from __future__ import annotations

import time

from inside import live
from inside.bench import Bench
from inside.module import WEBCAM

_PAUSES_S = (0.0, 0.1, 0.2, 0.3, 0.4)  # after the camera has closed


def play(bench: Bench) -> None:
    daemon = bench.start()
    viewer = bench.view()
    viewer.wait("composite", 15)
    ages: list[float] = []
    for pause in _PAUSES_S:
        viewer.close()
        bench.wait_until(lambda: WEBCAM not in daemon.nodes(), 15, "the camera closes after the viewer")
        closed = time.monotonic()
        time.sleep(pause)
        viewer = bench.view()
        time.sleep(1.5)  # the camera opens meanwhile
        ages += live.fresh(viewer, closed)
    assert ages, "no viewer saw a live picture"
    bench.note(oldest_ms=1000 * max(ages))
