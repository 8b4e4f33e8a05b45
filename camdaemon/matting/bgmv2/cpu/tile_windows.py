"""Windows of pictures, and windows of bilinearly upsampled maps without upsampling the whole frame.

An upsampled row is a weighted sum of small rows. So a window of an upsampled map is a product with a matrix for its
rows and one for its columns. These hold the published bilinear weights, and zeros outside the picture.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

IntArray = NDArray[np.integer[Any]]
Floats = NDArray[np.float32]
Levels: TypeAlias = NDArray[np.uint8 | np.float32]  # 0..255
Item = TypeVar("Item", np.uint8, np.float32)
_Array = TypeVar("_Array", bound=NDArray[Any])

_COUNT_MULTIPLE = 16


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

    def windows(self, padded: IntArray | Floats | Levels, row: Tensor, column: Tensor) -> Tensor:
        """Copy the windows at `row`, `column`, int64 (N,) each, to (N,n,n,C)."""
        side, channels = self.step + 2 * self.margin, padded.shape[2]
        down, right, each = padded.strides
        steps = (self.step * down, self.step * right, down, each)
        lines = np.lib.stride_tricks.as_strided(padded, (*self.counts, side, channels * side), steps, writeable=False)
        return torch.from_numpy(lines[row.numpy(), column.numpy()]).view(-1, side, side, channels)

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
        start: int64 (n,), first pixel of the piece of the small map that each window needs.
        weights: (n,window,piece).
    """

    start: Tensor
    weights: Tensor

    def touched_blocks(self, block: int, count: int) -> Tensor:
        """Return float32 (n,count): 1 where a window's piece touches a block of `block` small pixels, else 0."""
        first, last = self.start // block, (self.start + self.weights.shape[2] - 1) // block
        each = torch.arange(count)
        return ((each >= first[:, None]) & (each <= last[:, None])).float()


def build_upsampling_axis(
    windows: int, step: int, margin: int, length: int, small: int, dtype: torch.dtype
) -> UpsamplingAxis:
    """Build the interpolation of windows of step + 2·margin pixels, one every `step` pixels.

    Args:
        windows: Number of windows.
        step: Pixels from one window to the next.
        margin: Pixels that a window extends beyond its step, on each side.
        length: Pixels of the upsampled side, corners not aligned.
        small: Pixels of the small side.
        dtype: Of the weights.
    """
    place = torch.arange(windows)[:, None] * step + torch.arange(-margin, step + margin)
    inside = (place >= 0) & (place < length)
    at = ((place + 0.5) * (small / length) - 0.5).clamp(0, small - 1)
    low = at.floor().long()
    high = (low + 1).clamp(max=small - 1)
    first = torch.where(inside, low, small).amin(1)
    piece = min(small, int((torch.where(inside, high, 0).amax(1) - first).max()) + 1)
    first = first.clamp(max=small - piece)
    weights = torch.zeros(*place.shape, piece)
    for index, share in ((low, 1 - (at - low)), (high, at - low)):
        where = (index - first[:, None]).clamp(0, piece - 1)
        weights.scatter_add_(2, where[..., None], (share * inside)[..., None].float())
    return UpsamplingAxis(first, weights.to(dtype))


def index_pieces(rows: UpsamplingAxis, columns: UpsamplingAxis, row: Tensor, column: Tensor, width: int) -> Tensor:
    """Return the pixels of the pieces at `row`, `column`, int64 (N,p,q), as indices into a flat map `width` wide."""
    y = rows.start[row][:, None] + torch.arange(rows.weights.shape[2])
    x = columns.start[column][:, None] + torch.arange(columns.weights.shape[2])
    return y[:, :, None] * width + x[:, None, :]


def interpolate_pieces(
    rows: UpsamplingAxis, columns: UpsamplingAxis, row: Tensor, column: Tensor, pieces: Tensor
) -> Tensor:
    """Upsample `pieces` (N,p,q,C) of the small map, at `index_pieces`, to windows (N,h,w,C)."""
    count, tall, wide, channels = pieces.shape
    lines = torch.bmm(rows.weights[row], pieces.view(count, tall, wide * channels))
    return torch.matmul(columns.weights[column][:, None], lines.view(count, lines.shape[1], wide, channels))


def pad_to_multiple(*index: Tensor) -> list[Tensor]:
    """Repeat the last element of each `index`, int64 (N,), up to a multiple of 16 elements.

    A convolution for a new number of windows has to be prepared first, which takes half a millisecond.
    """
    count = len(index[0])
    return [torch.cat([each, each[-1:].expand(-count % _COUNT_MULTIPLE)]) for each in index]
