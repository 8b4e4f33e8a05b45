"""The plate: a picture of the empty room, how far each part of it is to be trusted, and where that part comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.frames.picture import Picture

Mask = NDArray[np.bool_]


def spread(blocks: Mask, size: tuple[int, ...], side: int) -> Mask:
    """Return the pixels (H,W) of blocks of `side` pixels; the last row and column reach to the picture's end."""
    rows, columns = (
        np.minimum(np.arange(length) // side, count - 1) for length, count in zip(size, blocks.shape, strict=True)
    )
    return np.asarray(blocks[:, columns][rows])


class Origin(IntEnum):
    """Where a part of a plate comes from."""

    UNSEEN = 0
    SHOT = 1  # photographed in the empty room, which is the best evidence
    GROWN = 2  # learned from frames with somebody in them, where nothing was known
    HEALED = 3  # learned so where the room was photographed and has changed since


@dataclass(frozen=True, slots=True, eq=False)
class Growth:
    """What was learned of a place, in the picture of a camera that has moved since the plate was shot.

    Attributes:
        rgb: uint8 (H,W,3); its blocks of origin `UNSEEN` mean nothing.
        origin: uint8 (rows,columns), values of `Origin`.
        movement: (3,3), from the shot plate's pixels to these, as homogeneous coordinates.
    """

    rgb: Picture
    origin: NDArray[np.uint8]
    movement: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Plate:
    """The photograph of the empty room. Maps have one value for each block of the picture, however many there are.

    Attributes:
        rgb: uint8 (H,W,3), RGB, in host memory; never changed.
        confidence: float32 (rows,columns): 0 where nothing is known of the room, 1 where it was seen. None: it is
            known everywhere.
        origin: uint8 (rows,columns), values of `Origin`. None: it was shot, wherever it is known.
        pictures: bool (rows,columns): what looks like a person and is a picture on the wall, as the user says. None:
            there is nothing of the kind.
        growth: What was learned in earlier runs, which is not in `rgb`.
    """

    rgb: Picture
    confidence: NDArray[np.float32] | None = None
    origin: NDArray[np.uint8] | None = None
    pictures: Mask | None = None
    growth: Growth | None = None

    @property
    def is_blank(self) -> bool:
        """Whether nothing at all is known."""
        return self.confidence is not None and not self.confidence.any()

    @property
    def is_shot(self) -> bool:
        """Whether any of it was photographed in the empty room."""
        return not self.is_blank if self.origin is None else bool((self.origin == Origin.SHOT).any())

    def trust(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return the confidence, float32 0..1, as a map of `shape` (rows, columns)."""
        if self.confidence is None:
            return np.ones(shape, np.float32)
        if self.confidence.shape == shape:
            return self.confidence
        return np.asarray(cv2.resize(self.confidence, shape[::-1], interpolation=cv2.INTER_NEAREST), np.float32)

    def known(self, shape: tuple[int, ...]) -> Mask:
        """Return where anything is known, as a map of `shape` (rows, columns)."""
        return np.asarray(self.trust(shape) > 0)

    def share(self, origin: Origin) -> float:
        """Return the share of the picture, 0..1, that comes from `origin`."""
        if self.origin is not None:
            return float((self.origin == origin).mean())
        known = 1.0 if self.confidence is None else float((self.confidence > 0).mean())
        return {Origin.SHOT: known, Origin.UNSEEN: 1 - known}.get(origin, 0.0)
