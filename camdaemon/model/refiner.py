"""The refiner (Lin et al. 2021 §3.3): full-resolution edges, computed only where the coarse matte is likely wrong."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camdaemon.model.layout import HIDDEN, SIDE, Selection
from camdaemon.model.patches import WINDOW, PatchPlaces, choose_patches, cut_windows, paste_patches

KernelSize = Literal[1, 3]


class Coarse(NamedTuple):
    """The base network's result, all maps of size H·scale, W·scale and one float dtype (Lin et al. 2021 §3.1).

    Attributes:
        alpha: (B,1,·,·), 0..1 once clamped; training uses it unclamped.
        residual: (B,3,·,·), foreground minus picture, -1..1.
        error: (B,1,·,·), predicted error of alpha, 0..1 once clamped.
        hidden: Features for the refiner, ≥ 0: (B,32,·,·), or 12 of half the size.
        confidence: (B,1,·,·), how far the plate is to be trusted; None for a refiner that is not told.
    """

    alpha: Tensor
    residual: Tensor
    error: Tensor
    hidden: Tensor
    confidence: Tensor | None = None

    def clamped(self) -> Coarse:
        """Return the same with alpha and error clamped to 0..1."""
        return self._replace(alpha=self.alpha.clamp(0, 1), error=self.error.clamp(0, 1))


class Refined(NamedTuple):
    """The refiner's result, not clamped.

    Attributes:
        alpha: (B,1,H,W).
        residual: (B,3,H,W), foreground minus picture.
        refined: bool (B,1,H/4,W/4), where the refiner worked.
    """

    alpha: Tensor
    residual: Tensor
    refined: Tensor


def upsample(coarse: Coarse, height: int, width: int) -> Refined:
    """Upsample the coarse alpha and residual bilinearly; nothing is refined."""
    whole = _upsample_maps(coarse, height, width)
    nowhere = whole.new_zeros((whole.shape[0], 1, height // SIDE, width // SIDE), dtype=torch.bool)
    return Refined(whole[:, :1], whole[:, 1:], nowhere)


def _upsample_maps(coarse: Coarse, height: int, width: int) -> Tensor:
    # Channels first: with only four channels three times as fast on a CPU as channels_last.
    return _resize(torch.cat([coarse.alpha, coarse.residual], 1).contiguous(), height, width)


def _resize(x: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(x, (height, width), mode="bilinear", align_corners=False)


class Refiner(nn.Module):
    """Two convolutions at half resolution, two at full; kernel 3 sees 8×8 windows, kernel 1 only the patch.

    Args:
        kernel_size: Of all four.
        hidden: Number of hidden features.
        confidence: Whether it sees the plate's confidence.
        widths: Channels after the first three convolutions.
    """

    def __init__(
        self,
        kernel_size: KernelSize = 3,
        *,
        hidden: int = HIDDEN,
        confidence: bool = False,
        widths: tuple[int, int, int] = (24, 16, 12),
    ) -> None:
        super().__init__()
        self.kernel_size, self.hidden = kernel_size, hidden
        first, second, third = widths
        self.conv1 = nn.Conv2d(hidden + 4 + confidence + 6, first, kernel_size, bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        self.conv2 = nn.Conv2d(first, second, kernel_size, bias=False)
        self.bn2 = nn.BatchNorm2d(second)
        self.conv3 = nn.Conv2d(second + 6, third, kernel_size, bias=False)
        self.bn3 = nn.BatchNorm2d(third)
        self.conv4 = nn.Conv2d(third, 4, kernel_size)

    def forward(self, src: Tensor, plate: Tensor, coarse: Coarse, selection: Selection) -> Refined:
        """Refine the patches that `selection` chooses; elsewhere the result is the upsampled coarse one.

        Args:
            src: (B,3,H,W), RGB, 0..1, H and W multiples of 4.
            plate: The empty room, same shape.
            coarse: Clamped.
            selection: Which patches to refine.
        """
        height, width = src.shape[2:]
        halves, pair = self.prepare(src, plate, coarse)
        if selection.mode == "full":
            fine = self._refine_all(torch.cat(halves, 1), pair)
            everywhere = fine.new_ones((fine.shape[0], 1, height // SIDE, width // SIDE), dtype=torch.bool)
            return Refined(fine[:, :1], fine[:, 1:], everywhere)
        error = _resize(coarse.error, height // SIDE, width // SIDE)
        places = choose_patches(error.detach(), selection, fixed_count=error.is_cuda)
        whole = _upsample_maps(coarse, height, width)
        if len(places.row):
            paste_patches(whole, self.refine_patches(places, halves, pair), places)
        return Refined(whole[:, :1], whole[:, 1:], places.chosen)

    def prepare(self, src: Tensor, plate: Tensor, coarse: Coarse) -> tuple[list[Tensor], Tensor]:
        """Return what patches are cut from; arguments as for `forward`.

        Returns:
            Hidden features, the other maps, picture and plate, all (B,·,H/2,W/2); picture and plate, (B,6,H,W).
        """
        height, width = src.shape[2:]
        # channels_last, so that cutting windows out copies long runs.
        pair = torch.cat([src, plate], 1).contiguous(memory_format=torch.channels_last)
        known = () if coarse.confidence is None else (coarse.confidence,)
        maps = [coarse.hidden, torch.cat([coarse.alpha, coarse.residual, *known], 1)]
        maps = [each.contiguous(memory_format=torch.channels_last) for each in maps]
        return [_resize(part, height // 2, width // 2) for part in (*maps, pair)], pair

    def refine_patches(self, places: PatchPlaces, halves: list[Tensor], pair: Tensor) -> Tensor:
        """Return alpha and residual of the patches at `places`, (N,4,4,4), from what `prepare` made."""
        half_window, full_window = (2, SIDE) if self.kernel_size == 1 else (WINDOW, WINDOW)
        x = torch.cat([cut_windows(part, places, step=SIDE // 2, window=half_window) for part in halves], 1)
        return self.convolve_full(self.convolve_half(x), cut_windows(pair, places, step=SIDE, window=full_window))

    def _refine_all(self, half: Tensor, pair: Tensor) -> Tensor:
        """Return alpha and residual, (B,4,H,W): convolving the padded frame equals every patch with its window."""
        if self.kernel_size == 1:
            return self.convolve_full(self.convolve_half(half), pair)
        return self.convolve_full(self.convolve_half(F.pad(half, (3, 3, 3, 3))), F.pad(pair, (2, 2, 2, 2)))

    def convolve_half(self, x: Tensor) -> Tensor:
        """Run the convolutions at half resolution.

        Args:
            x: (N,C,h,w): hidden features, alpha, residual, confidence if it is told, picture and plate.

        Returns:
            (N,c,h−4,w−4) with kernel 3, (N,c,h,w) with kernel 1; ≥ 0.
        """
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(x)), inplace=True)

    def convolve_full(self, x: Tensor, pair: Tensor) -> Tensor:
        """Run the convolutions at full resolution.

        Args:
            x: Result of `convolve_half`.
            pair: Picture and plate, (N,6,H,W), twice the size of `x`.

        Returns:
            Alpha and residual, (N,4,H−4,W−4) with kernel 3, (N,4,H,W) with kernel 1.
        """
        x = torch.cat([F.interpolate(x, pair.shape[2:], mode="nearest"), pair], 1)
        y: Tensor = self.conv4(F.relu(self.bn3(self.conv3(x)), inplace=True))
        return y
