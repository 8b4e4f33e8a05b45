"""Another program has the camera: refused by name at start; while running the card shows until it is free again."""

from __future__ import annotations

import subprocess
import time

from inside import module
from inside.bench import Bench
from inside.module import WEBCAM


def play(bench: Bench) -> None:
    if bench.version == "0.12.7":
        bench.not_applicable("0.12 lets several programs stream from one node, as no camera does")
    bench.webcam()
    other = _taken(bench)
    daemon = bench.daemon(ready=False)
    assert daemon.ended(30) == 3, f"it exits with 3 for a device: {daemon.log()}"
    said = daemon.log().strip().splitlines()[-1]
    assert "v4l2-ctl" in said, f"it does not say who has the camera: {said}"
    _end(other)
    _while_running(bench)


def _while_running(bench: Bench) -> None:
    daemon = bench.daemon()
    bench.until(lambda: WEBCAM not in daemon.nodes(), 15, "the camera is closed while nobody watches")
    other = _taken(bench)
    viewer = bench.view()
    viewer.wait("card:lost", 10)
    _end(other)
    freed = time.monotonic()
    back = viewer.wait("composite", 15, since=freed).t
    bench.note(back_after_s=back - freed)
    viewer.wait("composite", 5, since=back + 1)


def _taken(bench: Bench) -> subprocess.Popen[bytes]:
    other = bench.beside("v4l2-ctl", "-d", WEBCAM, "--stream-mmap", "--stream-to=/dev/null")
    bench.until(lambda: WEBCAM in module.nodes_of(other.pid), 10, "v4l2-ctl opens the camera")
    time.sleep(0.5)  # that it streams cannot be seen from outside
    return other


def _end(other: subprocess.Popen[bytes]) -> None:
    other.kill()
    other.wait()
