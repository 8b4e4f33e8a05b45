"""A batch of composites and their exact labels: people before a room, and a plate of it taken at another time."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .camera import compressed, noisy, smeared, softened
from .decor import decorated
from .draws import Draws
from .geometry import nudged, person_map, room_map, sampled
from .light import camouflaged, differently_exposed, jittered, lit
from .packing import Packed
from .props import held
from .soft import detailed, grown

_EMPTY = 0.03  # of the samples show nobody
_TWO = 0.25  # of the samples show a second person behind the first
_GROWN = 0.5  # of the batches, where asked for, have soft things grown on the people; the others stay as photographed
_DECOR = 1 << 40  # its numbers are its own
_SOLID = 1e-3  # below this alpha, a colour cannot be told from its product with alpha


class Sample(NamedTuple):
    """float32 on the training device, 0..1, RGB.   src, plate, foreground: (B,3,H,W).   alpha: (B,1,H,W)."""

    src: Tensor
    plate: Tensor
    alpha: Tensor
    foreground: Tensor


class Cast(NamedTuple):
    """Who plays in a batch: int64 (B,) indices of the first person, the one behind, and the room."""

    first: Tensor
    second: Tensor
    room: Tensor


class Layer(NamedTuple):
    """weighted: (B,3,H,W), colour times alpha.   alpha: (B,1,H,W)."""

    weighted: Tensor
    alpha: Tensor

    def over(self, below: Layer) -> Layer:
        """This before `below`."""
        left = 1 - self.alpha
        return Layer(self.weighted + below.weighted * left, self.alpha + below.alpha * left)

    def where(self, which: Tensor) -> Layer:
        """Nothing in the samples where `which`, bool (B,1,1,1), is false."""
        return Layer(self.weighted * which, self.alpha * which)

    def colour(self) -> Tensor:
        """(B,3,H,W); black where there is nothing."""
        return (self.weighted / self.alpha.clamp(min=_SOLID)).clamp_(0, 1)


class Scenes:
    """Makes batches on `device` from packed people and plates; the same seed makes the same batch."""

    def __init__(self, people: Packed, plates: Packed, device: torch.device, *, soft: bool = False) -> None:
        """soft: grow hair, fur and thin things on the people (for the refiner)."""
        self.people, self.plates = people.to(device), plates.to(device)
        self.device, self._soft = device, soft

    @torch.no_grad()
    def batch(self, cast: Cast, seed: int, height: int, width: int) -> Sample:
        """A batch of len(cast.room) samples of height × width pixels."""
        draws = Draws(len(cast.room), seed, self.device)
        rooms, sizes = self.plates.batch(cast.room, self.device)
        rooms = decorated(Draws(len(cast.room), seed + _DECOR, self.device), rooms)
        stand = room_map(draws, sizes, height, width)
        room = sampled(rooms, stand, height, width, outside="reflection")
        later = nudged(draws, stand, height, width)
        plate = sampled(rooms, later, height, width, outside="reflection")
        if self._soft:
            finer = [sampled(rooms, 3 * view, height, width, outside="reflection") for view in (stand, later)]
            room, plate = detailed(draws, (room, plate), finer)
        person = self._people(draws, cast, room)
        src = person.weighted + (1 - person.alpha) * lit(draws, room, person.alpha)
        return Sample(self._filmed(draws, src), self._taken(draws, plate), person.alpha, person.colour())

    def _people(self, draws: Draws, cast: Cast, room: Tensor) -> Layer:
        first = self._person(draws, cast.first, room)
        two = draws.chance(_TWO)
        layer = first.over(self._person(draws, cast.second, room).where(two)) if bool(two.any()) else first
        if self._soft and draws.number(0, 1) < _GROWN:
            layer = Layer(*grown(draws, layer.weighted, layer.alpha, room.roll(1, 0)))
        layer = Layer(*held(draws, layer.weighted, layer.alpha, room.roll(2, 0)))
        both = softened(draws, torch.cat(layer, 1), 0.2)
        both = smeared(draws, both, 0.1).clamp_(0, 1)
        alpha = both[:, 3:]
        return Layer(torch.minimum(both[:, :3], alpha), alpha).where(~draws.chance(_EMPTY))

    def _person(self, draws: Draws, who: Tensor, room: Tensor) -> Layer:
        cutout, sizes = self.people.batch(who, self.device)
        cutout[:, :3] *= cutout[:, 3:]
        height, width = room.shape[2:]
        cutout = sampled(cutout, person_map(draws, sizes, height, width), height, width)
        layer = Layer(jittered(draws, cutout[:, :3], 0.15, 0.05, cutout[:, 3:]), cutout[:, 3:])
        colour = camouflaged(draws, layer.colour(), layer.alpha, room)
        return Layer(colour * layer.alpha, layer.alpha)

    def _filmed(self, draws: Draws, src: Tensor) -> Tensor:
        src = softened(draws, src, 0.15).clamp_(0, 1)
        return compressed(draws, noisy(draws, src, 0.03, 0.6), 0.2)

    def _taken(self, draws: Draws, plate: Tensor) -> Tensor:
        # Within the paper's ranges (0.82–1.18, ±0.1 of hue, 80 %), but small changes more often than large ones:
        # the runtime has already matched the exposure of every channel.
        amount = torch.where(draws.chance(0.8), draws.uniform(0, 1).square(), 0.0)
        plate = differently_exposed(draws, jittered(draws, plate, 0.18 * amount, 0.1 * amount))
        plate = softened(draws, plate, 0.15).clamp_(0, 1)
        return compressed(draws, noisy(draws, plate, 0.02, 0.4), 0.2)
