"""The refiner (Lin et al. 2021 §3.3) over tiles of 4×4 patches instead of patch by patch: for CPUs, frame by frame.

A patch by itself needs windows of 8×8 at half and at full resolution, four fifths of which its neighbours compute
again. The chosen patches lie along contours, so a tile that holds one holds some seven: with 14×14 and 20×20 pixels for
all 16 of its patches it takes half the operations, and convolutions run at their best on windows of that size. The
results are the published ones: only chosen patches are kept.

Nothing is enlarged over the whole frame: the coarse maps are interpolated within the tiles, as a product with a matrix
for a tile's rows and one for its columns. Those hold the published bilinear weights, and zeros outside of the picture.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camdaemon.model import HIDDEN, SIDE, Refiner

_PATCHES = 4  # along a tile
_PIXELS = _PATCHES * SIDE
_AT_ONCE = 512  # tiles, so that refining a whole 4K frame does not take gigabytes

Bytes = NDArray[np.uint8]
Whole = NDArray[np.integer[Any]]


class Fine(NamedTuple):
    """What the refiner found. values: float32 (N,4,4,4), pixels of a patch's rows and columns, alpha and residual.

    row, column: int64 (N,), the patches' places, in patches.
    """

    values: Tensor
    row: NDArray[np.int64]
    column: NDArray[np.int64]


class Padded(NamedTuple):
    """A picture with black around it.   full: uint8.   half: int16, at half the size, sums of 2×2 pixels, 0..1020."""

    full: Whole
    half: Whole


class _Axis(NamedTuple):
    """For the tiles along one side: where the coarse window begins, (n,), and how it is interpolated, (n,window,k)."""

    start: Tensor
    weights: Tensor


class TiledRefiner:
    """`refiner` for frames of height × width pixels and coarse maps of base_height × base_width; the worker thread's.

    refiner: in evaluation mode, batch norms folded; copied.   dtype: what the convolutions compute in.
    """

    def __init__(self, refiner: Refiner, dtype: torch.dtype, frame: tuple[int, int], base: tuple[int, int]) -> None:
        self._dtype = dtype
        self._refiner = deepcopy(refiner).to(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._margin, self._edge = (3, 2) if refiner.kernel_size == 3 else (0, 0)  # at half, at full resolution
        self._count = [-(-side // _PIXELS) for side in frame]
        self._rows, self._columns = (
            _interpolated(count, side // 2, small, self._margin, dtype)
            for count, side, small in zip(self._count, frame, base, strict=True)
        )

    def padded(self, rgb: Bytes) -> Padded:
        """(H,W,3) as `__call__` wants its pictures."""
        height, width = rgb.shape[:2]
        four = np.multiply(rgb, 4, dtype=np.uint16)  # so that means of 2×2 pixels are whole numbers
        half = np.asarray(cv2.resize(four, (width // 2, height // 2), interpolation=cv2.INTER_AREA)).view(np.int16)
        return Padded(self._surrounded(rgb, _PIXELS, self._edge), self._surrounded(half, _PIXELS // 2, self._margin))

    def __call__(self, coarse: Tensor, src: Padded, plate: Padded, chosen: Tensor) -> Fine:
        """coarse: float (h,w,37), as the base network gave it.   src, plate: `padded`.   chosen: bool (H/4,W/4)."""
        rows, columns = self._count
        mask = torch.zeros(rows * _PATCHES, columns * _PATCHES, dtype=torch.bool)
        mask[: chosen.shape[0], : chosen.shape[1]] = chosen
        tiles = mask.view(rows, _PATCHES, columns, _PATCHES).transpose(1, 2)
        row, column = tiles.flatten(2).any(2).nonzero().unbind(1)
        parts = zip(row.split(_AT_ONCE), column.split(_AT_ONCE), strict=True)
        found = torch.cat([self._refined(coarse, src, plate, i, j) for i, j in parts])
        values = found.permute(0, 2, 3, 1).reshape(-1, _PATCHES, SIDE, _PATCHES, SIDE, 4).transpose(2, 3)
        tile, down, right = tiles[row, column].nonzero().unbind(1)
        place = row[tile] * _PATCHES + down, column[tile] * _PATCHES + right
        return Fine(values[tile, down, right].float(), *(each.numpy() for each in place))

    def _refined(self, coarse: Tensor, src: Padded, plate: Padded, row: Tensor, column: Tensor) -> Tensor:
        """(T,4,16,16) of the tiles at `row`, `column`."""
        half = self._pairs(src.half, plate.half, row, column, _PIXELS // 2, self._margin).mul_(1 / 1020)
        full = self._pairs(src.full, plate.full, row, column, _PIXELS, self._edge).mul_(1 / 255)
        maps = self._windows(coarse, row, column)
        x = half.new_empty(*half.shape[:3], maps.shape[3] + half.shape[3] - 1)  # all but the error
        x[..., :HIDDEN], x[..., HIDDEN : HIDDEN + 4], x[..., HIDDEN + 4 :] = maps[..., 5:], maps[..., :4], half
        fine: Tensor = self._refiner.at_full(self._refiner.at_half(x.permute(0, 3, 1, 2)), full.permute(0, 3, 1, 2))
        return fine

    def _pairs(self, src: Whole, plate: Whole, row: Tensor, column: Tensor, step: int, margin: int) -> Tensor:
        """(T,s,s,6): windows of s = step + 2·margin pixels of both, not scaled yet."""
        i, j, side = row.numpy(), column.numpy(), step + 2 * margin
        pair = torch.empty(len(i), side, side, 6, dtype=self._dtype)
        for place, padded in ((slice(0, 3), src), (slice(3, 6), plate)):
            down, right, each = padded.strides
            steps = (step * down, step * right, down, right, each)
            every = np.lib.stride_tricks.as_strided(padded, (*self._count, side, side, 3), steps, writeable=False)
            pair[..., place] = torch.from_numpy(every[i, j])
        return pair

    def _surrounded(self, picture: Whole, step: int, margin: int) -> Whole:
        """With black around it, for whole tiles and their margins."""
        down, right = (n * step - side + margin for n, side in zip(self._count, picture.shape, strict=False))
        return np.asarray(cv2.copyMakeBorder(picture, margin, down, margin, right, cv2.BORDER_CONSTANT))

    def _windows(self, coarse: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """(T,14,14,37): the coarse maps at half resolution, hidden features and alpha held to their ranges."""
        height, width, channels = coarse.shape
        (start_y, down), (start_x, across) = self._rows, self._columns
        tall, wide = down.shape[2], across.shape[2]
        y = start_y[row][:, None] + torch.arange(tall)
        x = start_x[column][:, None] + torch.arange(wide)
        index = (y[:, :, None] * width + x[:, None, :]).flatten()
        maps = coarse.reshape(height * width, channels).index_select(0, index).to(self._dtype)
        maps[:, 5:].clamp_(min=0)
        maps[:, 0].clamp_(0, 1)
        lines = torch.bmm(down[row], maps.view(len(row), tall, wide * channels))
        return torch.matmul(across[column][:, None], lines.view(len(row), down.shape[1], wide, channels))


def _interpolated(tiles: int, length: int, base: int, margin: int, dtype: torch.dtype) -> _Axis:
    """Bilinear interpolation from `base` to `length` pixels (corners not aligned) as matrices, one for each tile."""
    side = _PIXELS // 2
    place = torch.arange(tiles)[:, None] * side + torch.arange(-margin, side + margin)
    inside = (place >= 0) & (place < length)
    at = ((place + 0.5) * (base / length) - 0.5).clamp(0, base - 1)
    low = at.floor().long()
    high = (low + 1).clamp(max=base - 1)
    first = torch.where(inside, low, base).amin(1)
    span = min(base, int((torch.where(inside, high, 0).amax(1) - first).max()) + 1)
    first = first.clamp(max=base - span)
    weights = torch.zeros(*place.shape, span)
    for index, share in ((low, 1 - (at - low)), (high, at - low)):
        where = (index - first[:, None]).clamp(0, span - 1)
        weights.scatter_add_(2, where[..., None], (share * inside)[..., None].float())
    return _Axis(first, weights.to(dtype))
