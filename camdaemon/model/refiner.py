"""The refiner (Lin et al. 2021 §3.3): full-resolution edges, computed only where the coarse matte is likely wrong."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .decoder import HIDDEN
from .patches import SIDE, WINDOW, Places, Selection, choose, cut, paste

KernelSize = Literal[1, 3]


class Coarse(NamedTuple):
    """What the base network found, all (B,·,H·scale,W·scale) of one float dtype (Lin et al. 2021 §3.1).

    alpha: (B,1).   residual: (B,3), foreground minus picture, -1..1.   error: (B,1), where alpha is likely wrong.
    hidden: (B,32), ≥ 0.   alpha and error are 0..1 once clamped; training looks at them before.
    """

    alpha: Tensor
    residual: Tensor
    error: Tensor
    hidden: Tensor

    def clamped(self) -> Coarse:
        """The same with alpha and error held to 0..1."""
        return self._replace(alpha=self.alpha.clamp(0, 1), error=self.error.clamp(0, 1))


class Refined(NamedTuple):
    """alpha (B,1,H,W) and residual (B,3,H,W), not clamped; refined: bool (B,1,H/4,W/4), where the refiner worked."""

    alpha: Tensor
    residual: Tensor
    refined: Tensor


def upsampled(coarse: Coarse, height: int, width: int) -> Refined:
    """The coarse alpha and residual enlarged bilinearly, nothing refined."""
    whole = _enlarged(coarse, height, width)
    nowhere = whole.new_zeros((whole.shape[0], 1, height // SIDE, width // SIDE), dtype=torch.bool)
    return Refined(whole[:, :1], whole[:, 1:], nowhere)


def _enlarged(coarse: Coarse, height: int, width: int) -> Tensor:
    # Plane by plane: with only four channels that is three times as fast on a CPU as channels_last.
    return _resized(torch.cat([coarse.alpha, coarse.residual], 1).contiguous(), height, width)


def _resized(x: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(x, (height, width), mode="bilinear", align_corners=False)


class Refiner(nn.Module):
    """Two convolutions at half resolution, two at full; kernel 3 sees 8×8 windows of each, kernel 1 just the patch."""

    def __init__(self, kernel_size: KernelSize = 3) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.conv1 = nn.Conv2d(HIDDEN + 4 + 6, 24, kernel_size, bias=False)
        self.bn1 = nn.BatchNorm2d(24)
        self.conv2 = nn.Conv2d(24, 16, kernel_size, bias=False)
        self.bn2 = nn.BatchNorm2d(16)
        self.conv3 = nn.Conv2d(16 + 6, 12, kernel_size, bias=False)
        self.bn3 = nn.BatchNorm2d(12)
        self.conv4 = nn.Conv2d(12, 4, kernel_size)

    def forward(self, src: Tensor, plate: Tensor, coarse: Coarse, selection: Selection) -> Refined:
        """src, plate: (B,3,H,W), 0..1, RGB, H and W multiples of 4.   coarse: clamped; enlarged bilinearly, it is the
        result where nothing is refined.
        """
        height, width = src.shape[2:]
        # All the channels of a pixel side by side in memory, so that cutting windows out copies long runs.
        pair = torch.cat([src, plate], 1).contiguous(memory_format=torch.channels_last)
        maps = torch.cat([coarse.hidden, coarse.alpha, coarse.residual], 1)
        maps = maps.contiguous(memory_format=torch.channels_last)
        halves = [_resized(part, height // 2, width // 2) for part in (maps, pair)]
        if selection.mode == "full":
            fine = self._everywhere(torch.cat(halves, 1), pair)
            everywhere = fine.new_ones((fine.shape[0], 1, height // SIDE, width // SIDE), dtype=torch.bool)
            return Refined(fine[:, :1], fine[:, 1:], everywhere)
        error = _resized(coarse.error, height // SIDE, width // SIDE)
        places = choose(error.detach(), selection, fixed_count=error.is_cuda)
        whole = _enlarged(coarse, height, width)
        if len(places.row):
            paste(whole, self._at(places, halves, pair), places)
        return Refined(whole[:, :1], whole[:, 1:], places.chosen)

    def _at(self, places: Places, halves: list[Tensor], pair: Tensor) -> Tensor:
        """(N,4,4,4): alpha and residual of the patches."""
        at_half, at_full = (2, SIDE) if self.kernel_size == 1 else (WINDOW, WINDOW)
        x = torch.cat([cut(part, places, step=SIDE // 2, window=at_half) for part in halves], 1)
        return self.at_full(self.at_half(x), cut(pair, places, step=SIDE, window=at_full))

    def _everywhere(self, half: Tensor, pair: Tensor) -> Tensor:
        """(B,4,H,W): alpha and residual; one convolution over the padded frame equals every patch with its window."""
        if self.kernel_size == 1:
            return self.at_full(self.at_half(half), pair)
        return self.at_full(self.at_half(F.pad(half, (3, 3, 3, 3))), F.pad(pair, (2, 2, 2, 2)))

    def at_half(self, x: Tensor) -> Tensor:
        """(N,42,h,w): hidden features, alpha, residual, picture and plate at half resolution → (N,16,h−4,w−4)."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(x)), inplace=True)

    def at_full(self, x: Tensor, pair: Tensor) -> Tensor:
        """x: of `at_half`.   pair: picture and plate (N,6,H,W), H = 2(h−4) → alpha and residual, (N,4,H−4,W−4).

        With kernel 1 nothing gets smaller.
        """
        x = torch.cat([F.interpolate(x, pair.shape[2:], mode="nearest"), pair], 1)
        y: Tensor = self.conv4(F.relu(self.bn3(self.conv3(x)), inplace=True))
        return y
