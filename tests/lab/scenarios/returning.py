"""A viewer who comes back just when the camera has closed sees a card or a live picture, never the last one again."""

from __future__ import annotations

import time

from inside.bench import Bench
from inside.module import WEBCAM

_PAUSES_S = (0.0, 0.1, 0.2, 0.3, 0.4)  # after the camera has closed


def play(bench: Bench) -> None:
    daemon = bench.started()
    viewer = bench.view()
    viewer.wait("composite", 15)
    old = []
    for pause in _PAUSES_S:
        viewer.close()
        bench.until(lambda: WEBCAM not in daemon.nodes(), 15, "the camera is closed after the viewer")
        time.sleep(pause)
        viewer = bench.view()
        time.sleep(1.5)  # the camera opens meanwhile
        live = [seen for seen in viewer.seen if seen.word == "composite"]
        old += [seen.age for seen in live[1:] if seen.age is not None and seen.age > 0.25]
    bench.note(over_250_ms=len(old), oldest_ms=1000 * max(old, default=0.0))
    assert not old, f"{len(old)} pictures were older than 250 ms, up to {1000 * max(old):.0f} ms"
