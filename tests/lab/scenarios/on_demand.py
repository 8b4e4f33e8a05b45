"""The camera runs only while a program streams: 100 probes never open it, a viewer opens it once, then it closes."""

from __future__ import annotations

import os
import time

from inside.bench import Bench
from inside.module import VIRTUAL, WEBCAM

_IDLE_S = 10.0  # over which the processor time of the idle daemon is measured
_CLOSES_S = 12.0  # camdaemon polls 0.12.7 for viewers, then waits two seconds


def play(bench: Bench) -> None:
    daemon = bench.start()
    bench.wait_until(lambda: WEBCAM not in daemon.nodes(), 15, "the camera closes without viewers")
    before = daemon.counts()
    for _ in range(100):
        os.close(os.open(VIRTUAL, os.O_RDWR | os.O_NONBLOCK))
        assert WEBCAM not in daemon.nodes(), "a probe opened the camera"
    worked, since = daemon.cpu_s(), time.monotonic()
    time.sleep(_IDLE_S)  # the measurement
    idle = (daemon.cpu_s() - worked) / (time.monotonic() - since)
    bench.note(idle_cpu_percent=100 * idle)
    after = daemon.counts()
    assert after.get("wakes", 0) == before.get("wakes", 0) == 0, f"the probes woke the camera: {after}"
    assert after.get("captured", 0) == before.get("captured", 0), f"the camera was read: {after}"
    assert idle < 0.03, f"the idle daemon uses {100 * idle:.1f} % of a core"
    _check_viewer(bench)


def _check_viewer(bench: Bench) -> None:
    daemon = bench.daemon_now
    assert daemon is not None
    viewer = bench.view()
    first = viewer.wait("composite", 15)
    bench.note(first_composite_s=first.t - viewer.began)
    assert daemon.nodes().count(WEBCAM) >= 1
    time.sleep(2)  # some time of streaming
    assert daemon.counts()["wakes"] == 1, f"one viewer woke the camera {daemon.counts()['wakes']} times"
    viewer.close()
    closed = time.monotonic()
    bench.wait_until(lambda: WEBCAM not in daemon.nodes(), _CLOSES_S, "the camera closes after the viewer")
    bench.note(closed_after_s=time.monotonic() - closed)
    daemon.wait(lambda status: status["demand"] == [], 5)
