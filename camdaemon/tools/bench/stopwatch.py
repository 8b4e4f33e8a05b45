"""A stopwatch that the pipeline reports to as it does to its metrics, and the figures of what it measured."""

from __future__ import annotations

import time
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from camdaemon.frames.frame import HostFrame
from camdaemon.pipeline.metrics import Metrics

_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Run:
    """What one run measured.

    Attributes:
        seconds: Duration of each stop, for every frame.
        fps: Finished frames per second.
        cpu: Processor time of the whole process, in percent of one core.
        gpu_memory: Peak of allocated GPU memory in bytes; 0 without a GPU.
        dropped: Frames that were replaced by newer ones before the worker took them.
    """

    seconds: dict[str, list[float]]
    fps: float
    cpu: float
    gpu_memory: int = 0
    dropped: int = 0


class Stopwatch(Metrics):
    """Metrics that keep every sample, not only those of the last few seconds."""

    def __init__(self, *, paced: bool, settle: Callable[[], None] = lambda: None) -> None:
        """Start with no samples.

        Args:
            paced: Whether frames come in real time, so that they have a latency.
            settle: Waits until the device has finished, so that each stop is charged with its own work. Replace it
                where waiting would change what is measured.
        """
        super().__init__(paced=paced)
        self.settle, self._has_latencies = settle, paced
        self._seconds: dict[str, array[float]] = defaultdict(_new_samples)  # compact: memory is measured, too
        self._published_s, self._published_cpu = _new_samples(), _new_samples()  # of each published frame

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """See `Metrics`."""
        start = time.perf_counter()
        yield
        self.settle()
        self._seconds[name].append(time.perf_counter() - start)

    def record_published(self, frame: HostFrame) -> None:
        """See `Metrics`."""
        super().record_published(frame)
        if self._has_latencies:
            self._seconds["latency"].append(time.monotonic() - frame.t)
        self._published_s.append(time.perf_counter())
        self._published_cpu.append(time.process_time())

    def get_count(self, name: str) -> int:
        """Return how often `name` was counted since the start."""
        counts = self.snapshot()["counts"]
        return counts.get(name, 0) if isinstance(counts, dict) else 0

    def take(self) -> tuple[dict[str, list[float]], list[tuple[float, float]]]:
        """Return the samples since the last call, and clock and processor time of each published frame.

        No other thread may be measuring.
        """
        seconds = {name: list(samples) for name, samples in self._seconds.items()}
        published = list(zip(self._published_s, self._published_cpu, strict=True))
        self._seconds, self._published_s, self._published_cpu = (
            defaultdict(_new_samples),
            _new_samples(),
            _new_samples(),
        )
        return seconds, published


def _new_samples() -> array[float]:
    return array("d")


def quantile(values: list[float], q: float) -> float:
    """Return the value below which a share `q` of all lies; the highest where there are too few to tell."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def summarize(runs: list[Run]) -> dict[str, object]:
    """Return the figures of all `runs` together as plain values: quantiles per stop in ms, and medians of the rates."""
    pooled = {stop: [value for run in runs for value in run.seconds.get(stop, [])] for stop in runs[0].seconds}
    return {
        "ms": {
            stop: {name: round(1000 * quantile(values, q), 3) for name, q in _QUANTILES.items()}
            for stop, values in pooled.items()
        },
        "fps": round(median(run.fps for run in runs), 2),
        "cpu_percent": round(median(run.cpu for run in runs), 1),
        "gpu_memory_mb": round(max(run.gpu_memory for run in runs) / 2**20, 1),
        "dropped": sum(run.dropped for run in runs),
        "samples": max(len(values) for values in pooled.values()),
    }
