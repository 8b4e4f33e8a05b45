"""The machine: what it is, how much it can do at best, how busy it is, and how much memory this process holds."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

_SIDE = {"cpu": 512, "cuda": 8192}  # of the matrices: so short on a CPU that some try is left in peace
_COPIED = {"cpu": 64 * 2**20, "cuda": 2**30}  # bytes: more than most caches hold
_TRIES = 20
_LOOK_S = 0.5
_MAY_BE_USED = 0.15  # of all cores


def facts(device: torch.device, threads: int) -> dict[str, object]:
    """What a figure depends on, as plain values."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": threads,
        "device": device.type,
        "gpu": gpu,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def busy() -> str:
    """What to think of the figures when other programs use the processor; '' when they do not. Looks for ½ s, in which
    this process must do nothing.
    """
    working, everything = _ticks()
    time.sleep(_LOOK_S)
    more, all_of_it = _ticks()
    share = (more - working) / max(1, all_of_it - everything)
    if share < _MAY_BE_USED:
        return ""
    return (
        f"other programs used {share:.0%} of the processor at the start: the milliseconds are worth nothing, and the "
        "ratios little, though both formulations wait alike; close them, then measure again"
    )


def _ticks() -> tuple[int, int]:
    """Of all cores since the machine started: ticks that were worked, and all."""
    try:
        first = Path("/proc/stat").read_text("ascii").partition("\n")[0]
        ticks = [int(each) for each in first.split()[1:9]]  # what follows is counted in these already
    except (OSError, ValueError):
        return 0, 0
    return sum(ticks) - sum(ticks[3:5]), sum(ticks)  # the fourth and fifth: idle, and waiting for a disk


def resident() -> int:
    """Bytes of memory that this process holds now; 0 where the kernel does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def settled(device: torch.device) -> Callable[[], None]:
    """The function that waits until `device` has finished what it was given."""
    return (lambda: torch.cuda.synchronize(device)) if device.type == "cuda" else (lambda: None)


@contextmanager
def threads(count: int | None) -> Iterator[int]:
    """torch with `count` threads meanwhile (None: as many as it chose); gives how many."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def peak_macs(device: torch.device, dtype: torch.dtype) -> float:
    """Multiply-accumulates a second of a large matrix product, the best of a few."""
    side = _SIDE[device.type]
    a = torch.rand(side, side, device=device).to(dtype)
    out = torch.empty_like(a)
    return side**3 / _best(lambda: torch.mm(a, a, out=out), settled(device))


def peak_bytes(device: torch.device) -> float:
    """Bytes a second that a large copy reads and writes, the best of a few."""
    a = torch.zeros(_COPIED[device.type], dtype=torch.uint8, device=device)
    out = torch.zeros_like(a)
    return 2 * a.numel() / _best(lambda: out.copy_(a), settled(device))


def gpu_memory(device: torch.device) -> int:
    """The most bytes that were in use on the GPU since this was last asked; 0 without one."""
    if device.type != "cuda":
        return 0
    most = torch.cuda.max_memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    return most


def _best(work: Callable[[], object], settle: Callable[[], None]) -> float:
    """Seconds of the fastest of some tries, after one that is not counted."""
    work()
    settle()
    took = []
    for _ in range(_TRIES):
        start = time.perf_counter()
        work()
        settle()
        took.append(time.perf_counter() - start)
    return min(took)


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
