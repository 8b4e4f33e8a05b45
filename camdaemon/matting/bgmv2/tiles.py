"""The refiner (Lin et al. 2021 §3.3) over tiles of 4×4 patches instead of patch by patch: for CPUs, frame by frame.

A patch by itself needs windows of 8×8 at half and at full resolution, four fifths of which its neighbours compute
again. The chosen patches lie along contours, so a tile that holds one holds some seven: with 14×14 and 20×20 pixels for
all 16 of its patches it takes half the operations, and convolutions run at their best on windows of that size. At full
resolution they run over blocks of 2×2 pixels (`phases`). The results are the published ones: only chosen patches are
kept.
"""

from __future__ import annotations

from copy import deepcopy
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from camdaemon.matting.bgmv2.hidden import BLOCK, SparseFeatures
from camdaemon.matting.bgmv2.polyphase import phased
from camdaemon.matting.bgmv2.tile_windows import (
    Cut,
    Whole,
    concat_channels,
    enlarged,
    interpolated,
    pad_to_multiple,
    places,
)
from camdaemon.model import SIDE, Refiner

_PATCHES = 4  # along a tile
_PIXELS = _PATCHES * SIDE
_AT_ONCE = 512  # tiles, so that refining a whole 4K frame does not take gigabytes

Bytes = NDArray[np.uint8]


class Tiles(NamedTuple):
    """patches: bool (rows,columns,4,4), those of each tile that are refined.   row, column: int64 (T,), of the tiles
    that have any."""

    patches: Tensor
    row: Tensor
    column: Tensor


class RefinedPatches(NamedTuple):
    """What the refiner found. values: float32 (N,4,4,4), pixels of a patch's rows and columns, alpha and residual.

    row, column: int64 (N,), the patches' places, in patches.
    """

    values: Tensor
    row: NDArray[np.int64]
    column: NDArray[np.int64]


class TiledRefiner:
    """`refiner` for frames of height × width pixels and coarse maps of base_height × base_width; the worker thread's.

    refiner: in evaluation mode, batch norms folded; copied.   dtype: what the convolutions compute in.
    """

    def __init__(self, refiner: Refiner, dtype: torch.dtype, frame: tuple[int, int], base: tuple[int, int]) -> None:
        self._base = base
        third, fourth = refiner.conv3, refiner.conv4
        layers = (
            deepcopy(refiner),
            phased(third, refiner.conv2.out_channels, (3, 3)),
            phased(fourth, 0, (1,) * third.out_channels),
        )
        # Pictures are given as whole numbers, and what they are counted in is part of the weights.
        layers[0].conv1.weight[:, -6:].mul_(1 / 1020)
        layers[1].weight[:, -24:].mul_(1 / 255)
        self._refiner, self._third, self._fourth = (
            each.to(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            for each in layers
        )
        margin, edge = (3, 2) if refiner.kernel_size == 3 else (0, 0)  # at half, at full resolution
        self._count = -(-frame[0] // _PIXELS), -(-frame[1] // _PIXELS)
        self._cut, self._beyond = Cut(self._count, _PIXELS, 2 * margin), 2 * margin - edge
        self._rows, self._columns = (
            enlarged(count, _PIXELS // 2, margin, side // 2, small, dtype)
            for count, side, small in zip(self._count, frame, base, strict=True)
        )
        axes = zip((self._rows, self._columns), base, strict=True)
        self._touched = [axis.touched(BLOCK, -(-small // BLOCK)) for axis, small in axes]

    def padded(self, rgb: Bytes) -> Whole:
        """(H,W,3) as `__call__` wants its pictures."""
        return self._cut.padded(rgb)

    def tiles(self, chosen: Tensor) -> Tiles:
        """Of the chosen patches, bool (H/4,W/4)."""
        rows, columns = self._count
        mask = torch.zeros(rows * _PATCHES, columns * _PATCHES, dtype=torch.bool)
        mask[: chosen.shape[0], : chosen.shape[1]] = chosen
        patches = mask.view(rows, _PATCHES, columns, _PATCHES).transpose(1, 2)
        return Tiles(patches, *patches.flatten(2).any(2).nonzero().unbind(1))

    def needed(self, tiles: Tiles) -> Tensor:
        """bool (⌈h/BLOCK⌉,⌈w/BLOCK⌉): the blocks of the coarse maps that `tiles` are shown something of."""
        mask = torch.zeros(*self._count)
        mask[tiles.row, tiles.column] = 1
        rows, columns = self._touched
        return rows.T @ mask @ columns > 0

    def __call__(self, tiles: Tiles, shown: SparseFeatures, src: Whole, plate: Whole) -> RefinedPatches:
        """shown: the coarse maps, at least where they are `needed`.   src, plate: `padded`."""
        patches, row, column = tiles
        parts = zip(*(each.split(_AT_ONCE) for each in pad_to_multiple(row, column)), strict=True)
        found = torch.cat([self._refined(shown, src, plate, i, j) for i, j in parts if len(i)] or [torch.empty(0, 32)])
        tile, down, right = patches[row, column].nonzero().unbind(1)
        # A patch is two pieces of two blocks of 2×2 pixels each.
        first = ((tile * _PATCHES + down) * 2 * _PATCHES + right)[:, None] + torch.tensor([0, _PATCHES])
        pieces = found.reshape(-1, 2 * 16).index_select(0, first.flatten()).float()
        values = pieces.view(-1, 2, 2, 4, 2, 2).permute(0, 1, 4, 2, 5, 3).reshape(-1, SIDE, SIDE, 4)
        place = row[tile] * _PATCHES + down, column[tile] * _PATCHES + right
        return RefinedPatches(values, *(each.numpy() for each in place))

    def _refined(self, shown: SparseFeatures, src: Whole, plate: Whole, row: Tensor, column: Tensor) -> Tensor:
        """(T,8,8,16) of the tiles at `row`, `column`: alpha and residual of blocks of 2×2 pixels."""
        seen = [self._cut.windows(each, row, column) for each in (src, plate)]
        x = concat_channels(self._windows(shown, row, column), *(_halved(each) for each in seen))
        parts = [part for each in seen for part in self._full(each)]
        x = concat_channels(_pixels_last(self._refiner.at_half(_channels_first(x))), *parts)
        return _pixels_last(self._fourth(F.relu_(self._third(_channels_first(x)))))

    def _full(self, seen: Tensor) -> tuple[Tensor, ...]:
        """(T,28,28,3) → the upper and the lower pixels of blocks of 2×2, (T,10,10,2,3) each: at full resolution the
        refiner looks less far. By themselves they are copied in half the time.
        """
        inner = slice(self._beyond, seen.shape[1] - self._beyond)
        blocks: Tensor = seen[:, inner, inner].unflatten(2, (-1, 2)).unflatten(1, (-1, 2))
        return blocks.unbind(2)

    def _windows(self, shown: SparseFeatures, row: Tensor, column: Tensor) -> Tensor:
        """(T,14,14,36): the coarse maps at half resolution."""
        index = places(self._rows, self._columns, row, column, self._base[1])
        pieces = shown.values.index_select(0, shown.place.flatten()[index.flatten()])
        return interpolated(self._rows, self._columns, row, column, pieces.view(*index.shape, pieces.shape[1]))


def _halved(seen: Tensor) -> Tensor:
    """Bytes (T,2h,2w,3) → int16 (T,h,w,3), sums of 2×2 pixels, 0..1020."""
    count, height, width, _ = seen.shape
    four = np.multiply(seen.numpy(), 4, dtype=np.uint16)  # so that means of 2×2 pixels are whole numbers
    column = four.reshape(count * height, width, 3)  # one window below the other
    half = np.asarray(cv2.resize(column, (width // 2, count * height // 2), interpolation=cv2.INTER_AREA))
    return torch.from_numpy(half.view(np.int16)).view(count, height // 2, width // 2, 3)


def _channels_first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def _pixels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)
