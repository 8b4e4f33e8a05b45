"""Arithmetic of maps (one value for each pixel) for `difference`: in OpenCV here, in torch in `tensor_maps`."""

from __future__ import annotations

from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Maps(Protocol):
    """Computes with maps of one kind. They come from pictures of the same kind, and go back to them."""

    def find_largest(self, change: Any) -> Any:
        """Return the map of the largest absolute value of the channels of `change` (1,C,H,W)."""

    def as_picture(self, x: Any) -> Any:
        """Return a map as a picture of one channel, (1,1,H,W)."""

    def mean_blocks(self, x: Any, side: int) -> Any:
        """Return the means of blocks of side × side pixels, which divide `x`."""

    def exceeds(self, x: Any, limit: float) -> Any:
        """Return 1 where `x` is above `limit`, else 0."""

    def dilate(self, x: Any, radius: int) -> Any:
        """Return the largest value within a square of 2·radius + 1 pixels; beyond the border there is none."""

    def erode(self, x: Any, radius: int) -> Any:
        """Return the smallest value within a square of 2·radius + 1 pixels; beyond the border there is none."""

    def enlarge(self, x: Any, like: Any) -> Any:
        """Return `x` resized bilinearly to the size of `like`."""

    def smooth(self, x: Any) -> Any:
        """Return the mean of each pixel and those next to it."""

    def maximum(self, x: Any, y: Any) -> Any:
        """Return the larger of both."""

    def minimum(self, x: Any, y: Any) -> Any:
        """Return the smaller of both."""

    def is_finite(self, x: Any) -> bool:
        """Return whether all values are finite. Waits for an accelerator."""


class ArrayMaps:
    """`Maps` as float32 arrays (H,W), of pictures in numpy."""

    def find_largest(self, change: Floats) -> Floats:
        """See `Maps`."""
        first, *others = np.abs(change[0])
        for each in others:
            np.maximum(first, each, out=first)
        return np.ascontiguousarray(first)

    def as_picture(self, x: Floats) -> Floats:
        """See `Maps`."""
        return x[None, None]

    def mean_blocks(self, x: Floats, side: int) -> Floats:
        """See `Maps`."""
        size = x.shape[1] // side, x.shape[0] // side
        return np.asarray(cv2.resize(x, size, interpolation=cv2.INTER_AREA), np.float32)

    def exceeds(self, x: Floats, limit: float) -> Floats:
        """See `Maps`."""
        return np.asarray(x > limit, np.float32)

    def dilate(self, x: Floats, radius: int) -> Floats:
        """See `Maps`."""
        return np.asarray(cv2.dilate(x, _square(radius)), np.float32)

    def erode(self, x: Floats, radius: int) -> Floats:
        """See `Maps`. No erosion from outside the picture, because a body may extend beyond it."""
        return np.asarray(cv2.erode(x, _square(radius)), np.float32)

    def enlarge(self, x: Floats, like: Floats) -> Floats:
        """See `Maps`."""
        return np.asarray(cv2.resize(x, like.shape[::-1]), np.float32)

    def smooth(self, x: Floats) -> Floats:
        """See `Maps`."""
        sums, counts = (
            np.asarray(cv2.boxFilter(each, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT), np.float32)
            for each in (x, np.ones_like(x))
        )
        return sums / counts

    def maximum(self, x: Floats, y: Floats) -> Floats:
        """See `Maps`."""
        return np.maximum(x, y)

    def minimum(self, x: Floats, y: Floats) -> Floats:
        """See `Maps`."""
        return np.minimum(x, y)

    def is_finite(self, x: Floats) -> bool:
        """See `Maps`. They come from bytes."""
        return True


def _square(radius: int) -> NDArray[np.uint8]:
    return np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
