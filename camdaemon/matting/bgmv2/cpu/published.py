"""The published base network on a CPU: hidden features are computed where the refiner needs them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from camdaemon.frames import pixels
from camdaemon.matting.bgmv2.cpu.base import CoarseFrame, NetworkShape, downscale
from camdaemon.matting.bgmv2.cpu.hidden import HiddenFeatures, SparseWindows
from camdaemon.matting.bgmv2.cpu.tile_windows import ByteArray, Levels
from camdaemon.matting.bgmv2.cpu.tiles import CoarseWindows, TiledRefiner, Tiles
from camdaemon.matting.bgmv2.engines.engine import BaseMaps, Floats
from camdaemon.matting.bgmv2.engines.factory import EngineFactory


@dataclass(frozen=True, slots=True)
class _PreparedPlate:
    """What the network needs of a plate.

    Attributes:
        source: The plate, to recognise it again.
        pair: (1,h,w,6), 0..1; the second half is the plate, each frame writes the first.
        small: The plate at the base input's size, padded for `HiddenFeatures` if there is a refiner.
        full: The plate for the refiner; None without one.
    """

    source: Levels
    pair: Floats
    small: Levels
    full: Levels | None


class PublishedBase:
    """A `CpuBase` of the published network. It believes the plate.

    Args:
        engines: Builds the engines of the network.
        shape: Sizes of the frames and of the base input.
        exact: Whether pictures are not rounded to bytes on the way to the network, and plates may be floats.

    Raises:
        RuntimeError: No engine runs the network.
    """

    is_heavy = True
    is_settled = True

    def __init__(self, engines: EngineFactory, shape: NetworkShape, *, exact: bool = False) -> None:
        self._shape, self._exact = shape, exact
        self.engine = engines.build(shape.base)
        self.refiner: TiledRefiner | None = None
        if engines.layout.kernel is not None:
            self.refiner = TiledRefiner(engines.build_refiner(exact=exact), engines.layout.kernel, shape.frame)
            self._hidden = HiddenFeatures(engines.build_hidden(exact=exact), shape.base)
            self._windows = SparseWindows(self.refiner.build_axes(shape.base), shape.base)
        self._plate: _PreparedPlate | None = None

    def release(self) -> None:
        """Give memory back; see `CpuBase`."""
        self._plate = None

    def __call__(self, rgb: ByteArray, plate: Levels, confidence: Floats | None) -> CoarseFrame:
        """Run the base network; see `CpuBase`."""
        bgr = self._prepare_plate(plate)
        small = self._downscale(rgb)
        np.multiply(small, np.float32(1 / 255), out=bgr.pair[0, :, :, :3])
        maps = self.engine(bgr.pair)
        columns = 0, self._shape.base[1]
        find = partial(self._find_windows, maps, small, bgr.small)
        return CoarseFrame(maps.visible, columns, bgr.full, find)

    def _downscale(self, rgb: Levels) -> Levels:
        return downscale(rgb.astype(np.float32) if self._exact else rgb, self._shape.base)

    def _find_windows(self, maps: BaseMaps, small: Levels, bgr: Levels, tiles: Tiles) -> CoarseWindows:
        """Compute the hidden features that `tiles` need of the picture `small` and the padded plate `bgr`."""
        blocks = self._windows.find_needed_blocks(tiles.row, tiles.column)
        return partial(self._windows.upsample, self._hidden(maps, self._hidden.pad(small), bgr, blocks))

    def _prepare_plate(self, plate: Levels) -> _PreparedPlate:
        """Prepare `plate`, or return the cached result if it is the same array as before."""
        if self._plate is None or self._plate.source is not plate:
            rgb: Levels = pixels.interleave(plate)
            small = self._downscale(rgb)
            pair = np.empty((1, *self._shape.base, 6), np.float32)
            np.multiply(small, np.float32(1 / 255), out=pair[0, :, :, 3:])
            padded, full = small, None
            if self.refiner is not None:
                padded = self._hidden.pad(small)
                full = self.refiner.pad(rgb.astype(np.float32) if self._exact else rgb)
            self._plate = _PreparedPlate(plate, pair, padded, full)
        return self._plate
