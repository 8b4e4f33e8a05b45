"""The lab's webcam: a second loopback node that `feeder.py` feeds with the footage."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from footage import COUNT
from inside import module

_HERE = Path(__file__).parent


class Webcam:
    """Plays the footage into `node` as `kind` (see `feeder`) at `fps` until `close`."""

    def __init__(self, footage: Path, kind: str = "yuyv", fps: int = 30, node: str = module.WEBCAM) -> None:
        times = Path(f"/dev/shm/times-{Path(node).name}")
        np.zeros(COUNT, np.float64).tofile(times)
        self.times = np.memmap(times, np.float64, "r", shape=(COUNT,))
        words = [sys.executable, str(_HERE / "feeder.py"), str(footage), kind, str(fps), node, str(times)]
        self._process = subprocess.Popen(words)
        end = time.monotonic() + 20
        while not module.capability(node).can_capture:
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("the webcam's feeder did not start")
            time.sleep(0.05)

    def age(self, number: int, now: float) -> float:
        """Return the seconds from the last time frame `number` was sent until `now`, time.monotonic."""
        return now - float(self.times[number])

    def stall(self) -> None:
        """Pause it: the node stays, no frame comes."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue after `stall`."""
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it; the node has no feeder then. May be called twice."""
        self._process.kill()
        self._process.wait()
