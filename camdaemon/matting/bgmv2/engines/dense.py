"""The part of a base network that is computed everywhere, as a module that every engine can convert.

Of the published network that is all but the hidden features (Lin et al. 2021 §3.2): they are 32 of the 37 maps of the
decoder's last convolution, a third of all operations, and the refiner needs them along contours only (`cpu.hidden`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camdaemon.matting.bgmv2.engines.polyphase import to_polyphase
from camdaemon.model.decoder import resize_and_concat
from camdaemon.model.layout import VISIBLE
from camdaemon.model.network import MattingNetwork
from camdaemon.model.published import BackgroundMattingV2
from camdaemon.model.slim import SlimMatting


class DenseBase(nn.Module):
    """The part of the published base network that is computed everywhere, for inputs of even sides from 4 on.

    Features of even inputs need no upsampling for the last convolution (`polyphase`).

    Args:
        network: In evaluation mode, batch norms folded. Its weights are shared, but for the last convolution's.
    """

    def __init__(self, network: BackgroundMattingV2) -> None:
        super().__init__()
        self.inputs = network.inputs
        self.backbone, self.aspp, self.decoder = network.backbone, network.aspp, network.decoder
        self.last = network.decoder.slice_last_conv(slice(VISIBLE), padding=1)
        self.inner = to_polyphase(self.last, self.last.in_channels - 6, (1,) * 6, "bilinear")

    def forward(self, pair: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the maps of `BaseMaps`, batched and channels first, of pairs (B,6,h,w), 0..1."""
        x, skips = self.backbone(pair)
        features = self.decoder.to_half(self.aspp(x), skips)
        return self._convolve_last_polyphase(features, pair), features

    def _convolve_last(self, features: Tensor, pair: Tensor) -> Tensor:
        y: Tensor = self.last(resize_and_concat(features, pair))
        return y

    def _convolve_last_polyphase(self, features: Tensor, pair: Tensor) -> Tensor:
        """Compute `_convolve_last`; the border, where `to_polyphase` is not exact, is computed separately."""
        y = F.pixel_shuffle(self.inner(torch.cat([features, F.pixel_unshuffle(pair, 2)], 1)), 2)
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


def make_dense_base(network: MattingNetwork) -> DenseBase | SlimDense:
    """Return the part of `network`, batch norms folded, that is computed everywhere."""
    if isinstance(network, SlimMatting):
        return SlimDense(network).eval()
    assert isinstance(network, BackgroundMattingV2)
    return DenseBase(network).eval()
