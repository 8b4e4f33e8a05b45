"""Windows of pictures, and of bilinearly enlarged maps without enlarging them over the whole frame.

An enlarged row is a weighted sum of small rows. So a window of an enlarged map is a product with a matrix for its rows
and one for its columns; these hold the published bilinear weights, and zeros for what lies outside of the picture.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Whole = NDArray[np.integer[Any]]

_FEW = 16


class Cut(NamedTuple):
    """Windows of pictures (H,W,3), one each `step` pixels with `margin` pixels around, black beyond the picture.

    counts: of windows, down and across.
    """

    counts: tuple[int, int]
    step: int
    margin: int

    def padded(self, picture: Whole) -> Whole:
        """`picture` with black around it, as `windows` wants it."""
        sides = zip(self.counts, picture.shape, strict=False)
        down, right = (n * self.step - side + self.margin for n, side in sides)
        return np.asarray(cv2.copyMakeBorder(picture, self.margin, down, self.margin, right, cv2.BORDER_CONSTANT))

    def windows(self, padded: Whole, row: Tensor, column: Tensor) -> Tensor:
        """(N,n,n,3): those at `row`, `column`."""
        side = self.step + 2 * self.margin
        down, right, each = padded.strides
        steps = (self.step * down, self.step * right, down, each)
        lines = np.lib.stride_tricks.as_strided(padded, (*self.counts, side, 3 * side), steps, writeable=False)
        return torch.from_numpy(lines[row.numpy(), column.numpy()]).view(-1, side, side, 3)


class Axis(NamedTuple):
    """For the windows along one side: where the piece of the small map that each needs begins, (n,), and how that is
    interpolated, (n,window,piece).
    """

    start: Tensor
    weights: Tensor

    def touched(self, block: int, count: int) -> Tensor:
        """float32 (n,count): 1 where a window's piece touches a block of `block` pixels of the small map, else 0."""
        first, last = self.start // block, (self.start + self.weights.shape[2] - 1) // block
        each = torch.arange(count)
        return ((each >= first[:, None]) & (each <= last[:, None])).float()


def enlarged(windows: int, step: int, margin: int, length: int, small: int, dtype: torch.dtype) -> Axis:
    """Windows of step + 2·margin pixels, one each `step` pixels, of `small` pixels enlarged to `length` (corners not
    aligned).
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
    return Axis(first, weights.to(dtype))


def places(rows: Axis, columns: Axis, row: Tensor, column: Tensor, width: int) -> Tensor:
    """int64 (N,p,q): where in a small map of `width` columns, counted row by row, the pieces at `row`, `column` lie."""
    y = rows.start[row][:, None] + torch.arange(rows.weights.shape[2])
    x = columns.start[column][:, None] + torch.arange(columns.weights.shape[2])
    return y[:, :, None] * width + x[:, None, :]


def pad_to_multiple(*index: Tensor) -> list[Tensor]:
    """int64 (N,) each → the same, the last repeated up to a multiple of 16.

    A convolution for a number of windows that there never was has to be made first, which takes half a millisecond.
    """
    count = len(index[0])
    return [torch.cat([each, each[-1:].expand(-count % _FEW)]) for each in index]


def interpolated(rows: Axis, columns: Axis, row: Tensor, column: Tensor, pieces: Tensor) -> Tensor:
    """pieces: (N,p,q,C) of the small map, at `places` → the windows, (N,h,w,C)."""
    count, tall, wide, channels = pieces.shape
    lines = torch.bmm(rows.weights[row], pieces.view(count, tall, wide * channels))
    return torch.matmul(columns.weights[column][:, None], lines.view(count, lines.shape[1], wide, channels))


def concat_channels(*parts: Tensor) -> Tensor:
    """(B,h,w,…) each, of any dtypes and strides → all their channels beside each other, in the dtype of the first."""
    counts = [math.prod(part.shape[3:]) for part in parts]
    x = parts[0].new_empty(*parts[0].shape[:3], sum(counts))
    for place, part in zip(x.split(counts, 3), parts, strict=True):
        place.unflatten(3, part.shape[3:]).copy_(part)
    return x
