"""The published base network on a CPU: hidden features are computed where the refiner needs them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from camdaemon.frames import pixels
from camdaemon.matting.bgmv2.cpu.base import CoarseFrame, NetworkShape, downscale
from camdaemon.matting.bgmv2.cpu.hidden import HiddenFeatures, SparseWindows
from camdaemon.matting.bgmv2.cpu.tile_windows import Levels
from camdaemon.matting.bgmv2.cpu.tiles import ByteArray, CoarseWindows, TiledRefiner, Tiles
from camdaemon.matting.bgmv2.engines.dense import BaseMaps
from camdaemon.matting.bgmv2.engines.factory import BaseEngineFactory
from camdaemon.model import BackgroundMattingV2


@dataclass(frozen=True, slots=True)
class _PreparedPlate:
    """What the network needs of a plate.

    Attributes:
        source: The plate, to recognise it again.
        pair: float32 (1,h,w,6), 0..1; the second half is the plate, each frame writes the first.
        small: The plate at the base input's size, padded for `HiddenFeatures`.
        full: The plate for the refiner; None without one.
    """

    source: Tensor
    pair: Tensor
    small: Levels
    full: Levels | None


class PublishedBase:
    """A `CpuBase` of the published network. It believes the plate.

    Args:
        engines: Builds the engine that runs the base network of `network`.
        network: Batch norms folded.
        shape: Sizes of the frames and of the base input.
        exact: Whether pictures are not rounded to bytes on the way to the network, and plates may be floats.

    Raises:
        RuntimeError: No engine runs the network.
    """

    is_heavy = True
    is_settled = True

    def __init__(
        self, engines: BaseEngineFactory, network: BackgroundMattingV2, shape: NetworkShape, *, exact: bool = False
    ) -> None:
        self._shape, self._exact = shape, exact
        self.engine = engines.build(shape.base)
        self._hidden = HiddenFeatures(network.decoder, self.engine.dtype, shape.base)
        self.refiner, self._windows = None, None
        if network.refiner is not None:
            self.refiner = TiledRefiner(network.refiner, self.engine.dtype, shape.frame)
            self._windows = SparseWindows(self.refiner.build_axes(shape.base), shape.base)
        self._plate: _PreparedPlate | None = None

    def release(self) -> None:
        """Give memory back; see `CpuBase`."""
        self._plate = None

    def __call__(self, rgb: ByteArray, plate: Tensor, confidence: Tensor | None) -> CoarseFrame:
        """Run the base network; see `CpuBase`."""
        bgr = self._prepare_plate(plate)
        small = self._downscale(rgb)
        torch.mul(torch.from_numpy(small), 1 / 255, out=bgr.pair[0, :, :, :3])
        maps = self.engine(bgr.pair.permute(0, 3, 1, 2))
        columns = 0, self._shape.base[1]
        find = partial(self._find_windows, maps, small, bgr.small)
        return CoarseFrame(maps.visible.float(), columns, bgr.full, find)

    def _downscale(self, rgb: Levels) -> Levels:
        return downscale(rgb.astype(np.float32) if self._exact else rgb, self._shape.base)

    def _find_windows(self, maps: BaseMaps, small: Levels, bgr: Levels, tiles: Tiles) -> CoarseWindows:
        """Compute the hidden features that `tiles` need of the picture `small` and the padded plate `bgr`."""
        assert self._windows is not None
        blocks = self._windows.find_needed_blocks(tiles.row, tiles.column)
        return partial(self._windows.upsample, self._hidden(maps, self._hidden.pad(small), bgr, blocks))

    def _prepare_plate(self, plate: Tensor) -> _PreparedPlate:
        """Prepare `plate`, or return the cached result if it is the same tensor as before."""
        if self._plate is None or self._plate.source is not plate:
            rgb: Levels = pixels.array(plate)
            full = None if self.refiner is None else self.refiner.pad(rgb)
            small = self._downscale(rgb)
            pair = torch.empty(1, *self._shape.base, 6)
            torch.mul(torch.from_numpy(small), 1 / 255, out=pair[0, :, :, 3:])
            self._plate = _PreparedPlate(plate, pair, self._hidden.pad(small), full)
        return self._plate
