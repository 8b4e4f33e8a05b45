"""The camera is unplugged and plugged in again (vivid's switch): the card shows, then the picture returns by itself."""

from __future__ import annotations

import os
import time

from inside import module
from inside.bench import Bench
from inside.module import VIVID
from scenarios import vivid


def play(bench: Bench) -> None:
    vivid.start(bench)
    daemon = bench.daemon_now
    assert daemon is not None
    viewer = bench.view()
    viewer.wait("composite", 20)
    held = os.open(VIVID, os.O_RDWR)  # vivid returns when no program has the old node open
    module.run("v4l2-ctl", "-d", VIVID, "-c", "disconnect=1")
    gone = time.monotonic()
    bench.note(card_after_s=viewer.wait("card:", 5, since=gone).t - gone)
    viewer.wait("card:lost", 5, since=gone)
    os.close(held)
    plugged = time.monotonic()
    back = viewer.wait("composite", 20, since=plugged).t
    bench.note(back_after_s=back - plugged)
    viewer.wait("composite", 5, since=back + 1)
    assert daemon.counts().get("reconnects", 0) >= 1, daemon.counts()
