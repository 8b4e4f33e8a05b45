"""The refiner (Lin et al. 2021 §3.3) over tiles of 4×4 patches instead of patch by patch: for CPUs, frame by frame.

A single patch needs windows of 8×8 at half and at full resolution; its neighbors compute four fifths of them again.
Chosen patches lie along contours, so a tile that holds one holds some seven. With 14×14 and 20×20 pixels for all 16 of
its patches a tile takes half the operations, and convolutions run best on windows of that size. The results are the
published ones: only chosen patches are kept. An engine computes them (`engines.windows`).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from camdaemon.matting.bgmv2.cpu.tile_windows import (
    ByteArray,
    Index,
    Levels,
    UpsamplingAxis,
    WindowGrid,
    build_upsampling_axis,
)
from camdaemon.matting.bgmv2.engines.engine import CHUNK, Floats, WindowEngine
from camdaemon.model.layout import SIDE

_PATCHES = 4  # along a tile
_PIXELS = _PATCHES * SIDE  # along a tile
_TILES_AT_ONCE = CHUNK
_MOST_KEPT = 16  # times as many are kept from one half of a frame to the other, so that a 4K frame takes no gigabytes

Mask = NDArray[np.bool_]


class Tiles(NamedTuple):
    """The tiles that hold chosen patches.

    Attributes:
        patches: (rows,columns,4,4), the chosen patches of every tile of the frame.
        row: (T,), of the tiles that hold any.
        column: (T,), of the tiles that hold any.
    """

    patches: Mask
    row: Index
    column: Index


class CoarseWindows(Protocol):
    """The coarse maps of a frame at half its resolution, window by window. Zero outside the picture."""

    def __call__(self, row: Index, column: Index) -> tuple[Floats, ...]:
        """Return the windows of the tiles at `row`, `column`, (T,) each.

        Returns:
            (T,14,14,·) each; all channels together are hidden features, alpha, residual, and the plate's confidence
            for a refiner that is told.
        """


class TileInputs(NamedTuple):
    """What the refiner is shown of some tiles.

    Attributes:
        tiles: All of them.
        refined: (·,16,16,4) each, the results of those that were refined at once, because there are very many.
        windows: Of the rest, some tiles at a time, as the engine takes them: picture, plate, coarse maps.
    """

    tiles: Tiles
    refined: list[Floats]
    windows: Iterable[tuple[NDArray[Any], ...]]


class RefinedPatches(NamedTuple):
    """The refiner's result.

    Attributes:
        values: (N,4,4,4): rows and columns of a patch's pixels, alpha and residual.
        row: (N,), in patches.
        column: (N,), in patches.
    """

    values: Floats
    row: Index
    column: Index


class TiledRefiner:
    """Runs a refiner on frames of one size. Nothing passes from call to call, so any thread may call it at any time.

    Args:
        engine: Runs it.
        kernel: Of its convolutions.
        frame: Height and width of the frame, in pixels.
    """

    def __init__(self, engine: WindowEngine, kernel: int, frame: tuple[int, int]) -> None:
        half_margin = 3 if kernel == 3 else 0
        self._engine, self._frame = engine, frame
        self._count = -(-frame[0] // _PIXELS), -(-frame[1] // _PIXELS)
        self._grid = WindowGrid(self._count, _PIXELS, 2 * half_margin)
        self.half_grid = WindowGrid(self._count, _PIXELS // 2, half_margin)

    def build_axes(self, small: tuple[int, int]) -> tuple[UpsamplingAxis, UpsamplingAxis]:
        """Build the interpolation of the tiles' windows at half the frame's resolution, for `CoarseWindows`.

        Args:
            small: Height and width of a coarse map, in pixels.

        Returns:
            For rows and columns.
        """
        sides = zip(self._count, self._frame, small, strict=True)
        step, margin = self.half_grid.step, self.half_grid.margin
        rows, columns = (build_upsampling_axis(count, step, margin, side // 2, length) for count, side, length in sides)
        return rows, columns

    def pad(self, rgb: Levels) -> Levels:
        """Pad a picture of the frame's size, (H,W,3), for `gather`."""
        return self._grid.pad(rgb)

    def cut_padding(self, padded: ByteArray) -> ByteArray:
        """Return the view of the picture within what `pad` returned."""
        return self._grid.cut_margin(padded, self._frame)

    def select_tiles(self, chosen: Mask) -> Tiles:
        """Return the tiles that hold the chosen patches, (H/4,W/4)."""
        rows, columns = self._count
        mask = np.zeros((rows * _PATCHES, columns * _PATCHES), bool)
        mask[: chosen.shape[0], : chosen.shape[1]] = chosen
        four = mask.view(np.uint32)  # patches of a tile beside each other
        row, column = np.nonzero(four.reshape(rows, _PATCHES, columns).any(1))
        return Tiles(mask.reshape(rows, _PATCHES, columns, _PATCHES).transpose(0, 2, 1, 3), row, column)

    def gather(
        self, tiles: Tiles, coarse: CoarseWindows, src: Levels, bgr: Levels, *, copy: bool = True
    ) -> TileInputs | None:
        """Return what the refiner is shown of `tiles`; None if there are none.

        Args:
            tiles: The tiles to work on.
            coarse: The coarse maps.
            src: The picture, from `pad`.
            bgr: The plate, from `pad`.
            copy: Whether the result needs neither the pictures nor the coarse maps any longer; if not, they are read
                when it is used.
        """
        if not len(tiles.row):
            return None
        parts = [slice(first, first + _TILES_AT_ONCE) for first in range(0, len(tiles.row), _TILES_AT_ONCE)]
        places = ((tiles.row[part], tiles.column[part]) for part in parts)
        windows = ((self._grid.windows(src, *each), self._grid.windows(bgr, *each), *coarse(*each)) for each in places)
        if not copy:
            return TileInputs(tiles, [], windows)
        refined = [self._engine(*each) for each in islice(windows, max(0, len(parts) - _MOST_KEPT))]
        return TileInputs(tiles, refined, list(windows))

    def __call__(self, given: TileInputs) -> RefinedPatches:
        """Refine the chosen patches of what was gathered, once."""
        patches, row, column = given.tiles
        found = np.concatenate([*given.refined, *(self._engine(*each) for each in given.windows)])
        tile, down, right = np.nonzero(patches[row, column])
        pixels = found.reshape(-1, _PATCHES, SIDE, _PATCHES, SIDE * 4)
        values = pixels[tile, down, :, right].reshape(-1, SIDE, SIDE, 4)
        return RefinedPatches(values, row[tile] * _PATCHES + down, column[tile] * _PATCHES + right)
