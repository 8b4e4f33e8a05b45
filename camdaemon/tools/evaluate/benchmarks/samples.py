"""Cut-out people over rooms, each with a worsened plate: the test of Lin et al. 2021, appendix D.2.

Every person of AIM and Distinctions-646 is paired with five rooms drawn at random, those of PhotoMatte85 with one: 55,
55 and 85 composites. The composite is αF + (1 − α)B, and only the plate is worsened: translation by ±0.3 pixels, gamma
0.85 to 1.15, and Gaussian noise of μ = ±0.02.

The appendix leaves open, and is assumed here:

- The noise: it prints 0.08 ≤ σ² ≤ 0.15 without a scale. Where D.1 prints σ² ≤ 0.03, the published training code has
  σ ≤ 0.03 of 0..1, so here, too, the figures are taken for those of σ. As variances they would be σ 0.28 to 0.39;
  `Degradation.noise` is for this choice.
- Translation along both axes, gamma and μ are uniform within what is printed, in this order; the result is clipped to
  0..1.
- A room is scaled and cropped about its center to the person's picture, which keeps its own size.
- Sides are cut to multiples of 4 at the right and below, as the published evaluation does (`eval/benchmark.m`).

The randomness of a composite depends on the seed, the person's name and the pair's number alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.errors import ConfigError
from camdaemon.frames import picture
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import Picture
from camdaemon.tools.evaluate.benchmarks.layouts import Sample
from camdaemon.tools.evaluate.composites import Case
from camdaemon.tools.evaluate.metrics import Alpha

_Colors = NDArray[np.float32]  # (H,W,3), 0..1
_SHIFT = 0.3  # pixels
_GAMMA = (0.85, 1.15)
_MEAN = 0.02  # of the noise
_OTHER = "to unpack the test set again"


@dataclass(frozen=True, slots=True)
class Degradation:
    """What is random in a plate.

    Attributes:
        noise: Least and largest standard deviation of its noise, of 0..1.
    """

    noise: tuple[float, float] = (0.08, 0.15)

    def apply(self, room: _Colors, rng: np.random.Generator) -> _Colors:
        """Return `room` as in a plate that was taken earlier."""
        across, down = rng.uniform(-_SHIFT, _SHIFT, 2)
        move = np.array([[1, 0, across], [0, 1, down]], np.float32)
        moved = cv2.warpAffine(room, move, room.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        darker = np.power(moved, rng.uniform(*_GAMMA))
        noise = rng.normal(rng.uniform(-_MEAN, _MEAN), rng.uniform(*self.noise), room.shape)
        return np.asarray(np.clip(darker + noise, 0, 1), np.float32)


@dataclass(frozen=True, slots=True)
class Samples:
    """The composites of one test set.

    Attributes:
        people: The cut-out people.
        rooms: Pictures of rooms.
        pairs: Rooms for each person.
        seed: Of their randomness.
        max_side: Larger pictures are scaled down to this many pixels; None: none is.
        degradation: Of the plates.
    """

    people: list[Sample]
    rooms: list[Path]
    pairs: int
    seed: int
    max_side: int | None = None
    degradation: Degradation = Degradation()

    def __len__(self) -> int:
        """Return the number of composites."""
        return len(self.people) * self.pairs

    def check(self) -> None:
        """Check that there are enough rooms. Raises ConfigError: there are not."""
        if len(self.rooms) < self.pairs:
            raise ConfigError(
                f"each person is paired with {self.pairs} rooms, and the folder has {len(self.rooms)}. "
                "Run with: --plates FOLDER"
            )

    def __iter__(self) -> Iterator[Case]:
        """Yield each composite once.

        Raises:
            ConfigError: A picture cannot be read.
        """
        for person in self.people:
            colors, alpha = read_sample(person, self.max_side)
            rng = np.random.default_rng((self.seed, zlib.crc32(person.name.encode())))
            for room in rng.choice(len(self.rooms), self.pairs, replace=False):
                yield self._compose(person.name, colors, alpha, self.rooms[room], rng)

    def _compose(self, name: str, colors: _Colors, alpha: Alpha, room: Path, rng: np.random.Generator) -> Case:
        height, width = alpha.shape
        covered = picture.cover(picture.read(room, "another folder with --plates"), Size(width, height))
        scene = np.asarray(covered, np.float32) / np.float32(255)
        frame = alpha[..., None] * colors + (1 - alpha[..., None]) * scene
        plate = self.degradation.apply(scene, rng)
        return Case(f"{name}-{room.stem}", _pixels(frame), _pixels(plate), alpha, _pixels(colors))


def read_sample(sample: Sample, max_side: int | None) -> tuple[_Colors, Alpha]:
    """Read the colors and alpha of a person, at most `max_side` pixels a side, cut to multiples of 4.

    Raises:
        ConfigError: They cannot be read, or do not fit together.
    """
    colors = np.asarray(picture.read(sample.colors, _OTHER), np.float32) / np.float32(255)
    alpha = _read_own_alpha(sample.colors) if sample.alpha is None else _read_gray(sample.alpha)
    if alpha.shape != colors.shape[:2]:
        raise ConfigError(
            f"{sample.alpha} is {alpha.shape[1]}x{alpha.shape[0]}, {sample.colors} is {colors.shape[1]}x"
            f"{colors.shape[0]}: they belong together. Unpack the test set again"
        )
    if max_side is not None and max(alpha.shape) > max_side:
        colors, alpha = _shrink(colors, alpha, max_side / max(alpha.shape))
    height, width = (side // 4 * 4 for side in alpha.shape)
    return np.ascontiguousarray(colors[:height, :width]), np.ascontiguousarray(alpha[:height, :width])


def _read_gray(path: Path) -> Alpha:
    gray = picture.read_gray(path, _OTHER)
    return np.asarray(gray, np.float32) / np.float32(np.iinfo(gray.dtype).max)


def _read_own_alpha(path: Path) -> Alpha:
    """Return the alpha channel of a picture: what black and white below it differ by is what shows through."""
    black, white = (picture.read(path, _OTHER, over=color) for color in ((0, 0, 0), (255, 255, 255)))
    through = white[..., 1] - black[..., 1]
    if not through.any():
        raise ConfigError(f"{path} has no transparent part, so no alpha. Unpack the test set again")
    return np.asarray(255 - through, np.float32) / np.float32(255)


def _shrink(colors: _Colors, alpha: Alpha, scale: float) -> tuple[_Colors, Alpha]:
    """Scale a person down; alpha · colors are scaled, so that no rim appears."""
    height, width = (max(4, round(side * scale)) for side in alpha.shape)
    layers = np.dstack([colors * alpha[..., None], alpha])
    small = cv2.resize(layers, (width, height), interpolation=cv2.INTER_AREA)
    found = small[..., 3]
    return np.asarray(small[..., :3] / np.maximum(found, 1e-3)[..., None], np.float32), np.asarray(found, np.float32)


def _pixels(colors: _Colors) -> Picture:
    return np.asarray(np.clip(colors * 255 + 0.5, 0, 255), np.uint8)
