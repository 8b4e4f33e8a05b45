"""The daemon's pipeline alone behind a camera, for a long time: dropped frames, latency, and growth of memory.

The frames lie in memory, so that no decoder takes time from what is measured, at any size and rate.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from camdaemon.daemon.progress import show_progress
from camdaemon.frames.picture import quiet_opencv
from camdaemon.linux.threads import run_in_thread
from camdaemon.tools.bench.footage import load_footage
from camdaemon.tools.bench.runs import make_processor, run_pipeline
from camdaemon.tools.bench.stopwatch import summarize
from tests.benchmarks import machine
from tests.benchmarks.footage import CameraLike, MemorySource
from tests.benchmarks.measure import describe
from tests.benchmarks.settings import Settings

_WARM_S = 20.0  # memory should not grow after this


class _MemoryWatch:
    """Reports progress, and observes the process's resident memory.

    Attributes:
        warm: Bytes once the pipeline is warm, 0 before.
        last: Bytes at the last observation. Evaluating the samples afterwards takes memory itself.
    """

    def __init__(self, tick: Callable[[], None]) -> None:
        self._tick, self._start, self._reported = tick, time.monotonic(), 0
        self.warm, self.last = 0, machine.resident_bytes()

    def observe(self) -> None:
        """Observe memory, and tick once for each second that passed."""
        passed = time.monotonic() - self._start
        while self._reported < int(passed):
            self._reported += 1
            self._tick()
        self.last = machine.resident_bytes()
        if not self.warm and passed > _WARM_S:
            self.warm = self.last


def soak(settings: Settings, seconds: float, fps: float | None) -> dict[str, Any]:
    """Play `settings` for `seconds` at `fps` (None: the source's rate). Raises ConfigError or MattingError."""
    quiet_opencv()
    busy = machine.warn_if_busy()
    with (
        tempfile.TemporaryDirectory(prefix="camdaemon-bench-") as folder,
        machine.use_threads(settings.threads) as threads,
        show_progress("seconds played", round(seconds)) as tick,
    ):
        config = settings.config(settings.weights_file(Path(folder)))
        footage = load_footage(config)
        rate = fps or footage.fps
        source = MemorySource(footage.frames, rate)
        timed = run_in_thread(lambda: make_processor(config, footage, paced=True), "bench")
        memory = _MemoryWatch(tick)
        frames = max(2, round(seconds * rate))
        run = run_pipeline(timed, lambda: CameraLike(source), frames, drop_late=True, poll=memory.observe)
        published = len(run.seconds["latency"])
        return {
            "machine": machine.describe(timed.device, threads),
            "busy": busy,
            "subject": describe(settings, footage, timed),
            "soak": summarize([run])
            | {
                "frames": source.given,  # also those that came while the worker was busy
                "dropped": source.given - published,
                "period_ms": round(1000 / rate, 3),
                "resident_mb": round(memory.last / 2**20, 1),
                "warm_resident_mb": round(memory.warm / 2**20, 1),
            },
        }
