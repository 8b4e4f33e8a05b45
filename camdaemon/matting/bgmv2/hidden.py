"""The base network's hidden features (Lin et al. 2021 §3.2), only where the refiner will look.

They are 32 of the 37 maps of the decoder's last convolution, which is a third of the base network's operations, and
the refiner looks at them along contours alone. So they are computed for blocks of the base input, after the network has
said where it may be wrong. The results are the published ones.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camdaemon.matting.bgmv2.polyphase import phased
from camdaemon.matting.bgmv2.tile_windows import (
    Cut,
    Whole,
    concat_channels,
    enlarged,
    interpolated,
    pad_to_multiple,
    places,
)
from camdaemon.model import HIDDEN, VISIBLE, BackgroundMattingV2, Decoder, resized_beside

BLOCK = 8  # pixels of the base input along a block
_SHOWN = HIDDEN + 4  # hidden features, alpha, residual
_AT_ONCE = 1024  # blocks, so that a frame refined everywhere does not take gigabytes


class Maps(NamedTuple):
    """What the base network found, pixel by pixel, floats held to no range.

    visible: (h,w,5), alpha, residual, predicted error.   features: (⌈h/2⌉,⌈w/2⌉,48), of which, with the base input,
    the decoder's last convolution makes these and the hidden features.
    """

    visible: Tensor
    features: Tensor


class DenseBase(nn.Module):
    """What of `network`'s base is computed everywhere, as a module for what traces modules.

    network: in evaluation mode, batch norms folded; its weights are shared, but for those of the last convolution.
    even: for base inputs of even sides, whose features need not be enlarged for the last convolution (`phases`).
    """

    def __init__(self, network: BackgroundMattingV2, *, even: bool) -> None:
        super().__init__()
        self.backbone, self.aspp, self.decoder = network.backbone, network.aspp, network.decoder
        self.last = network.decoder.some_of_last(slice(VISIBLE), padding=1)
        self.inner = phased(self.last, self.last.in_channels - 6, (1,) * 6, "bilinear") if even else None

    def forward(self, pair: Tensor) -> tuple[Tensor, Tensor]:
        """(B,6,h,w), 0..1 → as `Maps` have them, but (B,·,·,·) and channels first."""
        x, skips = self.backbone(pair)
        features = self.decoder.to_half(self.aspp(x), skips)
        return self._last(features, pair) if self.inner is None else self._by_phases(
            self.inner, features, pair
        ), features

    def _last(self, features: Tensor, pair: Tensor) -> Tensor:
        y: Tensor = self.last(resized_beside(features, pair))
        return y

    def _by_phases(self, inner: nn.Conv2d, features: Tensor, pair: Tensor) -> Tensor:
        """The same; the border, where an enlarged map is not what `phased` takes it for, is computed by itself."""
        y = F.pixel_shuffle(inner(torch.cat([features, F.pixel_unshuffle(pair, 2)], 1)), 2)
        top = self._last(features[:, :, :2], pair[:, :, :4])[:, :, :2]
        bottom = self._last(features[:, :, -2:], pair[:, :, -4:])[:, :, -2:]
        left = self._last(features[..., :2], pair[..., :4])[..., :2]
        right = self._last(features[..., -2:], pair[..., -4:])[..., -2:]
        y = torch.cat([top, y[:, :, 2:-2], bottom], 2)
        return torch.cat([left, y[..., 2:-2], right], 3)


def is_even(size: tuple[int, int]) -> bool:
    """Of a base input, for `Everywhere`; smaller ones than its borders are not."""
    return min(size) >= 4 and not (size[0] % 2 or size[1] % 2)


class SparseFeatures(NamedTuple):
    """What the refiner is shown of the coarse maps, where it is known.

    values: (n,36), of one pixel each: hidden features, alpha, residual, the first two held to their ranges.
    place: int64 (h,w), the row of each pixel of the base input. What was not computed has rows of NaN: no mistake about
    what is needed can pass for a matte.
    """

    values: Tensor
    place: Tensor


class HiddenFeatures:
    """Those of `decoder` for base inputs of `base` (height, width) pixels; the worker thread's.

    decoder: batch norms folded; its weights are copied.   dtype: what is computed in, and that of the result.
    """

    def __init__(self, decoder: Decoder, dtype: torch.dtype, base: tuple[int, int]) -> None:
        self._conv = decoder.some_of_last(slice(VISIBLE, None), padding=0).to(dtype)
        self._conv.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._conv.weight[:, -6:].mul_(1 / 255)  # pictures are given as bytes
        self._base = base
        count = -(-base[0] // BLOCK), -(-base[1] // BLOCK)
        self._pictures = Cut(count, BLOCK, 1)
        self._axes = [
            enlarged(blocks, BLOCK, 1, side, -(-side // 2), dtype) for blocks, side in zip(count, base, strict=True)
        ]
        self._within = torch.arange(BLOCK)[:, None] * BLOCK + torch.arange(BLOCK)

    def padded(self, small: Whole) -> Whole:
        """A picture of the base input, bytes (h,w,3), as `__call__` wants it."""
        return self._pictures.padded(small)

    def __call__(self, maps: Maps, src: Whole, plate: Whole, needed: Tensor) -> SparseFeatures:
        """src, plate: `padded`.   needed: bool (⌈h/BLOCK⌉,⌈w/BLOCK⌉), the blocks to compute."""
        row, column = pad_to_multiple(*needed.nonzero().unbind(1))
        values = torch.full(((len(row) + 1) * BLOCK**2, _SHOWN), torch.nan, dtype=self._conv.weight.dtype)
        parts = [values[: -(BLOCK**2)].view(-1, BLOCK, BLOCK, _SHOWN).split(_AT_ONCE), row.split(_AT_ONCE)]
        for part, i, j in zip(*parts, column.split(_AT_ONCE), strict=True):
            part[..., :HIDDEN] = self._hidden(maps.features, (src, plate), i, j)
            part[..., HIDDEN:] = self._seen(maps.visible, i, j)
        first = torch.full(needed.shape, len(row) * BLOCK**2)
        first[row, column] = torch.arange(len(row)) * BLOCK**2
        place = first[:, None, :, None] + self._within[:, None]
        height, width = self._base
        return SparseFeatures(values, place.reshape(len(first) * BLOCK, -1)[:height, :width])

    def _hidden(self, features: Tensor, pictures: tuple[Whole, Whole], row: Tensor, column: Tensor) -> Tensor:
        """(N,BLOCK,BLOCK,32)."""
        rows, columns = self._axes
        height, width, channels = features.shape
        index = places(rows, columns, row, column, width)
        pieces = features.reshape(height * width, channels).index_select(0, index.flatten()).to(rows.weights.dtype)
        far = interpolated(rows, columns, row, column, pieces.view(*index.shape, channels))
        x = concat_channels(far, *(self._pictures.windows(each, row, column) for each in pictures))
        return F.relu_(self._conv(x.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)

    def _seen(self, visible: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """(N,BLOCK,BLOCK,4); what a block has beyond the picture repeats its last pixel, and nobody looks at it."""
        height, width = self._base
        y = (row[:, None] * BLOCK + torch.arange(BLOCK)).clamp_(max=height - 1)
        x = (column[:, None] * BLOCK + torch.arange(BLOCK)).clamp_(max=width - 1)
        index = y[:, :, None] * width + x[:, None, :]
        seen = visible.reshape(height * width, VISIBLE).index_select(0, index.flatten())[:, :4]
        seen[:, 0].clamp_(0, 1)
        return seen.view(*index.shape, 4)
