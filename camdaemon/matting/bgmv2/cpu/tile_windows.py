"""Windows of pictures, and windows of bilinearly upsampled maps without upsampling the whole frame.

An upsampled row is a weighted sum of small rows. So a window of an upsampled map is a product with a matrix for its
rows and one for its columns. These hold the published bilinear weights, and zeros outside the picture.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.matting.bgmv2.engines.engine import Floats

ByteArray = NDArray[np.uint8]
IntArray = NDArray[np.integer[Any]]
Index = NDArray[np.int64]
Levels: TypeAlias = NDArray[np.uint8 | np.float32]  # 0..255
Item = TypeVar("Item", np.uint8, np.float32)
_Array = TypeVar("_Array", bound=NDArray[Any])


class WindowGrid(NamedTuple):
    """Windows of a picture (H,W,C) on a regular grid; zeros outside the picture.

    Attributes:
        counts: Number of windows down and across.
        step: Pixels from one window to the next.
        margin: Pixels that a window extends beyond its step, on each side.
    """

    counts: tuple[int, int]
    step: int
    margin: int

    def pad(self, picture: _Array) -> _Array:
        """Return `picture` with zeros around it, for `windows`."""
        sides = zip(self.counts, picture.shape, strict=False)
        down, right = (n * self.step - side + self.margin for n, side in sides)
        found = cv2.copyMakeBorder(picture, self.margin, down, self.margin, right, cv2.BORDER_CONSTANT)
        return cast(_Array, found)

    def windows(self, padded: _Array, row: Index, column: Index) -> _Array:
        """Copy the windows at `row`, `column`, int64 (N,) each, to (N,n,n,C)."""
        side, channels = self.step + 2 * self.margin, padded.shape[2]
        down, right, each = padded.strides
        steps = (self.step * down, self.step * right, down, each)
        lines = np.ndarray((*self.counts, side, channels * side), padded.dtype, padded, strides=steps)
        return cast(_Array, lines[row, column].reshape(-1, side, side, channels))

    def make_padded(self, channels: int) -> Floats:
        """Return an empty picture as `pad` would: float32, zeros."""
        sides = (count * self.step + 2 * self.margin for count in self.counts)
        return np.zeros((*sides, channels), np.float32)

    def cut_margin(self, padded: NDArray[Item], size: tuple[int, int]) -> NDArray[Item]:
        """Return the view of the picture of `size` (height, width) within `padded`."""
        return padded[self.margin : self.margin + size[0], self.margin : self.margin + size[1]]


class UpsamplingAxis(NamedTuple):
    """How windows along one side of an upsampled map are interpolated from the small map.

    Attributes:
        start: (n,), first pixel of the piece of the small map that each window needs.
        weights: (n,window,piece).
    """

    start: Index
    weights: Floats

    def touched_blocks(self, block: int, count: int) -> Floats:
        """Return (n,count): 1 where a window's piece touches a block of `block` small pixels, else 0."""
        first, last = self.start // block, (self.start + self.weights.shape[2] - 1) // block
        each = np.arange(count)
        return np.asarray((each >= first[:, None]) & (each <= last[:, None]), np.float32)


def build_upsampling_axis(windows: int, step: int, margin: int, length: int, small: int) -> UpsamplingAxis:
    """Build the interpolation of windows of step + 2·margin pixels, one every `step` pixels.

    Args:
        windows: Number of windows.
        step: Pixels from one window to the next.
        margin: Pixels that a window extends beyond its step, on each side.
        length: Pixels of the upsampled side, corners not aligned.
        small: Pixels of the small side.
    """
    place = np.arange(windows)[:, None] * step + np.arange(-margin, step + margin)
    inside = (place >= 0) & (place < length)
    at = np.clip((place + 0.5) * (small / length) - 0.5, 0, small - 1)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, small - 1)
    first = np.where(inside, low, small).min(1)
    piece = min(small, int((np.where(inside, high, 0).max(1) - first).max()) + 1)
    first = np.minimum(first, small - piece)
    weights = np.zeros((*place.shape, piece), np.float32)
    window, pixel = np.indices(place.shape)
    for index, share in ((low, 1 - (at - low)), (high, at - low)):
        where = np.clip(index - first[:, None], 0, piece - 1)
        np.add.at(weights, (window, pixel, where), (share * inside).astype(np.float32))
    return UpsamplingAxis(first, weights)


def index_pieces(rows: UpsamplingAxis, columns: UpsamplingAxis, row: Index, column: Index, width: int) -> Index:
    """Return the pixels of the pieces at `row`, `column`, (N,p,q), as indices into a flat map `width` wide."""
    y = rows.start[row][:, None] + np.arange(rows.weights.shape[2])
    x = columns.start[column][:, None] + np.arange(columns.weights.shape[2])
    return np.asarray(y[:, :, None] * width + x[:, None, :], np.int64)


def interpolate_pieces(
    rows: UpsamplingAxis, columns: UpsamplingAxis, row: Index, column: Index, pieces: Floats
) -> Floats:
    """Upsample `pieces` (N,p,q,C) of the small map, at `index_pieces`, to windows (N,h,w,C)."""
    count, tall, wide, channels = pieces.shape
    lines = np.matmul(rows.weights[row], pieces.reshape(count, tall, wide * channels))
    found = np.matmul(columns.weights[column][:, None], lines.reshape(count, lines.shape[1], wide, channels))
    return cast(Floats, found)


def is_finite(values: Floats) -> bool:
    """Return whether all of `values` (n,…) are finite."""
    return not values.size or bool(cv2.checkRange(values.reshape(len(values), -1))[0])
