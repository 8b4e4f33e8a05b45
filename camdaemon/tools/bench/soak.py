"""The real pipeline alone for a long time, as behind a camera: what is dropped, how late frames are, what memory does.

The frames lie in memory, so that neither decoding nor drawing takes time from what is measured, at any size and rate.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from camdaemon.frames.picture import quiet_opencv
from camdaemon.linux.threads import run_in_thread
from camdaemon.tools.bench import machine, network
from camdaemon.tools.bench.footage import Kept, load
from camdaemon.tools.bench.pipeline import run_pipeline
from camdaemon.tools.bench.sides import real_side
from camdaemon.tools.bench.subject import Subject
from camdaemon.tools.bench.timing import figures
from camdaemon.tools.files.progress import show_progress

_WARM_S = 20.0  # after which memory should not grow any more


class _Watched:
    """Tells how far it is, and looks what memory the process holds.   warm: bytes once it is that, 0 before.
    last: when it was last looked at; afterwards the samples of all frames are counted and take memory themselves.
    """

    def __init__(self, tick: Callable[[], None]) -> None:
        self._tick, self._begun, self._told = tick, time.monotonic(), 0
        self.warm, self.last = 0, machine.resident()

    def look(self) -> None:
        """To be called now and then."""
        passed = time.monotonic() - self._begun
        while self._told < int(passed):
            self._told += 1
            self._tick()
        self.last = machine.resident()
        if not self.warm and passed > _WARM_S:
            self.warm = self.last


def soak(subject: Subject, seconds: float, fps: float | None) -> dict[str, Any]:
    """Play `subject` for `seconds` at `fps` (None: the source's own rate). Raises ConfigError or MattingError."""
    quiet_opencv()
    busy = machine.busy()
    with (
        tempfile.TemporaryDirectory(prefix="camdaemon-bench-") as folder,
        machine.threads(subject.threads) as threads,
        show_progress("seconds played", round(seconds)) as tick,
    ):
        config = subject.config(subject.weights_file(Path(folder)))
        footage = load(config)
        rate = fps or footage.fps
        source = Kept(footage.frames, rate)
        side = run_in_thread(lambda: real_side(config, footage, paced=True), "bench")
        watched = _Watched(tick)
        memory, frames = replace(footage, open=lambda: source), max(2, round(seconds * rate))
        run = run_pipeline(side, memory, frames, realtime=True, meanwhile=watched.look)
        published = len(run.seconds["latency"])
        engine, precision = network.running(side).split()
        return {
            "machine": machine.facts(side.device, threads),
            "busy": busy,
            "subject": asdict(subject)
            | {"size": str(footage.size), "footage": footage.about, "engine": engine, "precision": precision},
            "soak": figures([run])
            | {
                "frames": source.given,  # also those that came while nobody could take them
                "dropped": source.given - published,
                "period_ms": round(1000 / rate, 3),
                "resident_mb": round(watched.last / 2**20, 1),
                "warm_resident_mb": round(watched.warm / 2**20, 1),
            },
        }
