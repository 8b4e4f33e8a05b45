"""The network alone: picture and plate in, alpha and foreground out, both on the device already."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TypeVar

import numpy as np
from torch import Tensor

from camdaemon.config.schema import Config
from camdaemon.frames import pixels
from camdaemon.frames.pixels import Array
from camdaemon.frames.transfer import Device
from camdaemon.plate.match import PlateMatcher
from camdaemon.tools.bench.footage import Footage
from camdaemon.tools.bench.runs import TimedProcessor, pop_gpu_memory, synchronizer
from camdaemon.tools.bench.stopwatch import Run
from tests.benchmarks.comparison import Comparison, alternate
from tests.benchmarks.floor import Floor, count_operations, floor_of
from tests.benchmarks.processor import BaselineMatting, baseline_dtype
from tests.kinds import floats

Pair = tuple[Array, Array]  # frame and plate, (1,3,H,W) each
_Kind = TypeVar("_Kind", bound=Array)
Floats = tuple[Tensor, Tensor]  # the same as the published network takes them


@dataclass(frozen=True, slots=True)
class Difference:
    """Difference between the alpha of camdaemon and of the baseline, over all frames, in 1/255."""

    mean: float
    p999: float  # 99.9th percentile
    most: float


def upload_pairs(footage: Footage, timed: TimedProcessor) -> list[Pair]:
    """Return the footage's frames on the device, each with the plate as the daemon matches it."""
    transfer, found = timed.processor.engine.transfer, []
    matcher = PlateMatcher(transfer.upload_picture, enabled=True)  # the daemon's own one remembers the last frame
    for frame in footage.frames:
        src = transfer.upload(frame)
        if not pixels.is_host(src):
            src = src.clone()  # the next upload overwrites it
        found.append((src, matcher.match(footage.plate, src)))
    return found


def compare(
    camdaemon: Callable[[Array, Array], object],
    baseline: Callable[[Tensor, Tensor], object],
    pairs: list[Pair],
    frames: int,
    rounds: int,
    tick: Callable[[], None],
) -> Comparison:
    """Compute `frames` mattes by each side in each of `rounds` rounds, after a warm-up of one.

    Args:
        camdaemon: Computes a matte from a frame and its plate.
        baseline: Does the same with floats, which are converted before anything is timed.
        pairs: Frames and plates in the number format of `camdaemon`.
        frames: Mattes in each run.
        rounds: Runs of each side.
        tick: Called after each run.
    """
    device: Device = "cpu" if pixels.is_host(pairs[0][0]) else "cuda"
    converted = [to_floats(pair) for pair in pairs]
    camdaemon(*pairs[0])
    baseline(*converted[0])
    return alternate(
        lambda: time_mattes(camdaemon, pairs, frames, device),
        lambda: time_mattes(baseline, converted, frames, device),
        rounds,
        tick,
    )


def to_floats(pair: Pair) -> Floats:
    """Convert `pair` to what the published network takes."""
    src, plate = (floats(part).contiguous() for part in pair)
    return src, plate


def time_mattes(
    matting: Callable[[_Kind, _Kind], object], pairs: list[tuple[_Kind, _Kind]], frames: int, device: Device
) -> Run:
    """Compute `frames` mattes one after the other and wait for each."""
    wait, seconds = synchronizer(device), []
    wait()
    pop_gpu_memory(device)
    begin, cpu = time.perf_counter(), time.process_time()
    for src, plate in islice(cycle(pairs), frames):
        start = time.perf_counter()
        matting(src, plate)
        wait()
        seconds.append(time.perf_counter() - start)
    elapsed, used = time.perf_counter() - begin, time.process_time() - cpu
    return Run({"matte": seconds}, frames / elapsed, 100 * used / elapsed, pop_gpu_memory(device))


def compare_alphas(timed: TimedProcessor, baseline: BaselineMatting, pairs: list[Pair]) -> Difference:
    """Compute the mattes of `pairs` by both sides and return how far apart they are."""
    apart = []
    for src, plate in pairs:
        alpha = floats(timed.processor.engine.matting(src, plate, None, 0).alpha)
        apart.append((alpha - baseline(*to_floats((src, plate)))[0]).float().abs().flatten().cpu().numpy() * 255)
    every = np.concatenate(apart)
    return Difference(float(every.mean()), float(np.quantile(every, 0.999)), float(every.max()))


def count(baseline: BaselineMatting, pair: Pair) -> Floor:
    """Count what the matte of `pair` takes, while the baseline computes it."""
    src, plate = to_floats(pair)
    with count_operations(baseline.network) as counts:
        _, _, refined = baseline(src, plate)
    return floor_of(baseline.network.network, counts, refined, src.shape[2] * src.shape[3])


def make_baseline_matting(config: Config, footage: Footage, timed: TimedProcessor) -> BaselineMatting:
    """Make the baseline of the weights, settings and device of `timed`."""
    return BaselineMatting(config, footage.size, timed.device, baseline_dtype(timed.device))
