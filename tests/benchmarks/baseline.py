"""The baseline network, as published: eager torch, batch norms not folded, patches cut out by unfolding.

Written from the paper (Lin et al. 2021 §3 and appendix B) as directly as possible. Do not change it: every speed that
the benchmarks print is a ratio to this. Its results equal those of the daemon's network.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camdaemon.model.layout import Selection
from camdaemon.model.network import MattingNetwork

_SIDE, _WINDOW = 4, 8  # pixels along a patch, and along its window in the refiner at either resolution


class BaselineMatte(NamedTuple):
    """A matte, and where it was refined."""

    alpha: Tensor  # (B,1,H,W), 0..1
    foreground: Tensor  # (B,3,H,W), 0..1
    refined: Tensor  # bool (B,1,H/4,W/4)


class BaselineNetwork(nn.Module):
    """Runs the layers of a network in the published order."""

    def __init__(self, network: MattingNetwork) -> None:
        """Take the layers of `network`, which must be in evaluation mode and not folded."""
        super().__init__()
        self.network = network

    def forward(self, src: Tensor, plate: Tensor, base: tuple[int, int], selection: Selection) -> BaselineMatte:
        """Compute mattes.

        Args:
            src: Frames (B,3,H,W), RGB, 0..1, of the network's dtype; H and W are multiples of 4.
            plate: Their plates, of the same shape.
            base: Height and width of the base network's input.
            selection: Which patches are refined.
        """
        height, width = src.shape[2:]
        coarse = self.network.base(torch.cat([_resized(src, base), _resized(plate, base)], 1)).clamped()
        whole = _resized(torch.cat([coarse.alpha, coarse.residual], 1), (height, width))
        refined = whole.new_zeros((len(src), 1, height // _SIDE, width // _SIDE), dtype=torch.bool)
        if self.network.refiner is not None:
            hidden = torch.cat([coarse.hidden, coarse.alpha, coarse.residual], 1)
            pair = torch.cat([src, plate], 1)
            half = (height // 2, width // 2)
            features = torch.cat([_resized(hidden, half), _resized(pair, half)], 1)
            if selection.mode == "full":
                refined = torch.ones_like(refined)
                whole = self._everywhere(features, pair)
            else:
                refined = _chosen(_resized(coarse.error, refined.shape[2:]), selection)
                whole = self._at(refined, features, pair, whole)
        return BaselineMatte(whole[:, :1].clamp(0, 1), (whole[:, 1:] + src).clamp(0, 1), refined)

    def _everywhere(self, features: Tensor, pair: Tensor) -> Tensor:
        wide = self.network.refiner is not None and self.network.refiner.kernel_size == 3
        return self._refined(*((_padded(features, 3), _padded(pair, 2)) if wide else (features, pair)))

    def _at(self, refined: Tensor, features: Tensor, pair: Tensor, whole: Tensor) -> Tensor:
        batch, _, row, column = refined.nonzero().unbind(1)
        if len(batch) == 0:
            return whole
        wide = self.network.refiner is not None and self.network.refiner.kernel_size == 3
        at_half, at_full = (_WINDOW, _WINDOW) if wide else (2, _SIDE)
        fine = self._refined(
            _windows(features, at_half, 2)[batch, :, row, column],
            _windows(pair, at_full, _SIDE)[batch, :, row, column],
        )
        count, channels, height, width = whole.shape
        tiles = whole.view(count, channels, height // _SIDE, _SIDE, width // _SIDE, _SIDE).permute(0, 2, 4, 1, 3, 5)
        tiles = tiles.contiguous()
        tiles[batch, row, column] = fine
        return tiles.permute(0, 3, 1, 4, 2, 5).reshape(count, channels, height, width)

    def _refined(self, features: Tensor, pair: Tensor) -> Tensor:
        layers = self.network.refiner
        assert layers is not None
        x = F.relu(layers.bn1(layers.conv1(features)))
        x = F.relu(layers.bn2(layers.conv2(x)))
        x = torch.cat([F.interpolate(x, pair.shape[2:], mode="nearest"), pair], 1)
        y: Tensor = layers.conv4(F.relu(layers.bn3(layers.conv3(x))))
        return y


def _chosen(error: Tensor, selection: Selection) -> Tensor:
    """Return which patches are refined, bool, from the predicted error (B,1,H/4,W/4)."""
    if selection.mode == "thresholding":
        return error > selection.threshold
    flat = error.flatten(1)
    best = flat.topk(min(selection.pixels // _SIDE**2, flat.shape[1]), dim=1, sorted=False).indices
    chosen = torch.zeros_like(flat).scatter_(1, best, 1.0).view_as(error)
    return (chosen > 0) & (error > 0)


def _windows(x: Tensor, window: int, step: int) -> Tensor:
    """Cut (B,C,H,W) into windows (B,C,H/step,W/step,window,window), zero outside of the picture."""
    return _padded(x, (window - step) // 2).unfold(2, window, step).unfold(3, window, step)


def _padded(x: Tensor, pixels: int) -> Tensor:
    return F.pad(x, (pixels, pixels, pixels, pixels))


def _resized(x: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    return F.interpolate(x, size, mode="bilinear", align_corners=False)


def composite_baseline(alpha: Tensor, foreground: Tensor, backdrop: Tensor) -> Tensor:
    """Return αF + (1 − α)B over the full frame in floats, alpha's outermost 2 % cut as the daemon cuts them."""
    cut = ((alpha - 0.02) / 0.96).clamp(0, 1)
    return cut * foreground + (1 - cut) * backdrop
