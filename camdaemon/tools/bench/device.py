"""What the GPU itself works on a frame: the sum of all its kernels and copies, whoever waits for whom meanwhile."""

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
    """Seconds of all that ran on the GPU. Copies beside kernels count, too, so it is no less than the time passed."""
    return sum(event.time_range.elapsed_us() for event in events if event.device_type == DeviceType.CUDA) / 1e6


def profiled(work: Callable[[], object]) -> float:
    """Seconds that the GPU works on `work`; 0 where its profiler is not to be had."""
    try:
        with profile(activities=[ProfilerActivity.CUDA]) as found:
            work()
            torch.cuda.synchronize()
    except RuntimeError:
        return 0.0
    return busy_s(found.events() or [])


def compare(real: Callable[[], object], plain: Callable[[], object], frames: int, rounds: int) -> dict[str, Any]:
    """Milliseconds a frame by either, each of which works on `frames` frames, in turn; plain values, 0 for unknown."""
    pairs = [(profiled(plain), profiled(real)) for _ in range(rounds)]
    ratios = [slow / fast for slow, fast in pairs if fast and slow]
    slow, fast = (median(each) / frames * 1000 for each in zip(*pairs, strict=True))
    return {
        "real_ms": round(fast, 4),
        "plain_ms": round(slow, 4),
        "ratio": round(median(ratios), 3) if ratios else None,
        "ratio_range": [round(min(ratios), 3), round(max(ratios), 3)] if ratios else None,
    }
