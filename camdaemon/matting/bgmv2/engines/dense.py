"""The part of a base network that is computed everywhere, as a module that every engine can convert.

Of the published network that is all but the hidden features (Lin et al. 2021 §3.2): they are 32 of the 37 maps of the
decoder's last convolution, a third of all operations, and the refiner needs them along contours only (`cpu.hidden`).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camdaemon.matting.bgmv2.engines.polyphase import to_polyphase
from camdaemon.model import VISIBLE, BackgroundMattingV2, MattingNetwork, SlimMatting, resize_and_concat


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
