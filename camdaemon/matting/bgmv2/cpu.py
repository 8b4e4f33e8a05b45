"""The network on a CPU, bytes in and bytes out: the published matte (Lin et al. 2021) without full frames of floats.

    bytes → small bytes → base engine → visible maps → alpha and residual upsampled, refined patches pasted in → bytes
                                      ↘ hidden features where tiles hold chosen patches → refined patches ↗

Only single maps and tiles are ever floats. What depends on the plate alone is cached until the plate changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camdaemon.frames import pixels
from camdaemon.matting.bgmv2.engines import BaseEngineFactory
from camdaemon.matting.bgmv2.hidden import HiddenFeatures
from camdaemon.matting.bgmv2.tile_windows import IntArray
from camdaemon.matting.bgmv2.tiles import ByteArray, RefinedPatches, TiledRefiner
from camdaemon.model import SIDE, BackgroundMattingV2, MattingNetwork, Selection, choose_patches

# Refining patches with a lower predicted error has no visible effect (on two clips: 0.1 of 255 at the 99.9th
# percentile), yet nearly half of the tiles hold no others.
_LEAST_ERROR = 1 / 64
_SUBSTEPS = 64  # steps per level of alpha, so that upsampling does not round twice

ShortArray = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """The sizes that fix the shapes of all maps of a frame.

    Attributes:
        frame: Height and width of the frame, in pixels.
        base: Height and width of the base input, in pixels.
    """

    frame: tuple[int, int]
    base: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _PreparedPlate:
    """What the network needs of a plate.

    Attributes:
        source: The plate, to recognise it again.
        pair: float32 (1,h,w,6), 0..1; the second half is the plate, each frame writes the first.
        small: The plate at the base input's size, padded for `HiddenFeatures`.
        full: The plate padded for `TiledRefiner`; None without a refiner.
    """

    source: Tensor
    pair: Tensor
    small: IntArray
    full: IntArray | None


class CpuNetwork:
    """The network on the CPU for frames of one shape. Used by the worker thread only.

    Args:
        engines: Builds the engine that runs the base network of `network`.
        network: Batch norms folded.
        shape: Sizes of the frames and of the base input.

    Raises:
        RuntimeError: No engine runs the network.
    """

    def __init__(self, engines: BaseEngineFactory, network: MattingNetwork, shape: NetworkShape) -> None:
        assert isinstance(network, BackgroundMattingV2)
        self.shape = shape
        self.engine = engines.build(shape.base)
        self._hidden = HiddenFeatures(network.decoder, self.engine.dtype, shape.base)
        refiner = network.refiner
        self._refiner = None if refiner is None else TiledRefiner(refiner, self.engine.dtype, shape.frame, shape.base)
        self._plate: _PreparedPlate | None = None

    def __call__(
        self, src: Tensor, plate: Tensor, confidence: Tensor | None, selection: Selection
    ) -> tuple[Tensor, Tensor, bool]:
        """Matte one frame.

        Args:
            src: uint8 (1,3,H,W), RGB, of the shape's frame.
            plate: The same of the empty room.
            confidence: See `Matting`; ignored so far.
            selection: Which patches to refine.

        Returns:
            Alpha (1,1,H,W) and foreground (1,3,H,W), both uint8, and whether all values were finite.
        """
        if src.shape != plate.shape:
            raise ValueError(f"picture {tuple(src.shape)} and plate {tuple(plate.shape)} must be of one shape")
        rgb, bgr = pixels.array(src), self._prepare_plate(plate)
        small = self.downscale(rgb)
        torch.mul(torch.from_numpy(small), 1 / 255, out=bgr.pair[0, :, :, :3])
        maps = self.engine(bgr.pair.permute(0, 3, 1, 2))
        visible = maps.visible.float()
        if not visible.sum().isfinite():
            return _empty_result(src)
        pha, res = self._upsample(visible)
        if self._refiner is not None and bgr.full is not None:
            tiles = self._refiner.select_tiles(self._choose_patches(visible[..., 4], selection))
            blocks = self._refiner.find_needed_blocks(tiles)
            features = self._hidden(maps, self._hidden.pad(small), bgr.small, blocks)
            patches = self._refiner(tiles, features, self._refiner.pad(rgb), bgr.full)
            if not patches.values.sum().isfinite():
                return _empty_result(src)
            _paste_patches(patches, pha, res)
        alpha = cv2.convertScaleAbs(pha, alpha=1 / _SUBSTEPS)
        foreground = cv2.add(rgb, res, dtype=cv2.CV_8U)
        return pixels.tensor(np.asarray(alpha, np.uint8)), pixels.tensor(np.asarray(foreground, np.uint8)), True

    def _prepare_plate(self, plate: Tensor) -> _PreparedPlate:
        """Prepare `plate`, or return the cached result if it is the same tensor as before."""
        if self._plate is None or self._plate.source is not plate:
            rgb = pixels.array(plate)
            full = None if self._refiner is None else self._refiner.pad(rgb)
            small = self.downscale(rgb)
            pair = torch.empty(1, *self.shape.base, 6)
            torch.mul(torch.from_numpy(small), 1 / 255, out=pair[0, :, :, 3:])
            self._plate = _PreparedPlate(plate, pair, self._hidden.pad(small), full)
        return self._plate

    def downscale(self, rgb: ByteArray) -> ByteArray:
        """Resize (H,W,3) bilinearly to the base input's size."""
        height, width = self.shape.base
        return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)

    def _upsample(self, visible: Tensor) -> tuple[ShortArray, ShortArray]:
        """Upsample (h,w,5) to alpha (H,W) and residual (H,W,3), in the units of `_to_fixed_point`."""
        height, width = self.shape.frame
        pha, res = (cv2.resize(part, (width, height)) for part in _to_fixed_point(visible[..., :4]))
        return np.asarray(pha, np.int16), np.asarray(res, np.int16)

    def _choose_patches(self, error: Tensor, selection: Selection) -> Tensor:
        """Choose the patches to refine, bool (H/4,W/4), by the predicted error (h,w)."""
        rows, columns = (side // SIDE for side in self.shape.frame)
        if selection.mode == "full":
            return torch.ones(rows, columns, dtype=torch.bool)
        error = torch.from_numpy(cv2.resize(error.clamp(0, 1).numpy(), (columns, rows)))
        likely = error > _LEAST_ERROR
        if selection.mode == "sampling" and int(likely.sum()) * SIDE**2 <= selection.pixels:
            return likely
        return choose_patches((error * likely)[None, None], selection, fixed_count=False).chosen[0, 0]


def _paste_patches(patches: RefinedPatches, pha: ShortArray, res: ShortArray) -> None:
    """Write the refined patches into the full maps, in place."""
    height, width = pha.shape
    tiles = (height // SIDE, SIDE, width // SIDE, SIDE)
    fine_pha, fine_res = _to_fixed_point(patches.values)
    pha.reshape(tiles)[patches.row, :, patches.column] = fine_pha
    res.reshape(*tiles, 3)[patches.row, :, patches.column] = fine_res


def _to_fixed_point(maps: Tensor) -> tuple[ShortArray, ShortArray]:
    """Convert (…,4) to integers, which take half the memory traffic of floats.

    Returns:
        Alpha (…), clamped to 0..1, in steps of 1/(255·_SUBSTEPS), and residual (…,3) in steps of 1/255.
    """
    pha, res = maps[..., 0].clamp(0, 1) * (255 * _SUBSTEPS), maps[..., 1:].clamp(-1, 1) * 255
    return pha.round_().to(torch.int16).numpy(), res.round_().to(torch.int16).numpy()


def _empty_result(src: Tensor) -> tuple[Tensor, Tensor, bool]:
    """Return the result for a frame whose maps are not finite."""
    return torch.zeros_like(src[:, :1]), torch.zeros_like(src), False
