"""Random numbers for one batch, made on the training device; the same seed gives the same batch."""

from __future__ import annotations

import torch
from torch import Tensor


class Draws:
    """One number for each of `count` samples, shaped (B,1,1,1) to spread over pictures."""

    def __init__(self, count: int, seed: int, device: torch.device) -> None:
        self.count, self.device = count, device
        self._generator = torch.Generator(device).manual_seed(seed)

    def uniform(self, low: float, high: float, *, channels: int = 1) -> Tensor:
        """(B,channels,1,1), evenly from low..high."""
        found = torch.rand(self.count, channels, 1, 1, generator=self._generator, device=self.device)
        return low + (high - low) * found

    def normal(self, sigma: float, *, channels: int = 1) -> Tensor:
        """(B,channels,1,1), bell-shaped around 0."""
        return sigma * self.noise(channels, 1, 1)

    def chance(self, share: float) -> Tensor:
        """bool (B,1,1,1), true for that share of the samples in the long run."""
        return self.uniform(0, 1) < share

    def sign(self) -> Tensor:
        """(B,1,1,1), −1 or 1."""
        return self.chance(0.5).float() * 2 - 1

    def noise(self, channels: int, height: int, width: int) -> Tensor:
        """(B,channels,height,width), standard normal."""
        shape = (self.count, channels, height, width)
        return torch.randn(shape, generator=self._generator, device=self.device)

    def field(self, channels: int, height: int, width: int, cells: int) -> Tensor:
        """(B,channels,height,width): smooth noise of about unit variance, `cells` hills along the longer side."""
        rows = max(2, round(cells * height / max(height, width)))
        coarse = self.noise(channels, rows + 1, max(2, cells) + 1)
        return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)

    def number(self, low: float, high: float) -> float:
        """One number for the whole batch (the size of a kernel, for instance)."""
        return low + (high - low) * float(torch.rand((), generator=self._generator, device=self.device))

    def pick(self, count: int) -> Tensor:
        """int64 (B,), each 0..count−1."""
        return torch.randint(count, (self.count,), generator=self._generator, device=self.device)
