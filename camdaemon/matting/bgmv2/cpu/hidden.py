"""The base network's hidden features (Lin et al. 2021 §3.2), computed only where the refiner needs them.

They are 32 of the 37 maps of the decoder's last convolution, which is a third of the base network's operations, and
the refiner needs them along contours only. So they are computed for blocks of the base input, after the predicted error
is known. The results are those of the published network.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from camdaemon.matting.bgmv2.cpu.tile_windows import (
    Levels,
    UpsamplingAxis,
    WindowGrid,
    build_upsampling_axis,
    index_pieces,
    interpolate_pieces,
    pad_to_multiple,
)
from camdaemon.matting.bgmv2.engines.dense import BaseMaps
from camdaemon.matting.bgmv2.engines.packed import concat_channels
from camdaemon.model import HIDDEN, VISIBLE, Decoder

BLOCK = 8  # pixels of the base input along a block
_SPARSE = HIDDEN + 4  # maps for the refiner: hidden features, alpha, residual
_BLOCKS_AT_ONCE = 1024  # so that a frame that is refined everywhere does not take gigabytes


class SparseFeatures(NamedTuple):
    """The coarse maps for the refiner, computed for some blocks only.

    Attributes:
        values: (n,36), one row per pixel: hidden features, alpha, residual; hidden features and alpha clamped to their
            ranges. Pixels that were not computed have a row of NaN, so that a mistake about what is needed can never
            pass for a matte.
        place: int64 (h,w), the row of each pixel of the base input.
    """

    values: Tensor
    place: Tensor


class SparseWindows:
    """`CoarseWindows` of `SparseFeatures`, for base inputs of one size.

    Args:
        axes: For rows and columns, from `TiledRefiner.build_axes`.
        base: Height and width of the base input.
    """

    def __init__(self, axes: tuple[UpsamplingAxis, UpsamplingAxis], base: tuple[int, int]) -> None:
        self._axes, self._width = axes, base[1]
        self._touched = [axis.touched_blocks(BLOCK, -(-small // BLOCK)) for axis, small in zip(axes, base, strict=True)]

    def find_needed_blocks(self, row: Tensor, column: Tensor) -> Tensor:
        """Return the blocks that windows at `row`, `column`, int64 (T,), read, bool (⌈h/BLOCK⌉,⌈w/BLOCK⌉)."""
        rows, columns = self._touched
        mask = torch.zeros(len(rows), len(columns))
        mask[row, column] = 1
        return rows.T @ mask @ columns > 0

    def upsample(self, coarse: SparseFeatures, row: Tensor, column: Tensor) -> tuple[Tensor]:
        """Return windows of the coarse maps at half resolution, (T,14,14,36); see `CoarseWindows`."""
        index = index_pieces(*self._axes, row, column, self._width)
        pieces = coarse.values.index_select(0, coarse.place.flatten()[index.flatten()])
        return (interpolate_pieces(*self._axes, row, column, pieces.view(*index.shape, pieces.shape[1])),)


class HiddenFeatures:
    """Computes `SparseFeatures` for base inputs of one size. Used by the worker thread only.

    Args:
        decoder: Batch norms folded; its weights are copied.
        dtype: Of the computation and of the result.
        base: Height and width of the base input.
    """

    def __init__(self, decoder: Decoder, dtype: torch.dtype, base: tuple[int, int]) -> None:
        self._conv = decoder.slice_last_conv(slice(VISIBLE, None), padding=0).to(dtype)
        self._conv.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._conv.weight[:, -6:].mul_(1 / 255)  # pictures are given as bytes
        self._base = base
        count = -(-base[0] // BLOCK), -(-base[1] // BLOCK)
        self._grid = WindowGrid(count, BLOCK, 1)
        self._axes = [
            build_upsampling_axis(blocks, BLOCK, 1, side, -(-side // 2), dtype)
            for blocks, side in zip(count, base, strict=True)
        ]
        self._offsets = torch.arange(BLOCK)[:, None] * BLOCK + torch.arange(BLOCK)

    def pad(self, small: Levels) -> Levels:
        """Pad a picture of the base input's size, (h,w,3), for `__call__`."""
        return self._grid.pad(small)

    def __call__(self, maps: BaseMaps, src: Levels, bgr: Levels, needed: Tensor) -> SparseFeatures:
        """Compute the features of some blocks.

        Args:
            maps: Of this frame.
            src: The picture, from `pad`.
            bgr: The plate, from `pad`.
            needed: bool (⌈h/BLOCK⌉,⌈w/BLOCK⌉), the blocks to compute.
        """
        row, column = pad_to_multiple(*needed.nonzero().unbind(1))
        values = torch.full(((len(row) + 1) * BLOCK**2, _SPARSE), torch.nan, dtype=self._conv.weight.dtype)
        parts = [
            values[: -(BLOCK**2)].view(-1, BLOCK, BLOCK, _SPARSE).split(_BLOCKS_AT_ONCE),
            row.split(_BLOCKS_AT_ONCE),
            column.split(_BLOCKS_AT_ONCE),
        ]
        for part, i, j in zip(*parts, strict=True):
            part[..., :HIDDEN] = self._compute_hidden(maps.features, (src, bgr), i, j)
            part[..., HIDDEN:] = self._cut_visible(maps.visible, i, j)
        first = torch.full(needed.shape, len(row) * BLOCK**2)
        first[row, column] = torch.arange(len(row)) * BLOCK**2
        place = first[:, None, :, None] + self._offsets[:, None]
        height, width = self._base
        return SparseFeatures(values, place.reshape(len(first) * BLOCK, -1)[:height, :width])

    def _compute_hidden(self, features: Tensor, pictures: tuple[Levels, Levels], row: Tensor, column: Tensor) -> Tensor:
        """Return the hidden features of blocks, (N,BLOCK,BLOCK,32)."""
        rows, columns = self._axes
        height, width, channels = features.shape
        index = index_pieces(rows, columns, row, column, width)
        pieces = features.reshape(height * width, channels).index_select(0, index.flatten()).to(rows.weights.dtype)
        upsampled = interpolate_pieces(rows, columns, row, column, pieces.view(*index.shape, channels))
        x = concat_channels(upsampled.dtype, upsampled, *(self._grid.windows(each, row, column) for each in pictures))
        return F.relu_(self._conv(x.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)

    def _cut_visible(self, visible: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """Return alpha and residual of blocks, (N,BLOCK,BLOCK,4).

        A block's pixels beyond the picture repeat the last one; nothing reads them.
        """
        height, width = self._base
        y = (row[:, None] * BLOCK + torch.arange(BLOCK)).clamp_(max=height - 1)
        x = (column[:, None] * BLOCK + torch.arange(BLOCK)).clamp_(max=width - 1)
        index = y[:, :, None] * width + x[:, None, :]
        cut = visible.reshape(height * width, VISIBLE).index_select(0, index.flatten())[:, :4]
        cut[:, 0].clamp_(0, 1)
        return cut.view(*index.shape, 4)
