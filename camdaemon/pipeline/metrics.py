"""Metrics of the pipeline: frame rates, drops, milliseconds per step, latency from camera to sink."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from camdaemon.frames.frame import Content, HostFrame

_WINDOW = 300  # samples kept of each step and of the latency: 10 s at 30 fps


class _Rate:
    """Events per second over the last `span` seconds."""

    def __init__(self, span: float = 3.0) -> None:
        self._span = span
        self._times: deque[float] = deque(maxlen=1000)

    def tick(self, now: float) -> None:
        self._times.append(now)

    def value(self, now: float) -> float:
        recent = [t for t in self._times if now - t <= self._span]
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 else 0.0


class Metrics:
    """Figures of one run, over the last few seconds. Written by the three threads, read by any.

    Args:
        clock: Monotonic seconds.
        paced: Whether frames carry the time of `clock`, so that their latency is known.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, paced: bool = True) -> None:
        self._paced = paced
        self._clock = clock
        self._lock = threading.Lock()
        self._in, self._out = _Rate(), _Rate()
        self._count: Counter[str] = Counter()
        self._steps: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_WINDOW))
        self._alive = 0
        self._latency: deque[float] = deque(maxlen=_WINDOW)

    def record_captured(self) -> None:
        """Record that the camera delivered a frame."""
        with self._lock:
            self._in.tick(self._clock())
            self._count["captured"] += 1

    def captured(self) -> int:
        """Return the number of frames that the camera has delivered."""
        with self._lock:
            return self._count["captured"]

    def count(self, name: str) -> None:
        """Count an event: dropped, refused, matting_errors, reconnects and the like."""
        with self._lock:
            self._count[name] += 1

    def record_repeated(self, *, has_camera: bool) -> None:
        """Record that a frame was written again.

        Args:
            has_camera: Whether the camera delivers, so that a new frame should have come.
        """
        with self._lock:
            self._count["repeated"] += 1
            self._alive += not has_camera

    def record_published(self, frame: HostFrame) -> None:
        """Record that `frame` reached the sink for the first time. Cards do not count for the latency."""
        with self._lock:
            now = self._clock()
            self._out.tick(now)
            self._alive += 1
            self._count[f"published_{frame.content}"] += 1
            if self._paced and frame.content is not Content.CARD:
                self._latency.append(now - frame.t)

    def alive(self) -> int:
        """Return a number that grows while frames move: with each new one, and each card repeated without a camera.

        Repeats while the camera delivers do not count, because that is what a hung worker looks like.
        """
        with self._lock:
            return self._alive

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step inside the context: in seconds on this thread; on CUDA the launch, not the work."""
        start = self._clock()
        yield
        took = self._clock() - start
        with self._lock:
            self._steps[name].append(took)

    def snapshot(self) -> dict[str, object]:
        """Return plain values: fps_in, fps_out, counts, steps_ms (medians), latency_ms {p50, p99} or None."""
        with self._lock:
            now = self._clock()
            return {
                "fps_in": round(self._in.value(now), 1),
                "fps_out": round(self._out.value(now), 1),
                "counts": dict(self._count),
                "steps_ms": {name: round(1000 * _quantile(took, 0.5), 2) for name, took in self._steps.items()},
                "latency_ms": {
                    "p50": round(1000 * _quantile(self._latency, 0.5), 1),
                    "p99": round(1000 * _quantile(self._latency, 0.99), 1),
                }
                if self._latency
                else None,
            }


def _quantile(values: deque[float], q: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]
