"""The base network's hidden features (Lin et al. 2021 §3.2), computed only where the refiner needs them.

They are 32 of the 37 maps of the decoder's last convolution, which is a third of the base network's operations, and
the refiner needs them along contours only. So they are computed for blocks of the base input, after the predicted error
is known. The results are those of the published network.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camdaemon.matting.bgmv2.polyphase import to_polyphase
from camdaemon.matting.bgmv2.tile_windows import (
    IntArray,
    UpsamplingAxis,
    WindowGrid,
    build_upsampling_axis,
    concat_channels,
    index_pieces,
    interpolate_pieces,
    pad_to_multiple,
)
from camdaemon.model import (
    HIDDEN,
    VISIBLE,
    BackgroundMattingV2,
    Decoder,
    MattingNetwork,
    SlimMatting,
    resize_and_concat,
)

BLOCK = 8  # pixels of the base input along a block
_SPARSE = HIDDEN + 4  # maps for the refiner: hidden features, alpha, residual
_BLOCKS_AT_ONCE = 1024  # so that a frame that is refined everywhere does not take gigabytes


class BaseMaps(NamedTuple):
    """The base network's dense maps, channels last, float, unbounded.

    Attributes:
        visible: (h,w,5): alpha, residual, predicted error.
        features: (⌈h/2⌉,⌈w/2⌉,48): input of the decoder's last convolution, besides the base input. Of the
            slim network: (h/2,w/2,12), the hidden features themselves.
    """

    visible: Tensor
    features: Tensor


class DenseBase(nn.Module):
    """The part of the base network that is computed everywhere, as a module that can be traced.

    Args:
        network: In evaluation mode, batch norms folded. Its weights are shared, but for the last convolution's.
        even: For base inputs of even sides, whose features need no upsampling for the last convolution (`polyphase`).
    """

    def __init__(self, network: BackgroundMattingV2, *, even: bool) -> None:
        super().__init__()
        self.inputs = network.inputs
        self.backbone, self.aspp, self.decoder = network.backbone, network.aspp, network.decoder
        self.last = network.decoder.slice_last_conv(slice(VISIBLE), padding=1)
        self.inner = to_polyphase(self.last, self.last.in_channels - 6, (1,) * 6, "bilinear") if even else None

    def forward(self, pair: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the maps of `BaseMaps`, batched and channels first, of pairs (B,6,h,w), 0..1."""
        x, skips = self.backbone(pair)
        features = self.decoder.to_half(self.aspp(x), skips)
        if self.inner is None:
            return self._convolve_last(features, pair), features
        return self._convolve_last_polyphase(self.inner, features, pair), features

    def _convolve_last(self, features: Tensor, pair: Tensor) -> Tensor:
        y: Tensor = self.last(resize_and_concat(features, pair))
        return y

    def _convolve_last_polyphase(self, inner: nn.Conv2d, features: Tensor, pair: Tensor) -> Tensor:
        """Compute `_convolve_last`; the border, where `to_polyphase` is not exact, is computed separately."""
        y = F.pixel_shuffle(inner(torch.cat([features, F.pixel_unshuffle(pair, 2)], 1)), 2)
        top = self._convolve_last(features[:, :, :2], pair[:, :, :4])[:, :, :2]
        bottom = self._convolve_last(features[:, :, -2:], pair[:, :, -4:])[:, :, -2:]
        left = self._convolve_last(features[..., :2], pair[..., :4])[..., :2]
        right = self._convolve_last(features[..., -2:], pair[..., -4:])[..., -2:]
        y = torch.cat([top, y[:, :, 2:-2], bottom], 2)
        return torch.cat([left, y[..., 2:-2], right], 3)


class SlimDense(nn.Module):
    """The slim network's base as a module that can be traced; see `DenseBase`. Its weights are shared."""

    def __init__(self, network: SlimMatting) -> None:
        super().__init__()
        self.inputs = network.inputs
        self.backbone, self.context, self.decoder = network.backbone, network.context, network.decoder

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute visible maps (B,5,h,w) and hidden features (B,12,h/2,w/2) of (B,7,h,w)."""
        encoded, skips = self.backbone(x)
        visible, hidden = self.decoder(self.context(encoded), skips)
        return visible, hidden


def make_dense_base(network: MattingNetwork, *, even: bool) -> DenseBase | SlimDense:
    """Return the part of `network` that is computed everywhere, for base inputs of even sides or of any."""
    if isinstance(network, SlimMatting):
        return SlimDense(network).eval()
    assert isinstance(network, BackgroundMattingV2)
    return DenseBase(network, even=even).eval()


def has_even_sides(size: tuple[int, int]) -> bool:
    """Return whether `DenseBase(even=True)` fits a base input of `size`: even sides, larger than its borders."""
    return min(size) >= 4 and not (size[0] % 2 or size[1] % 2)


class SparseFeatures(NamedTuple):
    """The coarse maps for the refiner, computed for some blocks only.

    Attributes:
        values: (n,36), one row per pixel: hidden features, alpha, residual; hidden features and alpha clamped to their
            ranges. Pixels that were not computed have a row of NaN, so that a mistake about what is needed can never
            pass for a matte.
        place: int64 (h,w), the row of each pixel of the base input.
    """

    values: Tensor
    place: Tensor


class SparseWindows:
    """`CoarseWindows` of `SparseFeatures`, for base inputs of one size.

    Args:
        axes: For rows and columns, from `TiledRefiner.build_axes`.
        base: Height and width of the base input.
    """

    def __init__(self, axes: tuple[UpsamplingAxis, UpsamplingAxis], base: tuple[int, int]) -> None:
        self._axes, self._width = axes, base[1]
        self._touched = [axis.touched_blocks(BLOCK, -(-small // BLOCK)) for axis, small in zip(axes, base, strict=True)]

    def find_needed_blocks(self, row: Tensor, column: Tensor) -> Tensor:
        """Return the blocks that windows at `row`, `column`, int64 (T,), read, bool (⌈h/BLOCK⌉,⌈w/BLOCK⌉)."""
        rows, columns = self._touched
        mask = torch.zeros(len(rows), len(columns))
        mask[row, column] = 1
        return rows.T @ mask @ columns > 0

    def upsample(self, coarse: SparseFeatures, row: Tensor, column: Tensor) -> tuple[Tensor]:
        """Return windows of the coarse maps at half resolution, (T,14,14,36); see `CoarseWindows`."""
        index = index_pieces(*self._axes, row, column, self._width)
        pieces = coarse.values.index_select(0, coarse.place.flatten()[index.flatten()])
        return (interpolate_pieces(*self._axes, row, column, pieces.view(*index.shape, pieces.shape[1])),)


class HiddenFeatures:
    """Computes `SparseFeatures` for base inputs of one size. Used by the worker thread only.

    Args:
        decoder: Batch norms folded; its weights are copied.
        dtype: Of the computation and of the result.
        base: Height and width of the base input.
    """

    def __init__(self, decoder: Decoder, dtype: torch.dtype, base: tuple[int, int]) -> None:
        self._conv = decoder.slice_last_conv(slice(VISIBLE, None), padding=0).to(dtype)
        self._conv.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._conv.weight[:, -6:].mul_(1 / 255)  # pictures are given as bytes
        self._base = base
        count = -(-base[0] // BLOCK), -(-base[1] // BLOCK)
        self._grid = WindowGrid(count, BLOCK, 1)
        self._axes = [
            build_upsampling_axis(blocks, BLOCK, 1, side, -(-side // 2), dtype)
            for blocks, side in zip(count, base, strict=True)
        ]
        self._offsets = torch.arange(BLOCK)[:, None] * BLOCK + torch.arange(BLOCK)

    def pad(self, small: IntArray) -> IntArray:
        """Pad a picture of the base input's size, uint8 (h,w,3), for `__call__`."""
        return self._grid.pad(small)

    def __call__(self, maps: BaseMaps, src: IntArray, bgr: IntArray, needed: Tensor) -> SparseFeatures:
        """Compute the features of some blocks.

        Args:
            maps: Of this frame.
            src: The picture, from `pad`.
            bgr: The plate, from `pad`.
            needed: bool (⌈h/BLOCK⌉,⌈w/BLOCK⌉), the blocks to compute.
        """
        row, column = pad_to_multiple(*needed.nonzero().unbind(1))
        values = torch.full(((len(row) + 1) * BLOCK**2, _SPARSE), torch.nan, dtype=self._conv.weight.dtype)
        parts = [
            values[: -(BLOCK**2)].view(-1, BLOCK, BLOCK, _SPARSE).split(_BLOCKS_AT_ONCE),
            row.split(_BLOCKS_AT_ONCE),
            column.split(_BLOCKS_AT_ONCE),
        ]
        for part, i, j in zip(*parts, strict=True):
            part[..., :HIDDEN] = self._compute_hidden(maps.features, (src, bgr), i, j)
            part[..., HIDDEN:] = self._cut_visible(maps.visible, i, j)
        first = torch.full(needed.shape, len(row) * BLOCK**2)
        first[row, column] = torch.arange(len(row)) * BLOCK**2
        place = first[:, None, :, None] + self._offsets[:, None]
        height, width = self._base
        return SparseFeatures(values, place.reshape(len(first) * BLOCK, -1)[:height, :width])

    def _compute_hidden(
        self, features: Tensor, pictures: tuple[IntArray, IntArray], row: Tensor, column: Tensor
    ) -> Tensor:
        """Return the hidden features of blocks, (N,BLOCK,BLOCK,32)."""
        rows, columns = self._axes
        height, width, channels = features.shape
        index = index_pieces(rows, columns, row, column, width)
        pieces = features.reshape(height * width, channels).index_select(0, index.flatten()).to(rows.weights.dtype)
        upsampled = interpolate_pieces(rows, columns, row, column, pieces.view(*index.shape, channels))
        x = concat_channels(upsampled.dtype, upsampled, *(self._grid.windows(each, row, column) for each in pictures))
        return F.relu_(self._conv(x.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)

    def _cut_visible(self, visible: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """Return alpha and residual of blocks, (N,BLOCK,BLOCK,4).

        A block's pixels beyond the picture repeat the last one; nothing reads them.
        """
        height, width = self._base
        y = (row[:, None] * BLOCK + torch.arange(BLOCK)).clamp_(max=height - 1)
        x = (column[:, None] * BLOCK + torch.arange(BLOCK)).clamp_(max=width - 1)
        index = y[:, :, None] * width + x[:, None, :]
        cut = visible.reshape(height * width, VISIBLE).index_select(0, index.flatten())[:, :4]
        cut[:, 0].clamp_(0, 1)
        return cut.view(*index.shape, 4)
