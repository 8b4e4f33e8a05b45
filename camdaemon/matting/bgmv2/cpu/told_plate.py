"""A plate as the slim network is shown it: gray where nothing is known, and how far to trust it elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from camdaemon.frames import pixels
from camdaemon.matting.bgmv2.cpu.base import downscale
from camdaemon.matting.bgmv2.cpu.tile_windows import ByteArray, Levels
from camdaemon.matting.bgmv2.cpu.tiles import TiledRefiner
from camdaemon.matting.bgmv2.engines.engine import Floats
from camdaemon.model.layout import KNOWN, UNKNOWN_COLOR

_GRAY = round(255 * UNKNOWN_COLOR)


@dataclass(frozen=True, slots=True)
class ToldPlate:
    """What the network is shown.

    Attributes:
        source: The plate, to recognise it again.
        confidence: As it was given; a copy.
        small: The plate at the base input's size, (h,w,3), nothing hidden.
        floats: The same, 0..1, hidden where nothing is known.
        trust: The confidence at that size, (h,w); None: 1 everywhere.
        padded: The plate for the refiner, nothing hidden; None without a refiner.
        full: The same, hidden where nothing is known.
    """

    source: Levels
    confidence: Floats | None
    small: ByteArray
    floats: Floats
    trust: Floats | None
    padded: ByteArray | None
    full: ByteArray | None


class PlateTeller:
    """Prepares plates for base inputs of one size. Called by one thread at a time.

    Args:
        base: Height and width of the base input.
        refiner: None without one.
    """

    def __init__(self, base: tuple[int, int], refiner: TiledRefiner | None) -> None:
        self._base, self._refiner = base, refiner
        self._told: ToldPlate | None = None

    def forget(self) -> None:
        """Let go of the last plate."""
        self._told = None

    def __call__(self, plate: Levels, confidence: Floats | None) -> ToldPlate:
        """Prepare `plate`, uint8 (1,3,H,W), and its `confidence`; the same object if it is told nothing new."""
        told = self._told
        if told is not None and told.source is plate:
            if are_equal(told.confidence, confidence):
                return told
            small, padded = told.small, told.padded
        else:
            rgb = np.asarray(pixels.interleave(plate), np.uint8)
            small, padded = (
                downscale(rgb, self._base),
                None if self._refiner is None else np.asarray(self._refiner.pad(rgb), np.uint8),
            )
        floats, full = small * np.float32(1 / 255), padded
        trust = None
        if confidence is not None:
            trust, confidence = _enlarge(confidence, self._base), confidence.copy()
            floats[~(trust > KNOWN)] = UNKNOWN_COLOR
            if padded is not None and not bool((confidence > KNOWN).all()):
                full = self._hide(padded, confidence, (plate.shape[2], plate.shape[3]))
        self._told = ToldPlate(plate, confidence, small, floats, trust, padded, full)
        return self._told

    def _hide(self, padded: ByteArray, confidence: Floats, size: tuple[int, int]) -> ByteArray:
        """Return a copy of the plate `padded`, of `size` (height, width), in gray where nothing is known."""
        assert self._refiner is not None
        hidden = padded.copy()
        unknown = (~(_enlarge(confidence, size) > KNOWN)).view(np.uint8)
        cv2.copyTo(np.full((*size, 3), _GRAY, np.uint8), unknown, dst=self._refiner.cut_padding(hidden))
        return hidden


def _enlarge(confidence: Floats, size: tuple[int, int]) -> Floats:
    """Resize (1,1,rows,columns) bilinearly to `size` (height, width)."""
    return np.asarray(cv2.resize(confidence[0, 0], size[::-1]), np.float32)


def are_equal(first: Floats | None, second: Floats | None) -> bool:
    """Return whether two confidences say the same."""
    if first is None or second is None:
        return first is second
    return np.array_equal(first, second)
