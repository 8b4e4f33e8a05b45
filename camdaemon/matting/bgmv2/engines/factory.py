"""Which engine runs the network: the fastest of those that there are.

All return the same maps to the rounding of their number format. Which one is fastest depends on the machine. So it is
measured when the daemon starts, at the size of its frames, and cached for a week.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from camdaemon.matting.bgmv2.engines import cache
from camdaemon.matting.bgmv2.engines.engine import BaseEngine, BaseSize, Floats, Runtime, WindowEngine
from camdaemon.model.layout import NetworkLayout

log = logging.getLogger(__name__)

_ROUNDS = 5  # the best run of each engine counts: other load only makes a run slower


class EngineFactory:
    """Builds engines for one network, of the kind that is fastest on this machine.

    Args:
        layout: Of the network.
        mark: Checksum of its weights.
        runtimes: The kinds to choose among.
        find_others: Finds those to choose among where none of these works.
    """

    def __init__(
        self,
        layout: NetworkLayout,
        mark: str,
        runtimes: Iterable[Runtime],
        find_others: Callable[[], Iterable[Runtime]] = list,
    ) -> None:
        self.layout = layout
        self._mark, self._runtimes, self._find_others = mark, list(runtimes), find_others
        self._chosen: Runtime | None = None

    def build(self, size: BaseSize) -> BaseEngine:
        """Build an engine of the base network for inputs of `size`.

        The first call chooses the kind: the cached one, else by measuring.

        Raises:
            RuntimeError: No engine works.
        """
        if self._chosen is not None:
            return self._chosen.build_base(size)
        try:
            return self._choose(self._runtimes, size)
        except RuntimeError as exc:
            others = list(self._find_others())
            if not others:
                raise
            log.info("engine skipped: %s", exc)
            return self._choose(others, size)

    def build_refiner(self, *, exact: bool = False) -> WindowEngine:
        """Build an engine of the refiner, of the kind that `build` chose; see `Runtime`."""
        return self._require_chosen().build_refiner(exact=exact)

    def build_hidden(self, *, exact: bool = False) -> WindowEngine:
        """Build an engine of the hidden features, of the kind that `build` chose; see `Runtime`."""
        return self._require_chosen().build_hidden(exact=exact)

    def _require_chosen(self) -> Runtime:
        assert self._chosen is not None, "the base network comes first"
        return self._chosen

    def _choose(self, runtimes: list[Runtime], size: BaseSize) -> BaseEngine:
        """Choose among `runtimes`, and return the engine of the chosen one. Raises RuntimeError."""
        if len(runtimes) == 1:
            engine = runtimes[0].build_base(size)
            self._chosen = runtimes[0]
            return engine
        key = cache.measurement_key((each.name for each in runtimes), size, self._mark)
        pair = np.random.default_rng(1).random((1, *size, self.layout.inputs), np.float32)
        candidates = {each.name: _Candidate(each) for each in runtimes}
        name = cache.read_fastest(key)
        if name not in candidates or candidates[name].run(size, pair) is None:  # the cached one may fail by now
            name = _measure_fastest(candidates, size, pair)
            if candidates[name].engine is not None:
                cache.write_fastest(key, name)
        chosen = candidates[name]
        if chosen.engine is None:
            raise RuntimeError(f"no engine runs the network: {chosen.error}")
        self._chosen = chosen.runtime
        return chosen.engine


def _measure_fastest(candidates: dict[str, _Candidate], size: BaseSize, pair: Floats) -> str:
    """Return the name of the fastest candidate; any where none works.

    The candidates run in turn, so that other load on the machine slows all of them alike.
    """
    for _ in range(_ROUNDS):
        for each in candidates.values():
            each.run(size, pair)
    for name, each in candidates.items():
        if each.engine is not None:
            log.info("engine measured: %s, %.1f ms for %dx%d", name, 1e3 * each.seconds, *size[::-1])
    return min(candidates, key=lambda name: candidates[name].seconds)


@dataclass(slots=True)
class _Candidate:
    """An engine to measure.

    Attributes:
        runtime: Builds the engine.
        engine: Built by the first run; None before and after a failure.
        seconds: Of the best run; infinite after a failure.
        error: Why it failed.
    """

    runtime: Runtime
    engine: BaseEngine | None = None
    seconds: float = math.inf
    error: Exception | None = None

    def run(self, size: BaseSize, pair: Floats) -> BaseEngine | None:
        """Run once, timed. Returns the engine, or None if it fails now or failed before."""
        if self.error is not None:
            return None
        try:
            self.engine = self.engine or self.runtime.build_base(size)
            start = time.perf_counter()
            self.engine(pair)
            self.seconds = min(self.seconds, time.perf_counter() - start)
        except (RuntimeError, OSError) as exc:  # bfloat16 that this processor lacks, a broken OpenVINO
            self.engine, self.seconds, self.error = None, math.inf, exc
            log.info("engine skipped: %s", exc)
        return self.engine
