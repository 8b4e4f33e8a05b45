"""Another program has the camera: the start fails and names it; a running daemon shows the card until it is free."""

from __future__ import annotations

import subprocess
import time

from inside import module
from inside.bench import Bench
from inside.module import WEBCAM


def play(bench: Bench) -> None:
    if bench.version == "0.12.7":
        bench.not_applicable("0.12 lets several programs stream from one node, unlike cameras")
    bench.webcam()
    other = _occupy(bench)
    daemon = bench.daemon(ready=False)
    assert daemon.ended(30) == 3, f"it exits with 3 for a device: {daemon.log()}"
    said = daemon.log().strip().splitlines()[-1]
    assert "v4l2-ctl" in said, f"it does not name the program: {said}"
    _end(other)
    _while_running(bench)


def _while_running(bench: Bench) -> None:
    daemon = bench.daemon()
    bench.wait_until(lambda: WEBCAM not in daemon.nodes(), 15, "the camera closes without viewers")
    other = _occupy(bench)
    viewer = bench.view()
    viewer.wait("card:lost", 10)
    _end(other)
    freed = time.monotonic()
    back = viewer.wait("composite", 15, since=freed).t
    bench.note(back_after_s=back - freed)
    viewer.wait("composite", 5, since=back + 1)


def _occupy(bench: Bench) -> subprocess.Popen[bytes]:
    other = bench.start_program("v4l2-ctl", "-d", WEBCAM, "--stream-mmap", "--stream-to=/dev/null")
    bench.wait_until(lambda: WEBCAM in module.nodes_of(other.pid), 10, "v4l2-ctl opens the camera")
    time.sleep(0.5)  # whether it streams cannot be observed from outside
    return other


def _end(other: subprocess.Popen[bytes]) -> None:
    other.kill()
    other.wait()
