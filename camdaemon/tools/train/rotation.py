"""Whose turn it is: each set is gone through in its own shuffled order, over and over, whatever the others' lengths."""

from __future__ import annotations

import torch
from torch import Tensor


class Rotation:
    """An endless order of the numbers 0..count−1: every one once per round, each round shuffled anew.

    Sets of unequal length are "zipped" (Lin et al. 2021 §4.3): the shorter one simply starts over more often.
    """

    def __init__(self, count: int, seed: int) -> None:
        self._count, self._seed = count, seed
        self._round, self._order = -1, torch.empty(0, dtype=torch.int64)

    def at(self, position: int) -> int:
        """The number whose turn it is at `position`, which counts from 0 over all rounds."""
        turn, place = divmod(position, self._count)
        if turn != self._round:
            shuffle = torch.Generator().manual_seed(self._seed * 1_000_003 + turn)
            self._round, self._order = turn, torch.randperm(self._count, generator=shuffle)
        return int(self._order[place])

    def take(self, start: int, count: int) -> Tensor:
        """int64 (count,): whose turn it is from position `start` on."""
        return torch.tensor([self.at(position) for position in range(start, start + count)])
