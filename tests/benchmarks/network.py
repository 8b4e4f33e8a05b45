"""The network alone: picture and plate in, alpha and foreground out, both on the device already."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np
import torch
from torch import Tensor

from camdaemon.config.schema import Config
from camdaemon.frames import pixels
from camdaemon.plate.match import PlateMatcher
from camdaemon.tools.bench.footage import Footage
from camdaemon.tools.bench.runs import TimedProcessor, pop_gpu_memory, synchronizer
from camdaemon.tools.bench.stopwatch import Run
from tests.benchmarks.comparison import Comparison, alternate
from tests.benchmarks.floor import Floor, count_operations, floor_of
from tests.benchmarks.processor import BaselineMatting, baseline_dtype

Pair = tuple[Tensor, Tensor]  # frame and plate, (1,3,H,W) each


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
        src = transfer.upload(frame).clone()  # the next upload overwrites it
        found.append((src, matcher.match(footage.plate, src)))
    return found


def compare(
    camdaemon: Callable[[Tensor, Tensor], object],
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
    device, floats = pairs[0][0].device, [to_floats(pair) for pair in pairs]
    camdaemon(*pairs[0])
    baseline(*floats[0])
    return alternate(
        lambda: time_mattes(camdaemon, pairs, frames, device),
        lambda: time_mattes(baseline, floats, frames, device),
        rounds,
        tick,
    )


def to_floats(pair: Pair) -> Pair:
    """Convert `pair` to what the published network takes."""
    src, plate = (pixels.unit(part).contiguous() for part in pair)
    return src, plate


def time_mattes(
    matting: Callable[[Tensor, Tensor], object], pairs: list[Pair], frames: int, device: torch.device
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
        alpha = pixels.unit(timed.processor.engine.matting(src, plate, None, 0).alpha)
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
