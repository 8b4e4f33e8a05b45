"""Batches of samples, made in worker processes while the network is trained."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from camdaemon.tools.train.samples.augment import change_exposure, draw_light, jitter_colors
from camdaemon.tools.train.samples.degrade import add_noise, compress, soften
from camdaemon.tools.train.samples.faults import GivenPlate, Kind, draw_kind, give_plate, photograph
from camdaemon.tools.train.samples.geometry import Pixels, Random, Size
from camdaemon.tools.train.samples.packing import PackedPictures
from camdaemon.tools.train.samples.scene import Cast, SceneMaker

USES = 2  # samples made of one scene, each with a plate and noise of its own
_STILL = 0.2  # of the second uses have the plate of the first
_AHEAD = 3  # batches that a worker makes ahead


class Sample(NamedTuple):
    """A batch and its labels, float32, 0..1, RGB, channels last in memory.

    Attributes:
        src: (B,3,H,W), the composite.
        plate: (B,3,H,W), the empty room at another time, or what is taken for it.
        confidence: (B,1,H,W), how far the network is told to trust the plate.
        alpha: (B,1,H,W), the truth.
        foreground: (B,3,H,W), the truth.
        still: (B,1,1,1), 1 where only the noise differs from the sample before.
    """

    src: Tensor
    plate: Tensor
    confidence: Tensor
    alpha: Tensor
    foreground: Tensor
    still: Tensor


class BatchPlan(NamedTuple):
    """What a batch is made of.

    Attributes:
        casts: Of the scenes; there are `USES` times as many samples.
        seed: Of its randomness.
        frame: Rows and columns of the samples.
        kind: Of all plates; None: as they come.
    """

    casts: list[Cast]
    seed: int
    frame: Size
    kind: Kind | None = None


class _Shot(NamedTuple):
    """One sample as bytes: the fields of `Sample`, without a batch."""

    src: Pixels
    plate: Pixels
    confidence: Pixels
    alpha: Pixels
    foreground: Pixels
    still: bool


class SampleGenerator(Dataset[tuple[Tensor, ...]]):
    """Makes batches; the same plan gives the same batch, in any process.

    Args:
        people: From `pack_people`.
        plates: From `pack_plates`.
        soft: Grow hair, fur and thin things on the people (for the refiner).
    """

    def __init__(self, people: PackedPictures, plates: PackedPictures, *, soft: bool = False) -> None:
        self.people, self.plates = people, plates
        self._maker = SceneMaker(people, plates, soft=soft)

    def __getitem__(self, plan: BatchPlan) -> tuple[Tensor, ...]:
        """Return the batch's fields as bytes, to be made a `Sample` by `to_sample`."""
        rng = np.random.default_rng(plan.seed)
        shots = [shot for cast in plan.casts for shot in self._shoot(rng, cast, plan)]
        return tuple(torch.from_numpy(np.stack(field)) for field in zip(*shots, strict=True))

    def make_batch(self, plan: BatchPlan, device: torch.device) -> Sample:
        """Make a batch in this process."""
        return to_sample(self[plan], device)

    def _shoot(self, rng: Random, cast: Cast, plan: BatchPlan) -> Iterator[_Shot]:
        scene, light = self._maker.make(rng, cast, plan.frame), draw_light(rng)
        lit, foreground = (np.asarray(cv2.LUT(part, light), np.uint8) for part in (scene.picture, scene.foreground))
        alpha = (scene.alpha * 255 + 0.5).astype(np.uint8)
        source = photograph(rng, self._maker, scene, cast)
        given: GivenPlate | None = None
        for _ in range(USES):
            still = given is not None and rng.random() < _STILL
            if given is None or not still:
                plate, confidence = give_plate(rng, source, plan.kind or draw_kind(rng))
                given = GivenPlate(_degrade_plate(rng, np.asarray(cv2.LUT(plate, light), np.uint8)), confidence)
            known = (given.confidence * 255 + 0.5).astype(np.uint8)
            yield _Shot(_degrade_frame(rng, lit), given.plate, known, alpha, foreground, still)


def _degrade_frame(rng: Random, picture: Pixels) -> Pixels:
    return compress(rng, add_noise(rng, soften(rng, picture, 0.15), 0.03, 0.6), 0.2)


def _degrade_plate(rng: Random, plate: Pixels) -> Pixels:
    # The paper's ranges (0.82–1.18, ±0.1 of hue, 80 %), but small changes more often than large ones: the runtime
    # has already matched the exposure of every channel.
    if rng.random() < 0.8:
        amount = rng.random() ** 2
        plate = jitter_colors(rng, plate, 0.18 * amount, 0.1 * amount)
    plate = soften(rng, change_exposure(rng, plate), 0.15)
    return compress(rng, add_noise(rng, plate, 0.02, 0.4), 0.2)


def to_sample(fields: tuple[Tensor, ...], device: torch.device) -> Sample:
    """Convert bytes (B,H,W,…) from a `SampleGenerator` to floats on `device`."""
    *pictures, still = (field.to(device, non_blocking=True) for field in fields)
    floats = (each.unsqueeze(3) if each.dim() == 3 else each for each in pictures)
    src, plate, confidence, alpha, foreground = (each.permute(0, 3, 1, 2).float() / 255 for each in floats)
    return Sample(src, plate, confidence, alpha, foreground, still.float().view(-1, 1, 1, 1))


def load_batches(
    generator: SampleGenerator, plans: Iterable[BatchPlan], workers: int, device: torch.device
) -> Generator[Sample]:
    """Yield the batches of `plans`, in their order. Closing the generator ends the processes.

    Args:
        generator: Makes them.
        plans: May be endless.
        workers: Processes that make them; 0: this one does.
        device: Where the batches are to be.
    """
    loader = DataLoader(
        generator,
        batch_size=None,
        sampler=plans,
        num_workers=workers,
        prefetch_factor=_AHEAD if workers else None,
        worker_init_fn=_become_worker,
        pin_memory=device.type == "cuda",
    )
    for fields in loader:
        yield to_sample(tuple(fields), device)


def _become_worker(_: int) -> None:
    # These come to the whole group of processes, but are for the trainer, which ends after its step.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
