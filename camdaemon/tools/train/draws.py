"""Randomness of a run: numbers for one batch, and the order in which each set is gone through."""

from __future__ import annotations

import torch
from torch import Tensor


class BatchRandom:
    """Random numbers for a batch of `count` samples, made on the training device; the same seed gives the same batch.

    Numbers are shaped (B,1,1,1), to broadcast over pictures.
    """

    def __init__(self, count: int, seed: int, device: torch.device) -> None:
        self.count, self.device = count, device
        self._generator = torch.Generator(device).manual_seed(seed)

    def uniform(self, low: float, high: float, *, channels: int = 1) -> Tensor:
        """Return (B,channels,1,1), uniform in low..high."""
        found = torch.rand(self.count, channels, 1, 1, generator=self._generator, device=self.device)
        return low + (high - low) * found

    def chance(self, share: float) -> Tensor:
        """Return bool (B,1,1,1), true with probability `share`."""
        return self.uniform(0, 1) < share

    def noise(self, channels: int, height: int, width: int) -> Tensor:
        """Return (B,channels,height,width), standard normal."""
        shape = (self.count, channels, height, width)
        return torch.randn(shape, generator=self._generator, device=self.device)

    def smooth_noise(self, channels: int, height: int, width: int, cells: int) -> Tensor:
        """Return smooth noise (B,channels,height,width), about unit variance, `cells` hills along the longer side."""
        rows = max(2, round(cells * height / max(height, width)))
        coarse = self.noise(channels, rows + 1, max(2, cells) + 1)
        return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)

    def scalar(self, low: float, high: float) -> float:
        """Return one number for the whole batch (the size of a kernel, for instance)."""
        return low + (high - low) * float(torch.rand((), generator=self._generator, device=self.device))


class ShuffledOrder:
    """An endless order of the numbers 0..count−1: each number once per round, every round shuffled again.

    Sets of unequal length are "zipped" (Lin et al. 2021 §4.3): the shorter one starts over more often.
    """

    def __init__(self, count: int, seed: int) -> None:
        self._count, self._seed = count, seed
        self._round, self._order = -1, torch.empty(0, dtype=torch.int64)

    def item_at(self, position: int) -> int:
        """Return the number at `position`, which counts from 0 over all rounds."""
        round_, place = divmod(position, self._count)
        if round_ != self._round:
            shuffle = torch.Generator().manual_seed(self._seed * 1_000_003 + round_)
            self._round, self._order = round_, torch.randperm(self._count, generator=shuffle)
        return int(self._order[place])

    def take(self, start: int, count: int) -> list[int]:
        """Return `count` numbers from position `start` on."""
        return [self.item_at(position) for position in range(start, start + count)]
