"""A network on a CPU, bytes in and bytes out, without full frames of floats. The mattes are those of `MattingNetwork`.

    bytes → small bytes → base engine → visible maps → alpha and residual upsampled, refined patches pasted in → bytes
                                      ↘ features for the tiles that hold chosen patches → refined patches ↗

Only single maps and tiles are ever floats. What depends on the plate alone is cached until the plate changes.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camdaemon.frames import pixels
from camdaemon.matting.bgmv2.cpu.ahead import BaseAhead
from camdaemon.matting.bgmv2.cpu.base import CoarseFrame, CpuBase, NetworkShape
from camdaemon.matting.bgmv2.cpu.parts import Part, PartialResize, Span, find_span, join_spans
from camdaemon.matting.bgmv2.cpu.published import PublishedBase
from camdaemon.matting.bgmv2.cpu.slim import SlimBase
from camdaemon.matting.bgmv2.cpu.tile_windows import Floats
from camdaemon.matting.bgmv2.cpu.tiles import ByteArray, RefinedPatches
from camdaemon.matting.bgmv2.engines.factory import BaseEngine, BaseEngineFactory
from camdaemon.model import SIDE, BackgroundMattingV2, MattingNetwork, Selection, SlimMatting

# Refining patches with a lower predicted error has no visible effect (on two clips: 0.1 of 255 at the 99.9th
# percentile), yet nearly half of the tiles hold no others.
_LEAST_ERROR = 1 / 64
_SUBSTEPS = 64  # steps per level of alpha, so that upsampling does not round twice

ShortArray = NDArray[np.int16]


class CpuNetwork:
    """A network on the CPU for frames of one shape. Used by the worker thread only.

    Args:
        engines: Builds the engine that runs the base network of `network`.
        network: Batch norms folded.
        shape: Sizes of the frames and of the base input.

    Raises:
        RuntimeError: No engine runs the network.
    """

    def __init__(self, engines: BaseEngineFactory, network: MattingNetwork, shape: NetworkShape) -> None:
        self.shape = shape
        self._base: CpuBase
        if isinstance(network, SlimMatting):
            self._base = SlimBase(engines, network, shape)
        else:
            assert isinstance(network, BackgroundMattingV2)
            self._base = PublishedBase(engines, network, shape)
        self._ahead = BaseAhead(self._base)
        self._refiner = self._base.refiner
        self._resize = PartialResize(shape.base, shape.frame)
        # Of each frame, only the part that it wrote is read.
        self._scratch = np.zeros(shape.frame, np.int16), np.zeros((*shape.frame, 3), np.int16)

    @property
    def engine(self) -> BaseEngine:
        """What runs the base network."""
        return self._base.engine

    def prepare(self, src: Tensor, plate: Tensor, confidence: Tensor | None) -> None:
        """Begin with a frame that comes next, in another thread; see `__call__`."""
        self._ahead.begin(src, plate, confidence)

    def __call__(
        self, src: Tensor, plate: Tensor, confidence: Tensor | None, selection: Selection
    ) -> tuple[Tensor, Tensor, bool]:
        """Matte one frame.

        Args:
            src: uint8 (1,3,H,W), RGB, of the shape's frame.
            plate: The same of the empty room.
            confidence: See `Matting`.
            selection: Which patches to refine.

        Returns:
            Alpha (1,1,H,W) and foreground (1,3,H,W), both uint8, and whether all values were finite.
        """
        if src.shape != plate.shape:
            raise ValueError(f"picture {tuple(src.shape)} and plate {tuple(plate.shape)} must be of one shape")
        rgb = pixels.array(src)
        coarse = self._ahead(src, plate, confidence)
        if not coarse.visible.sum().isfinite():
            return _empty_result(src)
        patches = None
        if self._refiner is not None and coarse.bgr is not None:
            tiles = self._refiner.select_tiles(self._choose_patches(coarse, selection))
            patches = self._refiner(tiles, coarse.find_windows(tiles), self._refiner.pad(rgb), coarse.bgr)
            if not patches.values.sum().isfinite():
                return _empty_result(src)
        alpha, foreground = self._finish(rgb, coarse, patches)
        return pixels.tensor(alpha), pixels.tensor(foreground), True

    def _finish(
        self, rgb: ByteArray, coarse: CoarseFrame, patches: RefinedPatches | None
    ) -> tuple[ByteArray, ByteArray]:
        """Return alpha (H,W) and foreground (H,W,3) of a frame.

        Alpha is 0 and the foreground is the frame beyond the rectangle in which any alpha rounds to more than 0.
        """
        maps = _to_fixed_point(coarse.visible[..., :4])
        part = self._find_part(maps[0], patches)
        pha, res = self._scratch
        for small, large in zip(maps, (pha, res), strict=True):
            self._resize.resize(small, part, large)
        if patches is not None and len(patches.row):
            _paste_patches(patches, pha, res)
        alpha, foreground = np.zeros(self.shape.frame, np.uint8), rgb.copy()
        place = alpha[part.large]
        if place.size:
            cv2.convertScaleAbs(pha[part.large], dst=place, alpha=1 / _SUBSTEPS)
            cv2.add(rgb[part.large], res[part.large], dst=foreground[part.large], dtype=cv2.CV_8U)
            left, right = self._to_pixels(coarse.columns, 1)
            alpha[:, :left] = 0
            alpha[:, right:] = 0
        return alpha, foreground

    def _to_pixels(self, columns: Span, side: int) -> Span:
        """Return which columns, of patches of `side` pixels of the frame, lie wholly within columns of the base."""
        width, small = self.shape.frame[1], self.shape.base[1] * side
        return -(-columns[0] * width // small), columns[1] * width // small

    def _find_part(self, pha: ShortArray, patches: RefinedPatches | None) -> Part:
        """Return the part of the frame that holds what is seen of `pha` (h,w), and all `patches`."""
        seen = pha > _SUBSTEPS // 2
        spans = [find_span(np.asarray(seen.any(axis))) for axis in (1, 0)]
        sides = zip(spans, self.shape.base, self.shape.frame, strict=True)
        rows, columns = (
            # A pixel is seen as far as its neighbors' centers.
            (math.floor((a - 0.5) * frame / base), math.ceil((b + 0.5) * frame / base)) if a < b else (0, 0)
            for (a, b), base, frame in sides
        )
        if patches is not None and len(patches.row):
            rows = join_spans(rows, (SIDE * int(patches.row.min()), SIDE * int(patches.row.max() + 1)))
            columns = join_spans(columns, (SIDE * int(patches.column.min()), SIDE * int(patches.column.max() + 1)))
        return self._resize.find_part(rows, columns)

    def _choose_patches(self, coarse: CoarseFrame, selection: Selection) -> Tensor:
        """Choose the patches to refine, bool (H/4,W/4), by the predicted error, where the network ran."""
        rows, columns = (side // SIDE for side in self.shape.frame)
        left, right = self._to_pixels(coarse.columns, SIDE)
        if selection.mode == "full":
            everywhere = torch.zeros(rows, columns, dtype=torch.bool)
            everywhere[:, left:right] = True
            return everywhere
        error = torch.from_numpy(cv2.resize(coarse.visible[..., 4].clamp(0, 1).numpy(), (columns, rows)))
        error[:, :left] = 0
        error[:, right:] = 0
        if selection.mode == "thresholding":
            return error > max(selection.threshold, _LEAST_ERROR)
        at = (error.flatten() > _LEAST_ERROR).nonzero().flatten()
        if len(at) > (count := max(0, selection.pixels // SIDE**2)):
            at = at[error.flatten()[at].topk(count, sorted=False).indices]
        chosen = torch.zeros(rows * columns, dtype=torch.bool)
        chosen[at] = True
        return chosen.view(rows, columns)


def _paste_patches(patches: RefinedPatches, pha: ShortArray, res: ShortArray) -> None:
    """Write the refined patches into the full maps, in place."""
    height, width = pha.shape
    for fine, whole in zip(_to_fixed_point(patches.values), (pha, res), strict=True):
        line = np.dtype((np.void, SIDE * whole[0, :1].nbytes))  # of a patch, copied at once
        lines = whole.reshape(height, -1).view(line).reshape(height // SIDE, SIDE, width // SIDE)
        lines[patches.row, :, patches.column] = fine.reshape(-1, SIDE, fine[0, 0].size).view(line)[..., 0]


def _to_fixed_point(maps: Tensor) -> tuple[ShortArray, ShortArray]:
    """Convert (…,4) to integers, which take half the memory traffic of floats.

    Returns:
        Alpha (…), clamped to 0..1, in steps of 1/(255·_SUBSTEPS), and residual (…,3) in steps of 1/255.
    """
    values = maps.numpy()  # torch would wake its threads for every step
    pha, res = np.clip(values[..., 0], 0, 1), np.clip(values[..., 1:], -1, 1)
    return _round(pha, 255 * _SUBSTEPS), _round(res, 255)


def _round(values: Floats, scale: float) -> ShortArray:
    return np.asarray(np.rint(values * np.float32(scale)), np.int16)


def _empty_result(src: Tensor) -> tuple[Tensor, Tensor, bool]:
    """Return the result for a frame whose maps are not finite."""
    return torch.zeros_like(src[:, :1]), torch.zeros_like(src), False
