"""Batches of composites with exact labels: people in front of a room, and a plate of it taken at another time."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from camdaemon.tools.train.augment import add_prop, camouflage, change_exposure, decorate_rooms, jitter_colors, relight
from camdaemon.tools.train.degrade import add_motion_blur, add_noise, compress, soften
from camdaemon.tools.train.draws import BatchRandom
from camdaemon.tools.train.geometry import nudge, random_person_map, random_room_map, warp
from camdaemon.tools.train.packing import PackedPictures
from camdaemon.tools.train.soft import add_detail, grow_soft_edges

_EMPTY = 0.03  # of the samples show no person
_TWO = 0.25  # of the samples show a second person behind the first
_GROWN = 0.5  # of the batches, if asked for, have soft edges grown on the people; the others stay as photographed
_DECOR_SEED = 1 << 40  # offset: decor has random numbers of its own
_LEAST_ALPHA = 1e-3  # below this, a color cannot be recovered from its product with alpha


class Sample(NamedTuple):
    """A batch and its labels, float32 on the training device, 0..1, RGB.

    Attributes:
        src: (B,3,H,W), the composite.
        plate: (B,3,H,W), the empty room at another time.
        alpha: (B,1,H,W), the truth.
        foreground: (B,3,H,W), the truth.
    """

    src: Tensor
    plate: Tensor
    alpha: Tensor
    foreground: Tensor


class BatchIndices(NamedTuple):
    """Which pictures a batch is made of, int64 (B,) each.

    Attributes:
        first: The person in front.
        second: The person behind, who is shown in some samples.
        room: The room.
    """

    first: Tensor
    second: Tensor
    room: Tensor


class Layer(NamedTuple):
    """Premultiplied colors.

    Attributes:
        weighted: (B,3,H,W), color times alpha.
        alpha: (B,1,H,W).
    """

    weighted: Tensor
    alpha: Tensor

    def over(self, below: Layer) -> Layer:
        """Return this layer composited over `below`."""
        left = 1 - self.alpha
        return Layer(self.weighted + below.weighted * left, self.alpha + below.alpha * left)

    def where(self, which: Tensor) -> Layer:
        """Return the layer, empty in the samples where `which`, bool (B,1,1,1), is false."""
        return Layer(self.weighted * which, self.alpha * which)

    def color(self) -> Tensor:
        """Return the colors, (B,3,H,W); black where the layer is empty."""
        return (self.weighted / self.alpha.clamp(min=_LEAST_ALPHA)).clamp_(0, 1)


class SampleGenerator:
    """Makes batches on `device` from packed people and plates; the same seed gives the same batch.

    Args:
        people: From `pack_people`.
        plates: From `pack_plates`.
        device: The training device.
        soft: Grow hair, fur and thin things on the people (for the refiner).
    """

    def __init__(
        self, people: PackedPictures, plates: PackedPictures, device: torch.device, *, soft: bool = False
    ) -> None:

        self.people, self.plates = people.to(device), plates.to(device)
        self.device, self._soft = device, soft

    @torch.no_grad()
    def make_batch(self, indices: BatchIndices, seed: int, height: int, width: int) -> Sample:
        """Make a batch of len(indices.room) samples of height × width pixels."""
        rng = BatchRandom(len(indices.room), seed, self.device)
        rooms, sizes = self.plates.batch(indices.room, self.device)
        rooms = decorate_rooms(BatchRandom(len(indices.room), seed + _DECOR_SEED, self.device), rooms)
        stand = random_room_map(rng, sizes, height, width)
        room = warp(rooms, stand, height, width, outside="reflection")
        later = nudge(rng, stand, height, width)
        plate = warp(rooms, later, height, width, outside="reflection")
        if self._soft:
            finer = [warp(rooms, 3 * view, height, width, outside="reflection") for view in (stand, later)]
            room, plate = add_detail(rng, (room, plate), finer)
        person = self._compose_people(rng, indices, room)
        src = person.weighted + (1 - person.alpha) * relight(rng, room, person.alpha)
        return Sample(self._degrade_frame(rng, src), self._degrade_plate(rng, plate), person.alpha, person.color())

    def _compose_people(self, rng: BatchRandom, indices: BatchIndices, room: Tensor) -> Layer:
        first = self._place_person(rng, indices.first, room)
        two = rng.chance(_TWO)
        layer = first.over(self._place_person(rng, indices.second, room).where(two)) if bool(two.any()) else first
        if self._soft and rng.scalar(0, 1) < _GROWN:
            layer = Layer(*grow_soft_edges(rng, layer.weighted, layer.alpha, room.roll(1, 0)))
        layer = Layer(*add_prop(rng, layer.weighted, layer.alpha, room.roll(2, 0)))
        both = soften(rng, torch.cat(layer, 1), 0.2)
        both = add_motion_blur(rng, both, 0.1).clamp_(0, 1)
        alpha = both[:, 3:]
        return Layer(torch.minimum(both[:, :3], alpha), alpha).where(~rng.chance(_EMPTY))

    def _place_person(self, rng: BatchRandom, who: Tensor, room: Tensor) -> Layer:
        cutout, sizes = self.people.batch(who, self.device)
        cutout[:, :3] *= cutout[:, 3:]
        height, width = room.shape[2:]
        cutout = warp(cutout, random_person_map(rng, sizes, height, width), height, width)
        layer = Layer(jitter_colors(rng, cutout[:, :3], 0.15, 0.05, cutout[:, 3:]), cutout[:, 3:])
        color = camouflage(rng, layer.color(), layer.alpha, room)
        return Layer(color * layer.alpha, layer.alpha)

    def _degrade_frame(self, rng: BatchRandom, src: Tensor) -> Tensor:
        src = soften(rng, src, 0.15).clamp_(0, 1)
        return compress(rng, add_noise(rng, src, 0.03, 0.6), 0.2)

    def _degrade_plate(self, rng: BatchRandom, plate: Tensor) -> Tensor:
        # The paper's ranges (0.82–1.18, ±0.1 of hue, 80 %), but small changes more often than large ones: the runtime
        # has already matched the exposure of every channel.
        amount = torch.where(rng.chance(0.8), rng.uniform(0, 1).square(), 0.0)
        plate = change_exposure(rng, jitter_colors(rng, plate, 0.18 * amount, 0.1 * amount))
        plate = soften(rng, plate, 0.15).clamp_(0, 1)
        return compress(rng, add_noise(rng, plate, 0.02, 0.4), 0.2)
