"""Coarse maps at half the frame's resolution, where tiles lie: cheaper than tile by tile, if there are many."""

from __future__ import annotations

from camdaemon.matting.bgmv2.cpu.parts import PartialResize, Span
from camdaemon.matting.bgmv2.cpu.tile_windows import Index, WindowGrid
from camdaemon.matting.bgmv2.engines.engine import Floats


class HalfMap:
    """Maps of one size, upsampled for windows of the refiner's tiles. Called by one thread at a time.

    Its memory is kept from frame to frame, until `release`; of each, only what it wrote is read.

    Args:
        grid: Of the windows.
        frame: Height and width of the frame.
        small: Height and width of the maps.
        channels: Number of the maps.
    """

    def __init__(self, grid: WindowGrid, frame: tuple[int, int], small: tuple[int, int], channels: int) -> None:
        half = frame[0] // 2, frame[1] // 2
        self._grid, self._resize = grid, PartialResize(small, half)
        self._half, self._channels = half, channels
        self._padded: Floats | None = None

    def release(self) -> None:
        """Give its memory back until the next `write`."""
        self._padded = None

    def write(self, values: Floats, row: Index, column: Index) -> None:
        """Upsample `values` (h,w,C) where the windows at `row`, `column`, (T,), lie."""
        if self._padded is None:
            self._padded = self._grid.make_padded(self._channels)
        if len(row):
            part = self._resize.find_part(self._span(row), self._span(column))
            self._resize.resize(values, part, self._grid.cut_margin(self._padded, self._half))

    def _span(self, index: Index) -> Span:
        step, margin = self._grid.step, self._grid.margin
        return int(index.min()) * step - margin, (int(index.max()) + 1) * step + margin

    def windows(self, row: Index, column: Index) -> Floats:
        """Copy the windows at `row`, `column`, (T,14,14,C)."""
        assert self._padded is not None
        return self._grid.windows(self._padded, row, column)
