"""The GPU's own time for a frame: the sum of its kernels and copies, without waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import median
from typing import Any, Protocol

import torch
from torch.autograd import DeviceType  # type: ignore[attr-defined]
from torch.profiler import ProfilerActivity, profile


class _Span(Protocol):
    def elapsed_us(self) -> float: ...


class _Event(Protocol):
    device_type: DeviceType
    time_range: _Span


def busy_s(events: Iterable[_Event]) -> float:
    """Return the seconds of everything that ran on the GPU; copies that overlap kernels count in full."""
    return sum(event.time_range.elapsed_us() for event in events if event.device_type == DeviceType.CUDA) / 1e6


def profile_gpu(work: Callable[[], object]) -> float:
    """Return the seconds that the GPU needs for `work`; 0 if its profiler is not available."""
    try:
        with profile(activities=[ProfilerActivity.CUDA]) as found:
            work()
            torch.cuda.synchronize()
    except RuntimeError:
        return 0.0
    return busy_s(found.events() or [])


def compare(
    camdaemon: Callable[[], object], baseline: Callable[[], object], frames: int, rounds: int
) -> dict[str, Any]:
    """Profile both sides in turns.

    Args:
        camdaemon: Processes `frames` frames.
        baseline: Does the same.
        frames: Frames in each run.
        rounds: Runs of each side.

    Returns:
        Milliseconds per frame of each side (0: unknown), the median of the ratios and their range, as plain values.
    """
    pairs = [(profile_gpu(baseline), profile_gpu(camdaemon)) for _ in range(rounds)]
    ratios = [slow / fast for slow, fast in pairs if fast and slow]
    slow, fast = (median(each) / frames * 1000 for each in zip(*pairs, strict=True))
    return {
        "camdaemon_ms": round(fast, 4),
        "baseline_ms": round(slow, 4),
        "ratio": round(median(ratios), 3) if ratios else None,
        "ratio_range": [round(min(ratios), 3), round(max(ratios), 3)] if ratios else None,
    }
