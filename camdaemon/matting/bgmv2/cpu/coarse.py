"""The first half of a frame: the base network; after a light one also what the refiner is shown of it.

It leaves nothing behind that the second half, or another frame, would read: the two halves of two frames may run at the
same time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from camdaemon.frames import pixels
from camdaemon.linux.heap import release_free_memory
from camdaemon.matting.bgmv2.cpu.base import CoarseFrame, CpuBase, NetworkShape
from camdaemon.matting.bgmv2.cpu.parts import Span
from camdaemon.matting.bgmv2.cpu.tile_windows import ByteArray, Levels, is_finite
from camdaemon.matting.bgmv2.cpu.tiles import Mask, TileInputs
from camdaemon.matting.bgmv2.cpu.told_plate import are_equal
from camdaemon.matting.bgmv2.engines.engine import Floats
from camdaemon.model.layout import SIDE, Selection

# Refining patches with a lower predicted error has no visible effect (on two clips: 0.1 of 255 at the 99.9th
# percentile), yet nearly half of the tiles hold no others.
LEAST_ERROR = 1 / 64


@dataclass(frozen=True, slots=True)
class FrameInput:
    """All that the matte of a frame depends on; see `CpuNetwork.__call__`."""

    src: ByteArray
    plate: Levels
    confidence: Floats | None
    selection: Selection

    def is_same_as(self, other: FrameInput) -> bool:
        """Return whether both are of the very same pictures, and what else they say is equal."""
        same_pictures = self.src is other.src and self.plate is other.plate
        return same_pictures and self.selection == other.selection and are_equal(self.confidence, other.confidence)


@dataclass(frozen=True, slots=True)
class CoarseMatte:
    """The result of the first half.

    Attributes:
        visible: (h,w,5): alpha, residual, predicted error; unbounded.
        columns: From which to which pixel of the frame's width the network ran; what is beside them is room.
        gather: Returns what the refiner is to work on, None for nothing. Called once, in the second half, and only if
            all is finite. It copies it then, unless the first half, having had time, already has.
        is_finite: Whether all of `visible` is.
    """

    visible: Floats
    columns: Span
    gather: Callable[[], TileInputs | None]
    is_finite: bool


class CoarseStep:
    """Runs the first half for frames of one shape. Called by one thread at a time.

    Args:
        base: Nobody else calls it.
        shape: Sizes of the frames and of the base input.
        least_error: Patches with a lower predicted error are not refined.
    """

    def __init__(self, base: CpuBase, shape: NetworkShape, least_error: float = LEAST_ERROR) -> None:
        self._base, self._shape, self._least_error = base, shape, least_error

    def release(self) -> None:
        """Give memory back, to the system too; see `CpuBase`. Takes some milliseconds."""
        self._base.release()
        release_free_memory()

    def __call__(self, given: FrameInput) -> CoarseMatte:
        """Return the coarse matte of a frame."""
        rgb = pixels.interleave(given.src)
        found = self._base(rgb, given.plate, given.confidence)
        finite = is_finite(found.visible)
        gather: Callable[[], TileInputs | None] = partial(self._gather, rgb, found, given.selection)
        if finite and not self._base.is_heavy:
            gathered = gather()
            gather = lambda: gathered  # noqa: E731
        return CoarseMatte(found.visible, self._to_pixels(found.columns, 1), gather, finite)

    def _gather(self, rgb: ByteArray, found: CoarseFrame, selection: Selection) -> TileInputs | None:
        """Choose the patches to refine of the picture `rgb` and copy what the refiner is shown of them."""
        refiner = self._base.refiner
        if refiner is None or found.bgr is None:
            return None
        tiles = refiner.select_tiles(self._choose_patches(found.visible[..., 4], found.columns, selection))
        windows = found.find_windows(tiles)
        return refiner.gather(tiles, windows, refiner.pad(rgb), found.bgr, copy=not self._base.is_heavy)

    def _to_pixels(self, columns: Span, side: int) -> Span:
        """Return which columns, of patches of `side` pixels of the frame, lie wholly within columns of the base."""
        width, small = self._shape.frame[1], self._shape.base[1] * side
        return -(-columns[0] * width // small), columns[1] * width // small

    def _choose_patches(self, predicted: Floats, where: Span, selection: Selection) -> Mask:
        """Choose the patches to refine, (H/4,W/4), by the `predicted` error (h,w), in the columns `where`."""
        rows, columns = (side // SIDE for side in self._shape.frame)
        left, right = self._to_pixels(where, SIDE)
        if selection.mode == "full":
            everywhere = np.zeros((rows, columns), bool)
            everywhere[:, left:right] = True
            return everywhere
        error = np.asarray(cv2.resize(np.clip(predicted, 0, 1), (columns, rows)), np.float32)
        error[:, :left] = 0
        error[:, right:] = 0
        if selection.mode == "thresholding":
            return error > max(selection.threshold, self._least_error)
        likely = error > self._least_error
        count = max(0, selection.pixels // SIDE**2)
        if np.count_nonzero(likely) <= count:
            return likely
        flat = error.reshape(-1)
        at = np.flatnonzero(likely)
        best = np.argpartition(-flat[at], count)[:count]
        chosen = np.zeros(rows * columns, bool)
        chosen[at[best]] = True
        return chosen.reshape(rows, columns)
