"""The networks of windows as modules: the refiner over tiles, and the hidden features over blocks of the base input.

The torch engine runs them; OpenVINO runs graphs that were traced of them. All their inputs are channels last.
"""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camdaemon.matting.bgmv2.engines.polyphase import to_polyphase
from camdaemon.model.decoder import Decoder
from camdaemon.model.layout import HIDDEN, SLIM_HIDDEN, VISIBLE, NetworkLayout
from camdaemon.model.network import MattingNetwork
from camdaemon.model.published import BackgroundMattingV2
from camdaemon.model.refiner import Refiner

_PICTURES = 6  # channels of picture and plate
_TILE, _BLOCK = 16, 8  # pixels of the frame along a tile, and of the base input along a block
_FEATURES = 48  # maps that a block's hidden features are made of


class TileRefiner(nn.Module):
    """The refiner (Lin et al. 2021 §3.3) over tiles of 16×16 pixels and their margins.

    At full resolution it runs over blocks of 2×2 pixels (`polyphase`).

    Args:
        refiner: In evaluation mode, batch norms folded; copied.
    """

    def __init__(self, refiner: Refiner) -> None:
        super().__init__()
        half, full = refiner.conv2.out_channels, refiner.conv3.out_channels
        self.conv1, self.conv2 = deepcopy(refiner.conv1), deepcopy(refiner.conv2)
        self.conv3 = to_polyphase(refiner.conv3, half, (1,) * _PICTURES)
        self.conv4 = to_polyphase(refiner.conv4, 0, (1,) * full)
        # Pictures are given in levels; their scale is folded into the weights.
        self.conv1.weight[:, -_PICTURES:].mul_(1 / 255)
        self.conv3.weight[:, half:].mul_(1 / 255)
        self._crop = 4 if refiner.kernel_size == 3 else 0  # a tile's margin is 6 pixels, of which 2 are seen in full

    def forward(self, src: Tensor, bgr: Tensor, *coarse: Tensor) -> Tensor:
        """Refine tiles.

        Args:
            src: The picture, (T,28,28,3), 0..255; (T,16,16,3) for kernels of 1.
            bgr: The plate, the same.
            coarse: The coarse maps at half resolution, (T,14,14,·) each; (T,8,8,·) for kernels of 1.

        Returns:
            Alpha and residual, (T,16,16,4), unbounded.
        """
        pictures = [_channels_first(each).to(self.conv1.weight.dtype) for each in (src, bgr)]
        maps = [_channels_first(each).to(self.conv1.weight.dtype) for each in coarse]
        x = torch.cat([*maps, *(F.avg_pool2d(each, 2) for each in pictures)], 1)
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        inner = slice(self._crop, src.shape[1] - self._crop)
        x = torch.cat([x, *(F.pixel_unshuffle(each[:, :, inner, inner], 2) for each in pictures)], 1)
        return F.pixel_shuffle(self.conv4(F.relu(self.conv3(x))), 2).permute(0, 2, 3, 1)


class HiddenBlocks(nn.Module):
    """The hidden features (Lin et al. 2021 §3.2) over blocks of 8×8 pixels of the base input and their margins.

    Args:
        decoder: Batch norms folded; its weights are copied.
    """

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.conv = decoder.slice_last_conv(slice(VISIBLE, None), padding=0)
        self.conv.weight[:, -_PICTURES:].mul_(1 / 255)

    def forward(self, src: Tensor, bgr: Tensor, features: Tensor) -> Tensor:
        """Compute the hidden features of blocks.

        Args:
            src: The picture, (N,10,10,3), 0..255.
            bgr: The plate, the same.
            features: Of `BaseMaps`, upsampled, (N,10,10,48).

        Returns:
            (N,8,8,32), ≥ 0.
        """
        parts = [_channels_first(each).to(self.conv.weight.dtype) for each in (features, src, bgr)]
        return F.relu(self.conv(torch.cat(parts, 1))).permute(0, 2, 3, 1)


def describe(network: MattingNetwork) -> NetworkLayout:
    """Return what is known of `network` without torch."""
    return NetworkLayout(network.doubts, None if network.refiner is None else network.refiner.kernel_size)


def make_refiner(network: MattingNetwork) -> TileRefiner:
    """Return the refiner of `network`, batch norms folded, which has one."""
    assert network.refiner is not None
    return TileRefiner(network.refiner).eval().requires_grad_(False)


def make_hidden(network: MattingNetwork) -> HiddenBlocks:
    """Return the hidden features of `network`, the published one, batch norms folded."""
    assert isinstance(network, BackgroundMattingV2)
    return HiddenBlocks(network.decoder).eval().requires_grad_(False)


def list_refiner_windows(layout: NetworkLayout) -> list[tuple[int, int, int]]:
    """Return the shapes of the inputs of a network's `TileRefiner`, without their number."""
    margin = 6 if layout.kernel == 3 else 0
    whole, half = _TILE + 2 * margin, _TILE // 2 + margin
    # Hidden features, alpha, residual; of the slim network the last two and the confidence have another resolution.
    coarse = (SLIM_HIDDEN, VISIBLE) if layout.doubts else (HIDDEN + 4,)
    return [(whole, whole, 3), (whole, whole, 3), *((half, half, channels) for channels in coarse)]


def list_hidden_windows() -> list[tuple[int, int, int]]:
    """Return the shapes of the inputs of `HiddenBlocks`, without their number."""
    side = _BLOCK + 2
    return [(side, side, 3), (side, side, 3), (side, side, _FEATURES)]


def _channels_first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)
