"""Stopwatch, runs, and the two formulations in turn: plain, real, plain, real… Ratios are of neighbours only."""

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

Figures = dict[str, float]
_SHARED = ("capture", "write", "latency")  # the same code on either side, or waiting: a ratio would say nothing


@dataclass(frozen=True, slots=True)
class Run:
    """One formulation at work for a while.

    seconds: of each stop, of every frame.   fps: frames finished a second.   cpu: percent of one core, of the whole
    process.   gpu_memory: most bytes in use, 0 without a GPU.   dropped: frames that came too late to be taken.
    """

    seconds: dict[str, list[float]]
    fps: float
    cpu: float
    gpu_memory: int = 0
    dropped: int = 0


class Stopwatch(Metrics):
    """`Metrics` that keep every sample, not only the last few seconds'. settle: waits until the device has finished,
    so that a stop is charged with its own work; set it to nothing where waiting would change what is measured.
    """

    def __init__(self, *, paced: bool, settle: Callable[[], None] = lambda: None) -> None:
        super().__init__(paced=paced)
        self.settle, self._latencies = settle, paced
        self._seconds: dict[str, array[float]] = defaultdict(_samples)  # small: memory is measured, too
        self._clock_at, self._worked_at = _samples(), _samples()  # of each published frame: clock and processor time

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
        if self._latencies:
            self._seconds["latency"].append(time.monotonic() - frame.t)
        self._clock_at.append(time.perf_counter())
        self._worked_at.append(time.process_time())

    def counted(self, name: str) -> int:
        """How often `name` was counted since the start."""
        counts = self.snapshot()["counts"]
        return counts.get(name, 0) if isinstance(counts, dict) else 0

    def take(self) -> tuple[dict[str, list[float]], list[tuple[float, float]]]:
        """The samples since the last call, and the moments of the published frames. Nobody may be measuring."""
        seconds = {name: list(samples) for name, samples in self._seconds.items()}
        moments = list(zip(self._clock_at, self._worked_at, strict=True))
        self._seconds, self._clock_at, self._worked_at = defaultdict(_samples), _samples(), _samples()
        return seconds, moments


def _samples() -> array[float]:
    return array("d")


@dataclass(frozen=True, slots=True)
class Comparison:
    """As many runs of the one as of the other, in the order in which they alternated."""

    real: list[Run]
    plain: list[Run]

    def ratios(self) -> dict[str, list[float]]:
        """How many times as fast the real one is, by stop and for 'fps', in each round."""
        pairs = list(zip(self.real, self.plain, strict=True))
        stops = [stop for stop in self.real[0].seconds if stop not in _SHARED and stop in self.plain[0].seconds]
        found = {
            stop: [median(plain.seconds[stop]) / median(real.seconds[stop]) for real, plain in pairs] for stop in stops
        }
        return found | {"fps": [real.fps / plain.fps for real, plain in pairs]}

    def summary(self) -> dict[str, object]:
        """Plain values. ms: of each stop p50, p95, p99 over all rounds.   ratio: the median of the rounds' ratios;
        ratio_range: the lowest and the highest of them."""
        ratios = self.ratios()
        return {
            "real": figures(self.real),
            "plain": figures(self.plain),
            "ratio": {stop: round(median(each), 3) for stop, each in ratios.items()},
            "ratio_range": {stop: [round(min(each), 3), round(max(each), 3)] for stop, each in ratios.items()},
        }


def alternate(real: Callable[[], Run], plain: Callable[[], Run], rounds: int, tick: Callable[[], None]) -> Comparison:
    """`rounds` runs of either, plain first, in turn. tick: called after each run."""
    runs: dict[str, list[Run]] = {"plain": [], "real": []}
    for _ in range(rounds):
        for name, run in (("plain", plain), ("real", real)):
            runs[name].append(run())
            tick()
    return Comparison(**runs)


def quantile(values: list[float], q: float) -> float:
    """The value that a share of `q` of all are below; the highest where there are too few to tell."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def figures(runs: list[Run]) -> dict[str, object]:
    """Of all runs of one formulation together, plain values: see `Comparison.summary`."""
    pooled = {stop: [value for run in runs for value in run.seconds.get(stop, [])] for stop in runs[0].seconds}
    return {
        "ms": {stop: _milliseconds(values) for stop, values in pooled.items()},
        "fps": round(median(run.fps for run in runs), 2),
        "cpu_percent": round(median(run.cpu for run in runs), 1),
        "gpu_memory_mb": round(max(run.gpu_memory for run in runs) / 2**20, 1),
        "dropped": sum(run.dropped for run in runs),
        "samples": max(len(values) for values in pooled.values()),
    }


def _milliseconds(values: list[float]) -> Figures:
    return {name: round(1000 * quantile(values, q), 3) for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}
