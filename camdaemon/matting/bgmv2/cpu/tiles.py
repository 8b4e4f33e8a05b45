"""The refiner (Lin et al. 2021 §3.3) over tiles of 4×4 patches instead of patch by patch: for CPUs, frame by frame.

A single patch needs windows of 8×8 at half and at full resolution; its neighbors compute four fifths of them again.
Chosen patches lie along contours, so a tile that holds one holds some seven. With 14×14 and 20×20 pixels for all 16 of
its patches a tile takes half the operations, and convolutions run best on windows of that size. At full resolution
they run over blocks of 2×2 pixels (`polyphase`). The results are the published ones: only chosen patches are kept.
"""

from __future__ import annotations

from copy import deepcopy
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from camdaemon.frames import pixels
from camdaemon.matting.bgmv2.cpu.tile_windows import (
    Levels,
    UpsamplingAxis,
    WindowGrid,
    build_upsampling_axis,
    pad_to_multiple,
)
from camdaemon.matting.bgmv2.engines.packed import concat_channels
from camdaemon.matting.bgmv2.engines.polyphase import to_polyphase
from camdaemon.model import SIDE, Refiner

_PATCHES = 4  # along a tile
_PIXELS = _PATCHES * SIDE  # along a tile
_TILES_AT_ONCE = 512  # so that refining a whole 4K frame does not take gigabytes

ByteArray = NDArray[np.uint8]


class Tiles(NamedTuple):
    """The tiles that hold chosen patches.

    Attributes:
        patches: bool (rows,columns,4,4), the chosen patches of every tile of the frame.
        row: int64 (T,), of the tiles that hold any.
        column: int64 (T,), of the tiles that hold any.
    """

    patches: Tensor
    row: Tensor
    column: Tensor


class CoarseWindows(Protocol):
    """The coarse maps of a frame at half its resolution, window by window. Zero outside the picture."""

    def __call__(self, row: Tensor, column: Tensor) -> tuple[Tensor, ...]:
        """Return the windows of the tiles at `row`, `column`, int64 (T,) each.

        Returns:
            (T,14,14,·) each (8×8 with kernel 1), together: hidden features, alpha, residual, and the plate's confidence
            for a refiner that is told.
        """


class TileInputs(NamedTuple):
    """What the refiner is shown of some tiles, which need neither the pictures nor the coarse maps any longer.

    Attributes:
        tiles: All of them.
        refined: (·,8,8,16) each, the results of those that were refined at once, because there are very many.
        half: (T,14,14,·), the rest at half resolution: coarse maps, picture, plate.
        full: (T,10,10,2,3) each, 0..255, the same at full resolution: picture and plate, from `_cut_blocks`.
    """

    tiles: Tiles
    refined: list[Tensor]
    half: Tensor
    full: list[Tensor]


class RefinedPatches(NamedTuple):
    """The refiner's result.

    Attributes:
        values: float32 (N,4,4,4): rows and columns of a patch's pixels, alpha and residual.
        row: int64 (N,), in patches.
        column: int64 (N,), in patches.
    """

    values: Tensor
    row: NDArray[np.int64]
    column: NDArray[np.int64]


class TiledRefiner:
    """Runs a refiner on frames of one size. Nothing passes from call to call, so any thread may call it at any time.

    Args:
        refiner: In evaluation mode, batch norms folded; copied.
        dtype: Of the convolutions.
        frame: Height and width of the frame, in pixels.
    """

    def __init__(self, refiner: Refiner, dtype: torch.dtype, frame: tuple[int, int]) -> None:
        layers = (
            deepcopy(refiner.conv1),
            deepcopy(refiner.conv2),
            to_polyphase(refiner.conv3, refiner.conv2.out_channels, (3, 3)),
            to_polyphase(refiner.conv4, 0, (1,) * refiner.conv3.out_channels),
        )
        # Pictures are given as integers; their scale is folded into the weights.
        layers[0].weight[:, -6:].mul_(1 / 1020)
        layers[2].weight[:, -24:].mul_(1 / 255)
        self._conv1, self._conv2, self._conv3, self._conv4 = (
            each.to(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            for each in layers
        )
        self._half_margin, full_margin = (3, 2) if refiner.kernel_size == 3 else (0, 0)
        self._frame, self._dtype = frame, dtype
        self._count = -(-frame[0] // _PIXELS), -(-frame[1] // _PIXELS)
        margin = 2 * self._half_margin
        self._grid, self._crop = WindowGrid(self._count, _PIXELS, margin), margin - full_margin
        self.half_grid = WindowGrid(self._count, _PIXELS // 2, self._half_margin)

    def build_axes(self, small: tuple[int, int]) -> tuple[UpsamplingAxis, UpsamplingAxis]:
        """Build the interpolation of the tiles' windows at half the frame's resolution, for `CoarseWindows`.

        Args:
            small: Height and width of a coarse map, in pixels.

        Returns:
            For rows and columns.
        """
        sides = zip(self._count, self._frame, small, strict=True)
        rows, columns = (
            build_upsampling_axis(count, _PIXELS // 2, self._half_margin, side // 2, length, self._dtype)
            for count, side, length in sides
        )
        return rows, columns

    def pad(self, rgb: Levels) -> Levels:
        """Pad a picture of the frame's size, (H,W,3), for `__call__`."""
        return self._grid.pad(rgb)

    def cut_padding(self, padded: ByteArray) -> ByteArray:
        """Return the view of the picture within what `pad` returned."""
        return self._grid.cut_margin(padded, self._frame)

    def select_tiles(self, chosen: Tensor) -> Tiles:
        """Return the tiles that hold the chosen patches, bool (H/4,W/4)."""
        rows, columns = self._count
        mask = torch.zeros(rows * _PATCHES, columns * _PATCHES, dtype=torch.bool)
        mask[: chosen.shape[0], : chosen.shape[1]] = chosen
        patches = mask.view(rows, _PATCHES, columns, _PATCHES).transpose(1, 2)
        return Tiles(patches, *patches.flatten(2).any(2).nonzero().unbind(1))

    def gather(self, tiles: Tiles, coarse: CoarseWindows, src: Levels, bgr: Levels) -> TileInputs | None:
        """Copy what the refiner is shown of `tiles`; return None if there are none.

        Args:
            tiles: The tiles to work on.
            coarse: The coarse maps.
            src: The picture, from `pad`.
            bgr: The plate, from `pad`.
        """
        if not len(tiles.row):
            return None
        places = pad_to_multiple(tiles.row, tiles.column)
        *most, last = zip(*(each.split(_TILES_AT_ONCE) for each in places), strict=True)
        refined = [self._refine(*self._cut(coarse, src, bgr, *each)) for each in most]
        return TileInputs(tiles, refined, *self._cut(coarse, src, bgr, *last))

    def __call__(self, given: TileInputs) -> RefinedPatches:
        """Refine the chosen patches of what was gathered."""
        patches, row, column = given.tiles
        found = torch.cat([*given.refined, self._refine(given.half, given.full)])
        tile, down, right = patches[row, column].nonzero().unbind(1)
        # A patch is two pieces of two blocks of 2×2 pixels each.
        first = ((tile * _PATCHES + down) * 2 * _PATCHES + right)[:, None] + torch.tensor([0, _PATCHES])
        pieces = found.reshape(-1, 2 * 16).index_select(0, first.flatten()).float()
        values = pieces.view(-1, 2, 2, 4, 2, 2).permute(0, 1, 4, 2, 5, 3).reshape(-1, SIDE, SIDE, 4)
        place = row[tile] * _PATCHES + down, column[tile] * _PATCHES + right
        return RefinedPatches(values, *(each.numpy() for each in place))

    def _cut(
        self, coarse: CoarseWindows, src: Levels, bgr: Levels, row: Tensor, column: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """Return what the tiles at `row`, `column` show at half and at full resolution; see `TileInputs`."""
        pictures = [self._grid.windows(each, row, column) for each in (src, bgr)]
        half = concat_channels(self._dtype, *coarse(row, column), *(_halve(each) for each in pictures))
        return half, [part for each in pictures for part in self._cut_blocks(each)]

    def _refine(self, half: Tensor, full: list[Tensor]) -> Tensor:
        """Return alpha and residual of tiles, as blocks of 2×2 pixels, (T,8,8,16)."""
        x = F.relu_(self._conv2(F.relu_(self._conv1(_channels_first(half)))))
        x = concat_channels(self._dtype, _channels_last(x), *full)
        return _channels_last(self._conv4(F.relu_(self._conv3(_channels_first(x)))))

    def _cut_blocks(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Crop (T,28,28,3) to what the refiner sees at full resolution, as blocks of 2×2 pixels.

        Returns:
            The blocks' upper and lower pixels, (T,10,10,2,3) each: copying them separately takes half the time.
        """
        inner = slice(self._crop, picture.shape[1] - self._crop)
        blocks: Tensor = picture[:, inner, inner].unflatten(2, (-1, 2)).unflatten(1, (-1, 2))
        return blocks.unbind(2)


def _halve(windows: Tensor) -> Tensor:
    """Sum 2×2 pixels: uint8 (T,2h,2w,3) to int16 (T,h,w,3), 0..1020; floats stay floats."""
    count, height, width, _ = windows.shape
    half = pixels.sum_2x2(windows.numpy().reshape(count * height, width, 3))  # one window below the other
    signed = half if half.dtype == np.float32 else half.view(np.int16)  # torch computes with few unsigned integers
    return torch.from_numpy(signed).view(count, height // 2, width // 2, 3)


def _channels_first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def _channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)
