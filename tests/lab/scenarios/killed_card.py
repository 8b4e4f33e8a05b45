"""The daemon is killed (SIGKILL) and not restarted: within two seconds viewers see a card that says so."""

from __future__ import annotations

import time

from inside.bench import Bench


def play(bench: Bench) -> None:
    daemon = bench.start()
    viewer = bench.view()
    viewer.wait("composite", 15)
    daemon.kill()
    killed = time.monotonic()
    bench.note(card_after_s=viewer.wait("card:fault", 2.5, since=killed).t - killed)
    viewer.wait("card:fault", 5, since=killed + 4)
    assert not viewer.errors, viewer.errors
    daemon = bench.daemon()
    viewer.wait("composite", 20)
    assert daemon.stop() == 0
    stopped = time.monotonic()
    time.sleep(4)  # longer than the time-out
    assert viewer.seen[-1].word == "card:off", f"after an orderly end: {viewer.story()}"
    bench.note(after_stop=len(viewer.between(stopped + 0.5)))
