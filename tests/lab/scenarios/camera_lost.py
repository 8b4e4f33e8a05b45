"""The webcam's program ends and starts again: the card shows meanwhile, then the picture returns by itself."""

from __future__ import annotations

import time

from inside.bench import Bench


def play(bench: Bench) -> None:
    webcam = bench.webcam()
    daemon = bench.daemon()
    viewer = bench.view()
    viewer.wait("composite", 15)
    webcam.close()
    lost = time.monotonic()
    bench.note(card_after_s=viewer.wait("card:", 5, since=lost).t - lost)
    viewer.wait("card:lost", 6, since=lost)
    assert daemon.status()["camera"] == "camera lost", daemon.status()
    bench.webcam()
    again = time.monotonic()
    back = viewer.wait("composite", 15, since=again).t
    bench.note(back_after_s=back - again)
    viewer.wait("composite", 5, since=back + 1)
