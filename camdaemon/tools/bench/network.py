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
from camdaemon.matting.bgmv2.matting import BackgroundMatting
from camdaemon.plate.match import PlateMatcher
from camdaemon.tools.bench.floor import Floor, counted, floor_of
from camdaemon.tools.bench.footage import Footage
from camdaemon.tools.bench.machine import gpu_memory, settled
from camdaemon.tools.bench.sides import PlainMatting, Side, plain_dtype
from camdaemon.tools.bench.timing import Comparison, Run, alternate

Pair = tuple[Tensor, Tensor]  # picture and plate


@dataclass(frozen=True, slots=True)
class Difference:
    """How far the real alpha is from the plain one, in 1/255: mean, 99.9th percentile and highest of all frames."""

    mean: float
    p999: float
    most: float


def pairs_of(footage: Footage, side: Side) -> list[Pair]:
    """The footage's frames with the plate as the daemon would match it to each, on the device."""
    transfer, found = side.processor.engine.transfer, []
    matcher = PlateMatcher(transfer.upload_picture, enabled=True)  # of our own: the side's remembers the last frame
    for frame in footage.frames:
        src = transfer.upload(frame).clone()  # the next upload writes over it
        found.append((src, matcher.match(footage.plate, src)))
    return found


def compare(
    real: Callable[[Tensor, Tensor], object],
    plain: Callable[[Tensor, Tensor], object],
    pairs: list[Pair],
    frames: int,
    rounds: int,
    tick: Callable[[], None],
) -> Comparison:
    """`frames` mattes by either in each of `rounds` rounds, after one each that is not counted.

    pairs: in the real side's levels; the plain one is given floats, made before anything is timed.
    """
    device, floats = pairs[0][0].device, [in_floats(pair) for pair in pairs]
    real(*pairs[0])
    plain(*floats[0])
    return alternate(
        lambda: timed(real, pairs, frames, device), lambda: timed(plain, floats, frames, device), rounds, tick
    )


def in_floats(pair: Pair) -> Pair:
    """`pair` as the published network wants it."""
    src, plate = (pixels.unit(part).contiguous() for part in pair)
    return src, plate


def timed(matting: Callable[[Tensor, Tensor], object], pairs: list[Pair], frames: int, device: torch.device) -> Run:
    """One run of `frames` mattes, one after the other, each waited for."""
    settle, took = settled(device), []
    settle()
    gpu_memory(device)
    begun, worked = time.perf_counter(), time.process_time()
    for src, plate in islice(cycle(pairs), frames):
        start = time.perf_counter()
        matting(src, plate)
        settle()
        took.append(time.perf_counter() - start)
    wall, cpu = time.perf_counter() - begun, time.process_time() - worked
    return Run({"matte": took}, frames / wall, 100 * cpu / wall, gpu_memory(device))


def difference(real: Side, plain: PlainMatting, pairs: list[Pair]) -> Difference:
    """Of the mattes of `pairs`."""
    apart = []
    for src, plate in pairs:
        alpha = pixels.unit(real.processor.engine.matting(src, plate, 0).alpha)
        apart.append((alpha - plain(*in_floats((src, plate)))[0]).float().abs().flatten().cpu().numpy() * 255)
    every = np.concatenate(apart)
    return Difference(float(every.mean()), float(np.quantile(every, 0.999)), float(every.max()))


def running(side: Side) -> str:
    """What runs the network there, and its numbers: 'torch float16', for instance."""
    matting = side.processor.engine.matting
    return matting.engine if isinstance(matting, BackgroundMatting) else "torch float32"


def count(plain: PlainMatting, pair: Pair) -> Floor:
    """What the matte of `pair` takes, counted while the plain network makes it."""
    src, plate = in_floats(pair)
    with counted(plain.network) as counts:
        _, _, refined = plain(src, plate)
    return floor_of(plain.network.network, counts, refined, src.shape[2] * src.shape[3])


def plain_matting(config: Config, footage: Footage, side: Side) -> PlainMatting:
    """As published, of the same weights and settings as `side`, on its device."""
    return PlainMatting(config, footage.size, side.device, plain_dtype(side.device))
