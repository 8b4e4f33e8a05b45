"""The machine: what it is, its peak throughput, its load, and the memory of this process."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from camdaemon.frames.transfer import Device
from camdaemon.linux.threads import count_compute_threads
from camdaemon.tools.bench.runs import synchronizer

_SIDE = {"cpu": 512, "cuda": 8192}  # of the matrices; short on a CPU, so that at least one try is not interrupted
_COPIED = {"cpu": 64 * 2**20, "cuda": 2**30}  # bytes; more than most caches hold
_ASKED = "OMP_NUM_THREADS"  # the environment variable that engines go by
_TRIES = 20
_OBSERVED_S = 0.5
_TOLERATED = 0.15  # share of all cores


def describe(device: Device, threads: int) -> dict[str, object]:
    """Return what a figure depends on, as plain values."""
    gpu = torch.cuda.get_device_name() if device == "cuda" else None
    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": threads,
        "device": device,
        "gpu": gpu,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def warn_if_busy() -> str:
    """Return a warning if other programs use the processor, else ''.

    Observes the processor for half a second, in which this process must do nothing.
    """
    busy, total = _read_ticks()
    time.sleep(_OBSERVED_S)
    busy_after, total_after = _read_ticks()
    share = (busy_after - busy) / max(1, total_after - total)
    if share < _TOLERATED:
        return ""
    return (
        f"other programs used {share:.0%} of the processor at the start: the milliseconds mean nothing and the ratios "
        "little, though both sides wait alike. Close them and measure again"
    )


def _read_ticks() -> tuple[int, int]:
    """Return the busy ticks and all ticks of all cores since the machine started."""
    try:
        first = Path("/proc/stat").read_text("ascii").partition("\n")[0]
        ticks = [int(each) for each in first.split()[1:9]]  # later fields are contained in these
    except (OSError, ValueError):
        return 0, 0
    return sum(ticks) - sum(ticks[3:5]), sum(ticks)  # fields 4 and 5: idle, I/O wait


def resident_bytes() -> int:
    """Return the resident memory of this process; 0 if the kernel does not report it."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def use_threads(count: int | None) -> Iterator[int]:
    """Run the block with `count` threads for each side (None: one for each core); yield how many there are."""
    before, asked = torch.get_num_threads(), os.environ.get(_ASKED)
    if count is not None:
        os.environ[_ASKED] = str(count)
    torch.set_num_threads(count_compute_threads())
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
        if asked is None:
            os.environ.pop(_ASKED, None)
        else:
            os.environ[_ASKED] = asked


def measure_macs(device: Device, dtype: torch.dtype) -> float:
    """Return multiply-accumulates per second of a large matrix product, the best of a few tries."""
    side = _SIDE[device]
    a = torch.rand(side, side, device=device).to(dtype)
    out = torch.empty_like(a)
    return side**3 / _time_best(lambda: torch.mm(a, a, out=out), synchronizer(device))


def measure_bandwidth(device: Device) -> float:
    """Return bytes per second that a large copy reads and writes, the best of a few tries."""
    a = torch.zeros(_COPIED[device], dtype=torch.uint8, device=device)
    out = torch.zeros_like(a)
    return 2 * a.numel() / _time_best(lambda: out.copy_(a), synchronizer(device))


def _time_best(work: Callable[[], object], wait: Callable[[], None]) -> float:
    """Return the seconds of the fastest of some tries, after a warm-up."""
    work()
    wait()
    tries = []
    for _ in range(_TRIES):
        start = time.perf_counter()
        work()
        wait()
        tries.append(time.perf_counter() - start)
    return min(tries)


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
