"""The slim base network on a CPU: it is told how far to trust the plate, and its features are there for every tile."""

from __future__ import annotations

from functools import partial

import numpy as np

from camdaemon.matting.bgmv2.cpu.base import CoarseFrame, NetworkShape, downscale
from camdaemon.matting.bgmv2.cpu.half_maps import HalfMap
from camdaemon.matting.bgmv2.cpu.parts import Span
from camdaemon.matting.bgmv2.cpu.room import find_columns
from camdaemon.matting.bgmv2.cpu.tile_windows import ByteArray, Index, Levels
from camdaemon.matting.bgmv2.cpu.tiles import CoarseWindows, TiledRefiner, Tiles
from camdaemon.matting.bgmv2.cpu.told_plate import PlateTeller, ToldPlate
from camdaemon.matting.bgmv2.cpu.widths import EngineWidths
from camdaemon.matting.bgmv2.engines.engine import BaseMaps, Floats
from camdaemon.matting.bgmv2.engines.factory import EngineFactory
from camdaemon.model.layout import SLIM_HIDDEN, VISIBLE

_PLATE, _TRUST = 3, 6  # channels of the input; the plate's are three
_PIXEL = np.dtype((np.void, 3 * 4))  # copied at once
_SHOWN = 5  # alpha, residual and confidence: maps that the refiner is shown


class SlimBase:
    """A `CpuBase` of the slim network.

    Args:
        engines: Builds the engines of the network.
        shape: Sizes of the frames and of the base input, which is of whole cells of 16 pixels.
        steady: Whether engines are built when they are needed instead of in the background; see `EngineWidths`.

    Raises:
        RuntimeError: No engine runs the network.
    """

    is_heavy = False

    def __init__(self, engines: EngineFactory, shape: NetworkShape, *, steady: bool = False) -> None:
        self._shape = shape
        self.engine = engines.build(shape.base)
        on_cpu = self.engine.name.endswith(("float32", "bfloat16", "int8"))
        self._widths = EngineWidths(engines.build, shape.base, self.engine, narrows=on_cpu, waits=steady)
        self.refiner = None
        if engines.layout.kernel is not None:
            self.refiner = TiledRefiner(engines.build_refiner(), engines.layout.kernel, shape.frame)
            height, width = shape.base
            self._hidden = HalfMap(self.refiner.half_grid, shape.frame, (height // 2, width // 2), SLIM_HIDDEN)
            self._shown = HalfMap(self.refiner.half_grid, shape.frame, shape.base, _SHOWN)
        # Picture, plate and confidence, 0..1; each frame writes the first, a new plate or confidence the rest.
        self._input = np.ones((1, *shape.base, engines.layout.inputs), np.float32)
        self._told: ToldPlate | None = None  # what is written there
        self._tell = PlateTeller(shape.base, self.refiner)

    @property
    def is_settled(self) -> bool:
        """Whether no engine is being built; see `CpuBase`."""
        return not self._widths.is_building

    def release(self) -> None:
        """Give memory back; see `CpuBase`."""
        self._told = None
        self._tell.forget()
        if self.refiner is not None:
            self._hidden.release()
            self._shown.release()

    def __call__(self, rgb: ByteArray, plate: Levels, confidence: Floats | None) -> CoarseFrame:
        """Run the base network; see `CpuBase`."""
        told = self._tell(plate, confidence)
        self._write(told)
        small = downscale(rgb, self._shape.base)
        self._put(small * np.float32(1 / 255), 0)
        maps, columns = self._run(small, told)
        return CoarseFrame(maps.visible, columns, told.full, partial(self._find_windows, maps, told))

    def _run(self, small: ByteArray, told: ToldPlate) -> tuple[BaseMaps, Span]:
        """Run the engine where the picture `small` is not certainly room; return its maps, else zeros, and where."""
        columns = find_columns(small, told.small, told.trust)
        width = self._shape.base[1]
        if columns[0] == columns[1]:
            return self._make_empty_maps(), columns
        columns, engine = self._widths.find(columns)
        where = slice(*columns)
        maps = engine(np.ascontiguousarray(self._input[:, :, where]))
        if columns == (0, width):
            return maps, columns
        whole = self._make_empty_maps()
        whole.visible[:, where], whole.features[:, slice(columns[0] // 2, columns[1] // 2)] = maps
        return whole, columns

    def _make_empty_maps(self) -> BaseMaps:
        height, width = self._shape.base
        hidden = height // 2, width // 2, SLIM_HIDDEN
        return BaseMaps(np.zeros((height, width, VISIBLE), np.float32), np.zeros(hidden, np.float32))

    def _find_windows(self, maps: BaseMaps, told: ToldPlate, tiles: Tiles) -> CoarseWindows:
        """Return the windows of `maps` and of the confidence `told` in `tiles`; the input may be another's by now."""
        shown = maps.visible.copy()
        np.clip(shown[..., 0], 0, 1, out=shown[..., 0])
        shown[..., _SHOWN - 1] = 1 if told.trust is None else told.trust  # in the place of the predicted error
        for half, values in ((self._hidden, maps.features), (self._shown, shown)):
            half.write(values, tiles.row, tiles.column)
        return self._cut

    def _cut(self, row: Index, column: Index) -> tuple[Floats, ...]:
        return self._hidden.windows(row, column), self._shown.windows(row, column)

    def _write(self, told: ToldPlate) -> None:
        """Write plate and confidence into the input, unless they are there."""
        if told is not self._told:
            self._put(told.floats, _PLATE)
            self._input[0, :, :, _TRUST] = 1 if told.trust is None else told.trust
            self._told = told

    def _put(self, picture: Floats, first: int) -> None:
        """Copy `picture` (h,w,3) into the input's channels from `first` on, pixel by pixel."""
        whole = self._input
        there = np.ndarray(whole.shape[1:3], _PIXEL, whole, first * whole.itemsize, whole.strides[1:3])
        there[:] = picture.view(_PIXEL)[..., 0]
