"""The network on a CPU, bytes in and bytes out: the published matte (Lin et al. 2021) without a full frame in floats.

    bytes → small bytes → base engine → visible maps → alpha and residual enlarged, the refined patches set in → bytes
                                      ↘ hidden features where tiles have chosen patches → refined patches ↗

Only single maps and tiles are ever floats. What depends on the plate alone is kept as long as the plate is the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camdaemon.frames import pixels
from camdaemon.matting.bgmv2.engines import BaseEngines
from camdaemon.matting.bgmv2.hidden import HiddenFeatures
from camdaemon.matting.bgmv2.tile_windows import Whole
from camdaemon.matting.bgmv2.tiles import Bytes, RefinedPatches, TiledRefiner
from camdaemon.model import SIDE, BackgroundMattingV2, Selection, choose

# Refining patches whose predicted error is lower changes nothing that can be seen (on two clips: 0.1 of 255 at the
# 99.9th percentile), yet nearly half of the tiles held no other.
_LEAST_ERROR = 1 / 64
_FINE = 64  # steps of a level of alpha, so that enlarging does not round twice

Shorts = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a frame's treatment fixes the shapes of its maps: frame and base input, (height, width) in pixels."""

    frame: tuple[int, int]
    base: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Plate:
    """What is needed of `source`. pair: float32 (1,h,w,6), 0..1, its second half the plate's; the first is written to
    with each frame.   small, full: it in either size as `HiddenFeatures` and `TiledRefiner` want it; full is None
    without a refiner.
    """

    source: Tensor
    pair: Tensor
    small: Whole
    full: Whole | None


class HostNetwork:
    """The network on the CPU for frames of one `shape`; the worker thread's.

    bases: makes what runs the base network of `network`.   network: batch norms folded.
    """

    def __init__(self, bases: BaseEngines, network: BackgroundMattingV2, shape: Shape) -> None:
        self.shape = shape
        self.engine = bases.at(shape.base)
        self._hidden = HiddenFeatures(network.decoder, self.engine.dtype, shape.base)
        refiner = network.refiner
        self._refiner = None if refiner is None else TiledRefiner(refiner, self.engine.dtype, shape.frame, shape.base)
        self._plate: _Plate | None = None

    def __call__(self, src: Tensor, plate: Tensor, selection: Selection) -> tuple[Tensor, Tensor, bool]:
        """src, plate: bytes (1,3,H,W) of the shape's frame → alpha (1,1,H,W), foreground (1,3,H,W), both bytes, and
        whether everything in them was finite.
        """
        if src.shape != plate.shape:
            raise ValueError(f"picture {tuple(src.shape)} and plate {tuple(plate.shape)} must be of one shape")
        rgb, still = pixels.array(src), self._of(plate)
        small = self._small(rgb)
        torch.mul(torch.from_numpy(small), 1 / 255, out=still.pair[0, :, :, :3])
        maps = self.engine(still.pair.permute(0, 3, 1, 2))
        visible = maps.visible.float()
        if not visible.sum().isfinite():
            return _nothing(src)
        alpha, residual = self._enlarged(visible)
        if self._refiner is not None and still.full is not None:
            tiles = self._refiner.tiles(self._chosen(visible[..., 4], selection))
            shown = self._hidden(maps, self._hidden.padded(small), still.small, self._refiner.needed(tiles))
            fine = self._refiner(tiles, shown, self._refiner.padded(rgb), still.full)
            if not fine.values.sum().isfinite():
                return _nothing(src)
            _paste(fine, alpha, residual)
        solid = cv2.convertScaleAbs(alpha, alpha=1 / _FINE)
        colours = cv2.add(rgb, residual, dtype=cv2.CV_8U)
        return pixels.tensor(np.asarray(solid, np.uint8)), pixels.tensor(np.asarray(colours, np.uint8)), True

    def _of(self, plate: Tensor) -> _Plate:
        """What is needed of `plate`, made again only when it is another tensor."""
        if self._plate is None or self._plate.source is not plate:
            rgb = pixels.array(plate)
            full = None if self._refiner is None else self._refiner.padded(rgb)
            small = self._small(rgb)
            pair = torch.empty(1, *self.shape.base, 6)
            torch.mul(torch.from_numpy(small), 1 / 255, out=pair[0, :, :, 3:])
            self._plate = _Plate(plate, pair, self._hidden.padded(small), full)
        return self._plate

    def _small(self, rgb: Bytes) -> Bytes:
        height, width = self.shape.base
        return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)

    def _enlarged(self, visible: Tensor) -> tuple[Shorts, Shorts]:
        """From (h,w,5): alpha (H,W) and residual (H,W,3) of the frame's size, as `_fixed` has them."""
        height, width = self.shape.frame
        alpha, residual = (cv2.resize(part, (width, height)) for part in _fixed(visible[..., :4]))
        return np.asarray(alpha, np.int16), np.asarray(residual, np.int16)

    def _chosen(self, error: Tensor, selection: Selection) -> Tensor:
        """bool (H/4,W/4): which patches are refined.   error: the predicted one, (h,w)."""
        rows, columns = (side // SIDE for side in self.shape.frame)
        if selection.mode == "full":
            return torch.ones(rows, columns, dtype=torch.bool)
        error = torch.from_numpy(cv2.resize(error.clamp(0, 1).numpy(), (columns, rows)))
        likely = error > _LEAST_ERROR
        if selection.mode == "sampling" and int(likely.sum()) * SIDE**2 <= selection.pixels:
            return likely
        return choose((error * likely)[None, None], selection, fixed_count=False).chosen[0, 0]


def _paste(fine: RefinedPatches, alpha: Shorts, residual: Shorts) -> None:
    """Writes the patches into the full maps, in place."""
    height, width = alpha.shape
    tiles = (height // SIDE, SIDE, width // SIDE, SIDE)
    solid, colours = _fixed(fine.values)
    alpha.reshape(tiles)[fine.row, :, fine.column] = solid
    residual.reshape(*tiles, 3)[fine.row, :, fine.column] = colours


def _fixed(maps: Tensor) -> tuple[Shorts, Shorts]:
    """(…,4) → alpha (…), held to 0..1, in steps of 1/(255·_FINE), and residual (…,3) in steps of 1/255.

    Half of the memory's time that floats would take.
    """
    alpha, residual = maps[..., 0].clamp(0, 1) * (255 * _FINE), maps[..., 1:].clamp(-1, 1) * 255
    return alpha.round_().to(torch.int16).numpy(), residual.round_().to(torch.int16).numpy()


def _nothing(src: Tensor) -> tuple[Tensor, Tensor, bool]:
    """For a frame whose maps were not finite."""
    return torch.zeros_like(src[:, :1]), torch.zeros_like(src), False
