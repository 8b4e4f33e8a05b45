"""A network on a CPU, bytes in and bytes out, without full frames of floats. The mattes are those of `MattingNetwork`.

    bytes → small bytes → base engine → visible maps → alpha and residual upsampled, refined patches pasted in → bytes
                                      ↘ features for the tiles that hold chosen patches → refined patches ↗

Only single maps and tiles are ever floats. What depends on the plate alone is cached until the plate changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.frames import pixels
from camdaemon.matting.bgmv2.cpu.ahead import CoarseAhead
from camdaemon.matting.bgmv2.cpu.base import CpuBase, NetworkShape
from camdaemon.matting.bgmv2.cpu.coarse import LEAST_ERROR, CoarseMatte, CoarseStep, FrameInput
from camdaemon.matting.bgmv2.cpu.parts import Part, PartialResize, find_span, join_spans
from camdaemon.matting.bgmv2.cpu.published import PublishedBase
from camdaemon.matting.bgmv2.cpu.slim import SlimBase
from camdaemon.matting.bgmv2.cpu.tile_windows import ByteArray, Levels, is_finite
from camdaemon.matting.bgmv2.cpu.tiles import RefinedPatches
from camdaemon.matting.bgmv2.engines.engine import BaseEngine, Floats
from camdaemon.matting.bgmv2.engines.factory import EngineFactory
from camdaemon.model.layout import SIDE, Selection

_SUBSTEPS = 64  # steps per level of alpha, so that upsampling does not round twice

ShortArray = NDArray[np.int16]


class CpuNetwork:
    """A network on the CPU for frames of one shape. Used by the worker thread only.

    Args:
        engines: Builds the engines of the network.
        shape: Sizes of the frames and of the base input.
        exact: Whether every run gives the same mattes, within a level of 255 of those in floats. It is slower: the
            slim network's engines are built when they are needed instead of in the background; the published one's
            pictures are not rounded on the way, and its plates may be floats.
        frames_ahead: How many frames after the present one may be prepared at the same time; each takes the memory of
            a base network.

    Raises:
        RuntimeError: No engine runs the network.
    """

    def __init__(
        self,
        engines: EngineFactory,
        shape: NetworkShape,
        *,
        exact: bool = False,
        frames_ahead: int = 1,
    ) -> None:
        self.shape = shape
        self._base, *others = (_make_base(engines, shape, exact=exact) for _ in range(frames_ahead))
        least_error = 0.0 if exact and self._base.is_heavy else LEAST_ERROR
        self._coarse = CoarseAhead(*(CoarseStep(base, shape, least_error) for base in (self._base, *others)))
        self._refiner = self._base.refiner
        self._resize = PartialResize(shape.base, shape.frame)
        self._scratch: tuple[ShortArray, ShortArray] | None = None  # of each frame, only the part that it wrote is read

    @property
    def engine(self) -> BaseEngine:
        """What runs the base network."""
        return self._base.engine

    @property
    def is_settled(self) -> bool:
        """Whether nothing is being built for it, which would slow frames down."""
        return self._base.is_settled

    def prepared_cost(self, seconds: float) -> float:
        """Return what the last frame, of `seconds`, would have cost if it had been prepared in time.

        Both halves then run at the same time.
        """
        return max(self._coarse.took_s, seconds - self._coarse.waited_s)

    def release(self) -> None:
        """Give back memory that its next frame allocates again: other networks run for now. Returns at once."""
        self._scratch = None
        self._coarse.release()

    def prepare(self, src: ByteArray, plate: Levels, confidence: Floats | None, selection: Selection) -> None:
        """Begin with a frame that comes next, in another thread; see `__call__`."""
        self._coarse.begin(FrameInput(src, plate, confidence, selection))

    def __call__(
        self,
        src: ByteArray,
        plate: Levels,
        confidence: Floats | None,
        selection: Selection,
        halfway: Callable[[], None] | None = None,
    ) -> tuple[ByteArray, ByteArray, bool]:
        """Matte one frame.

        Args:
            src: uint8 (1,3,H,W), RGB, of the shape's frame.
            plate: The same of the empty room; for an exact network, it may be float32, 0..255.
            confidence: See `Matting`.
            selection: Which patches to refine.
            halfway: Called when the coarse matte is there; see `Matting`.

        Returns:
            Alpha (1,1,H,W) and foreground (1,3,H,W), both uint8, and whether all values were finite.
        """
        if src.shape != plate.shape:
            raise ValueError(f"picture {tuple(src.shape)} and plate {tuple(plate.shape)} must be of one shape")
        coarse = self._coarse(FrameInput(src, plate, confidence, selection))
        if halfway is not None:
            halfway()
        if not coarse.is_finite:
            return _empty_result(src)
        patches = None
        if self._refiner is not None and (chosen := coarse.gather()) is not None:
            patches = self._refiner(chosen)
            if not is_finite(patches.values):
                return _empty_result(src)
        alpha, foreground = self._finish(pixels.interleave(src), coarse, patches)
        return pixels.as_planes(alpha), pixels.as_planes(foreground), True

    def _finish(
        self, rgb: ByteArray, coarse: CoarseMatte, patches: RefinedPatches | None
    ) -> tuple[ByteArray, ByteArray]:
        """Return alpha (H,W) and foreground (H,W,3) of a frame.

        Alpha is 0 and the foreground is the frame beyond the rectangle in which any alpha rounds to more than 0.
        """
        maps = _to_fixed_point(coarse.visible)
        part = self._find_part(maps[0], patches)
        if self._scratch is None:
            self._scratch = np.empty(self.shape.frame, np.int16), np.empty((*self.shape.frame, 3), np.int16)
        pha, res = self._scratch
        for small, large in zip(maps, (pha, res), strict=True):
            self._resize.resize(small, part, large)
        if patches is not None:
            _paste_patches(patches, pha, res)
        alpha, foreground = np.zeros(self.shape.frame, np.uint8), rgb.copy()
        place = alpha[part.large]
        if place.size:
            cv2.convertScaleAbs(pha[part.large], dst=place, alpha=1 / _SUBSTEPS)
            cv2.add(rgb[part.large], res[part.large], dst=foreground[part.large], dtype=cv2.CV_8U)
            alpha[:, : coarse.columns[0]] = 0
            alpha[:, coarse.columns[1] :] = 0
        return alpha, foreground

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
        if patches is not None:
            rows = join_spans(rows, (SIDE * int(patches.row.min()), SIDE * int(patches.row.max() + 1)))
            columns = join_spans(columns, (SIDE * int(patches.column.min()), SIDE * int(patches.column.max() + 1)))
        return self._resize.find_part(rows, columns)


def _make_base(engines: EngineFactory, shape: NetworkShape, *, exact: bool) -> CpuBase:
    if engines.layout.doubts:
        return SlimBase(engines, shape, steady=exact)
    return PublishedBase(engines, shape, exact=exact)


def _paste_patches(patches: RefinedPatches, pha: ShortArray, res: ShortArray) -> None:
    """Write the refined patches into the full maps, in place."""
    height, width = pha.shape
    for fine, whole in zip(_to_fixed_point(patches.values.reshape(-1, SIDE, 4)), (pha, res), strict=True):
        line = np.dtype((np.void, SIDE * whole[0, :1].nbytes))  # of a patch, copied at once
        lines = whole.reshape(height, -1).view(line).reshape(height // SIDE, SIDE, width // SIDE)
        lines[patches.row, :, patches.column] = fine.reshape(-1, SIDE, fine[0].size).view(line)[..., 0]


def _to_fixed_point(values: Floats) -> tuple[ShortArray, ShortArray]:
    """Convert `values` (h,w,C), which begin with alpha and residual, to integers: half the memory traffic of floats.

    Returns:
        Alpha (h,w), clamped to 0..1, in steps of 1/(255·_SUBSTEPS), and residual (h,w,3) in steps of 1/255.
    """
    pha, res = np.empty(values.shape[:2], np.float32), np.empty((*values.shape[:2], 3), np.float32)
    cv2.mixChannels([values], [pha, res], [0, 0, 1, 1, 2, 2, 3, 3])  # contiguous, they take half of the time
    return _round(pha, 0, 255 * _SUBSTEPS), _round(res, -1, 255)


def _round(values: Floats, least: float, scale: float) -> ShortArray:
    """Clamp `values` to `least`..1, in place, and return them scaled to integers."""
    np.clip(values, least, 1, out=values)
    values *= np.float32(scale)
    return np.asarray(np.rint(values, out=values), np.int16)


def _empty_result(src: ByteArray) -> tuple[ByteArray, ByteArray, bool]:
    """Return the result for a frame whose maps are not finite."""
    return np.zeros_like(src[:, :1]), np.zeros_like(src), False
