"""A camera with a bad cable loses frames, then its stream ends with an error: the picture returns."""

from __future__ import annotations

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
    module.control(VIVID, percentage_of_dropped_buffers=60)
    dropping = time.monotonic()
    viewer.wait("composite", 5, since=dropping + 3)
    bench.note(fps_in_dropping=daemon.status()["fps_in"])
    assert not [seen for seen in viewer.between(dropping) if seen.word != "composite"], viewer.story()
    module.control(VIVID, percentage_of_dropped_buffers=0)
    module.run("v4l2-ctl", "-d", VIVID, "-c", "inject_fatal_streaming_error=1")
    broken = time.monotonic()
    daemon.wait(lambda status: dict(status["counts"]).get("reconnects", 0) >= 1, 15)
    bench.note(back_after_s=viewer.wait("composite", 15, since=time.monotonic()).t - broken)
