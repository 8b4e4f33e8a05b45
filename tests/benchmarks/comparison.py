"""Two sides in turns: baseline, camdaemon, baseline, camdaemon… Ratios are of neighbors only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from camdaemon.tools.bench.stopwatch import Run, summarize

_SHARED = ("capture", "write", "latency")  # the same code on both sides, or waiting: a ratio would mean nothing


@dataclass(frozen=True, slots=True)
class Comparison:
    """As many runs of camdaemon as of the baseline, in the order in which they alternated."""

    camdaemon: list[Run]
    baseline: list[Run]

    def ratios(self) -> dict[str, list[float]]:
        """Return how many times as fast camdaemon is in each round, by stop and for 'fps'."""
        pairs = list(zip(self.camdaemon, self.baseline, strict=True))
        stops = [stop for stop in self.camdaemon[0].seconds if stop not in _SHARED and stop in self.baseline[0].seconds]
        found = {
            stop: [median(slow.seconds[stop]) / median(fast.seconds[stop]) for fast, slow in pairs] for stop in stops
        }
        return found | {"fps": [fast.fps / slow.fps for fast, slow in pairs]}

    def summary(self) -> dict[str, object]:
        """Return plain values: the figures of both sides, the median of the rounds' ratios, and their range."""
        ratios = self.ratios()
        return {
            "camdaemon": summarize(self.camdaemon),
            "baseline": summarize(self.baseline),
            "ratio": {stop: round(median(each), 3) for stop, each in ratios.items()},
            "ratio_range": {stop: [round(min(each), 3), round(max(each), 3)] for stop, each in ratios.items()},
        }


def alternate(
    camdaemon: Callable[[], Run], baseline: Callable[[], Run], rounds: int, tick: Callable[[], None]
) -> Comparison:
    """Call both sides `rounds` times in turns, the baseline first, and `tick` after each run."""
    runs: dict[str, list[Run]] = {"baseline": [], "camdaemon": []}
    for _ in range(rounds):
        for name, run in (("baseline", baseline), ("camdaemon", camdaemon)):
            runs[name].append(run())
            tick()
    return Comparison(**runs)
