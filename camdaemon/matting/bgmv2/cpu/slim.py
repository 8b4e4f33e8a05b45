"""The slim base network on a CPU: it is told how far to trust the plate, and its features are there for every tile."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import torch
from torch import Tensor

from camdaemon.frames import pixels
from camdaemon.matting.bgmv2.cpu.base import CoarseFrame, NetworkShape, downscale
from camdaemon.matting.bgmv2.cpu.half_maps import HalfMap
from camdaemon.matting.bgmv2.cpu.parts import Span
from camdaemon.matting.bgmv2.cpu.room import find_columns
from camdaemon.matting.bgmv2.cpu.tiles import ByteArray, CoarseWindows, TiledRefiner, Tiles
from camdaemon.matting.bgmv2.cpu.widths import EngineWidths
from camdaemon.matting.bgmv2.engines.dense import BaseMaps
from camdaemon.matting.bgmv2.engines.factory import BaseEngineFactory
from camdaemon.model import VISIBLE, SlimMatting
from camdaemon.model.network import KNOWN, UNKNOWN_COLOR
from camdaemon.model.slim import HIDDEN

_PLATE, _TRUST = slice(3, 6), 6  # channels of the input
_SHOWN = 5  # alpha, residual and confidence: maps that the refiner is shown


@dataclass(frozen=True, slots=True)
class _ToldPlate:
    """A plate as the network is shown it: gray where nothing is known.

    Attributes:
        source: The plate, to recognise it again.
        small: uint8 (h,w,3), the plate at the base input's size.
        confidence: As it was given.
        full: The plate for the refiner; None without one.
    """

    source: Tensor
    small: ByteArray
    confidence: Tensor | None
    full: ByteArray | None


class SlimBase:
    """A `CpuBase` of the slim network.

    Args:
        engines: Builds the engine that runs the base network of `network`.
        network: Batch norms folded.
        shape: Sizes of the frames and of the base input, which is of whole cells of 16 pixels.

    Raises:
        RuntimeError: No engine runs the network.
    """

    def __init__(self, engines: BaseEngineFactory, network: SlimMatting, shape: NetworkShape) -> None:
        self._shape = shape
        self.engine = engines.build(shape.base)
        on_cpu = self.engine.name.endswith(("float32", "bfloat16", "int8"))
        self._widths = EngineWidths(engines.build, shape.base, self.engine, narrows=on_cpu)
        self.refiner = None
        if network.refiner is not None:
            self.refiner = TiledRefiner(network.refiner, self.engine.dtype, shape.frame)
            height, width = shape.base
            self._hidden = HalfMap(self.refiner.half_grid, shape.frame, (height // 2, width // 2), HIDDEN)
            self._shown = HalfMap(self.refiner.half_grid, shape.frame, shape.base, _SHOWN)
        # Picture, plate and confidence, 0..1; each frame writes the first, a new plate or confidence the rest.
        self._input = torch.ones(1, *shape.base, network.inputs)
        self._plate: _ToldPlate | None = None

    def __call__(self, rgb: ByteArray, plate: Tensor, confidence: Tensor | None) -> CoarseFrame:
        """Run the base network; see `CpuBase`."""
        told = self._tell_plate(plate, confidence)
        small = downscale(rgb, self._shape.base)
        torch.mul(torch.from_numpy(small), 1 / 255, out=self._input[0, :, :, :3])
        maps, columns = self._run(small, told)
        return CoarseFrame(maps.visible.float(), columns, told.full, partial(self._find_windows, maps))

    def _run(self, small: ByteArray, told: _ToldPlate) -> tuple[BaseMaps, Span]:
        """Run the engine where the picture `small` is not certainly room; return its maps, else zeros, and where."""
        trust = None if told.confidence is None else self._input[0, :, :, _TRUST].numpy()
        columns = find_columns(small, told.small, trust)
        height, width = self._shape.base
        if columns[0] == columns[1]:
            return BaseMaps(torch.zeros(height, width, VISIBLE), torch.zeros(height // 2, width // 2, HIDDEN)), columns
        columns, engine = self._widths.find(columns)
        where = slice(*columns)
        maps = engine(self._input[:, :, where].contiguous().permute(0, 3, 1, 2))
        if columns == (0, width):
            return maps, columns
        visible, hidden = torch.zeros(height, width, VISIBLE), torch.zeros(height // 2, width // 2, HIDDEN)
        visible[:, where], hidden[:, slice(columns[0] // 2, columns[1] // 2)] = maps
        return BaseMaps(visible, hidden), columns

    def _find_windows(self, maps: BaseMaps, tiles: Tiles) -> CoarseWindows:
        """Return the windows of `maps` and of the confidence in `tiles`."""
        shown = maps.visible.float().numpy().copy()
        np.clip(shown[..., 0], 0, 1, out=shown[..., 0])
        shown[..., _SHOWN - 1] = self._input[0, :, :, _TRUST].numpy()  # in the place of the predicted error
        for half, values in ((self._hidden, maps.features.float().contiguous().numpy()), (self._shown, shown)):
            half.write(values, tiles.row, tiles.column)
        return self._cut

    def _cut(self, row: Tensor, column: Tensor) -> tuple[Tensor, ...]:
        return self._hidden.windows(row, column), self._shown.windows(row, column)

    def _tell_plate(self, plate: Tensor, confidence: Tensor | None) -> _ToldPlate:
        """Write plate and confidence into the input, unless they are there."""
        told = self._plate
        if told is None or told.source is not plate or not _are_equal(told.confidence, confidence):
            rgb = pixels.array(plate)
            small = told.small if told is not None and told.source is plate else downscale(rgb, self._shape.base)
            self._write(small, confidence)
            full = None if self.refiner is None else self.refiner.pad(_hide_unknown(rgb, confidence))
            self._plate = told = _ToldPlate(plate, small, None if confidence is None else confidence.clone(), full)
        return told

    def _write(self, small: ByteArray, confidence: Tensor | None) -> None:
        """Write the small plate and `confidence` into the input."""
        torch.mul(torch.from_numpy(small), 1 / 255, out=self._input[0, :, :, _PLATE])
        trust = self._input[0, :, :, _TRUST]
        if confidence is None:
            trust.fill_(1)
            return
        trust.copy_(torch.from_numpy(_enlarge(confidence, self._shape.base)))
        self._input[0, :, :, _PLATE][trust <= KNOWN] = UNKNOWN_COLOR


def _enlarge(confidence: Tensor, size: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Resize (1,1,rows,columns) bilinearly to `size` (height, width)."""
    return np.asarray(cv2.resize(confidence[0, 0].float().numpy(), size[::-1]), np.float32)


def _hide_unknown(rgb: ByteArray, confidence: Tensor | None) -> ByteArray:
    """Return the plate (H,W,3) in gray where `confidence` says that nothing is known."""
    if confidence is None or not bool((confidence <= KNOWN).any()):
        return rgb
    known = np.asarray(_enlarge(confidence, rgb.shape[:2]) > KNOWN)
    return np.where(known[..., None], rgb, np.uint8(round(255 * UNKNOWN_COLOR)))


def _are_equal(first: Tensor | None, second: Tensor | None) -> bool:
    if first is None or second is None:
        return first is second
    return torch.equal(first, second)
