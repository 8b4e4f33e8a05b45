"""The camera stalls for five seconds (no frame, the node stays): the card shows, then the picture returns by itself."""

from __future__ import annotations

import time

from inside.bench import Bench


def play(bench: Bench) -> None:
    webcam = bench.webcam()
    daemon = bench.daemon()
    viewer = bench.view()
    viewer.wait("composite", 15)
    time.sleep(1)
    webcam.stall()
    stalled = time.monotonic()
    card = viewer.wait("card:", 5, since=stalled)
    frozen = [seen for seen in viewer.between(stalled, card.t) if seen.word == "composite"]
    bench.note(card_after_s=card.t - stalled, oldest_shown_s=max((seen.age or 0.0 for seen in frozen), default=0.0))
    viewer.wait("card:lost", 6, since=stalled)
    webcam.resume()
    resumed = time.monotonic()
    back = viewer.wait("composite", 15, since=resumed).t
    bench.note(back_after_s=back - resumed)
    viewer.wait("composite", 5, since=back + 1)
    assert daemon.counts().get("reconnects", 0) >= 1, daemon.counts()
    assert card.t - stalled < 1.6, f"the frozen picture stayed for {card.t - stalled:.1f} s"
