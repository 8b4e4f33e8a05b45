"""The base network's hidden features (Lin et al. 2021 §3.2), computed only where the refiner needs them.

They are 32 of the 37 maps of the decoder's last convolution, which is a third of the base network's operations, and
the refiner needs them along contours only. So they are computed for blocks of the base input, after the predicted error
is known. The results are those of the published network.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camdaemon.matting.bgmv2.cpu.tile_windows import (
    Index,
    Levels,
    UpsamplingAxis,
    WindowGrid,
    build_upsampling_axis,
    index_pieces,
    interpolate_pieces,
)
from camdaemon.matting.bgmv2.engines.engine import CHUNK, BaseMaps, Floats, WindowEngine
from camdaemon.model.layout import HIDDEN

BLOCK = 8  # pixels of the base input along a block
_SPARSE = HIDDEN + 4  # maps for the refiner: hidden features, alpha, residual
_BLOCKS_AT_ONCE = CHUNK


class SparseFeatures(NamedTuple):
    """The coarse maps for the refiner, computed for some blocks only.

    Attributes:
        values: (n,36), one row per pixel: hidden features, alpha, residual; hidden features and alpha clamped to their
            ranges. Pixels that were not computed have a row of NaN, so that a mistake about what is needed can never
            pass for a matte.
        place: (h,w), the row of each pixel of the base input.
    """

    values: Floats
    place: Index


class SparseWindows:
    """`CoarseWindows` of `SparseFeatures`, for base inputs of one size.

    Args:
        axes: For rows and columns, from `TiledRefiner.build_axes`.
        base: Height and width of the base input.
    """

    def __init__(self, axes: tuple[UpsamplingAxis, UpsamplingAxis], base: tuple[int, int]) -> None:
        self._axes, self._width = axes, base[1]
        self._touched = [axis.touched_blocks(BLOCK, -(-small // BLOCK)) for axis, small in zip(axes, base, strict=True)]

    def find_needed_blocks(self, row: Index, column: Index) -> NDArray[np.bool_]:
        """Return the blocks that windows at `row`, `column`, (T,), read, (⌈h/BLOCK⌉,⌈w/BLOCK⌉)."""
        rows, columns = self._touched
        mask = np.zeros((len(rows), len(columns)), np.float32)
        mask[row, column] = 1
        return rows.T @ mask @ columns > 0

    def upsample(self, coarse: SparseFeatures, row: Index, column: Index) -> tuple[Floats]:
        """Return windows of the coarse maps at half resolution, (T,14,14,36); see `CoarseWindows`."""
        index = index_pieces(*self._axes, row, column, self._width)
        pieces = coarse.values.take(coarse.place.reshape(-1).take(index), 0)
        return (interpolate_pieces(*self._axes, row, column, pieces),)


class HiddenFeatures:
    """Computes `SparseFeatures` for base inputs of one size. Used by the worker thread only.

    Args:
        engine: Computes the hidden features of blocks.
        base: Height and width of the base input, even.
    """

    def __init__(self, engine: WindowEngine, base: tuple[int, int]) -> None:
        self._engine, self._base = engine, base
        count = -(-base[0] // BLOCK), -(-base[1] // BLOCK)
        self._grid = WindowGrid(count, BLOCK, 1)
        self._axes = [
            build_upsampling_axis(blocks, BLOCK, 1, side, side // 2) for blocks, side in zip(count, base, strict=True)
        ]
        self._offsets = np.arange(BLOCK)[:, None] * BLOCK + np.arange(BLOCK)

    def pad(self, small: Levels) -> Levels:
        """Pad a picture of the base input's size, (h,w,3), for `__call__`."""
        return self._grid.pad(small)

    def __call__(self, maps: BaseMaps, src: Levels, bgr: Levels, needed: NDArray[np.bool_]) -> SparseFeatures:
        """Compute the features of some blocks.

        Args:
            maps: Of this frame.
            src: The picture, from `pad`.
            bgr: The plate, from `pad`.
            needed: (⌈h/BLOCK⌉,⌈w/BLOCK⌉), the blocks to compute.
        """
        row, column = np.nonzero(needed)
        values = np.empty((len(row) + 1, BLOCK, BLOCK, _SPARSE), np.float32)
        values[-1] = np.nan
        for first in range(0, len(row), _BLOCKS_AT_ONCE):
            part = slice(first, first + _BLOCKS_AT_ONCE)
            found = self._compute_hidden(maps.features, src, bgr, row[part], column[part])
            values[first : first + len(found), ..., :HIDDEN] = found
        values[:-1, ..., HIDDEN:] = self._cut_visible(maps.visible, row, column)
        first_row = np.full(needed.shape, len(row) * BLOCK**2)
        first_row[row, column] = np.arange(len(row)) * BLOCK**2
        place = first_row[:, None, :, None] + self._offsets[:, None]
        height, width = self._base
        return SparseFeatures(values.reshape(-1, _SPARSE), place.reshape(len(first_row) * BLOCK, -1)[:height, :width])

    def _compute_hidden(self, features: Floats, src: Levels, bgr: Levels, row: Index, column: Index) -> Floats:
        """Return the hidden features of blocks, (N,BLOCK,BLOCK,32)."""
        rows, columns = self._axes
        height, width, channels = features.shape
        pieces = features.reshape(height * width, channels).take(index_pieces(rows, columns, row, column, width), 0)
        upsampled = interpolate_pieces(rows, columns, row, column, pieces)
        return self._engine(*(self._grid.windows(each, row, column) for each in (src, bgr)), upsampled)

    def _cut_visible(self, visible: Floats, row: Index, column: Index) -> Floats:
        """Return alpha and residual of blocks, (N,BLOCK,BLOCK,4).

        A block's pixels beyond the picture repeat the last one; nothing reads them.
        """
        height, width = self._base
        y = np.minimum(row[:, None] * BLOCK + np.arange(BLOCK), height - 1)
        x = np.minimum(column[:, None] * BLOCK + np.arange(BLOCK), width - 1)
        index = y[:, :, None] * width + x[:, None, :]
        cut: Floats = visible.reshape(height * width, -1).take(index, 0)[..., :4]
        np.clip(cut[..., 0], 0, 1, out=cut[..., 0])
        return cut
