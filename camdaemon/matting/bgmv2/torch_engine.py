"""The base network in torch."""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, fx, nn

from camdaemon.matting.bgmv2.hidden import DenseBase, Maps, is_even
from camdaemon.matting.bgmv2.packed import packed
from camdaemon.model import BackgroundMattingV2

log = logging.getLogger(__name__)


class Torch:
    """`network` for torch in one number format, traced once; from it engines for any size.

    Tracing changes for a moment how torch calls modules, for all threads. So the first engine is made before the show;
    others, of sizes as even, may be made in any thread.   dtype: float32 or bfloat16.
    """

    def __init__(self, network: BackgroundMattingV2, dtype: torch.dtype) -> None:
        self._network, self._dtype = network, dtype
        self._traced: dict[bool, nn.Module] = {}  # by whether the base input is even

    def at(self, size: tuple[int, int]) -> TorchBase:
        """For pairs of `size` (height, width)."""
        even = is_even(size)
        if even not in self._traced:
            everywhere = DenseBase(self._network, even=even).eval()
            if self._dtype != torch.float32:  # else the weights are shared
                everywhere = deepcopy(everywhere).to(self._dtype)
            try:
                self._traced[even] = fx.symbolic_trace(everywhere)
            except (AttributeError, RuntimeError):  # an engine says why, and runs it as it is
                self._traced[even] = everywhere
        return TorchBase(self._traced[even], self._dtype, size)


class TorchBase:
    """See `BaseEngine`. everywhere: traced if that can be, of `dtype`; not changed."""

    def __init__(self, everywhere: nn.Module, dtype: torch.dtype, size: tuple[int, int]) -> None:
        self.name, self.dtype = f"torch {str(dtype).removeprefix('torch.')}", dtype
        pair = torch.zeros(1, 6, *size, dtype=dtype).contiguous(memory_format=torch.channels_last)
        try:
            self._run: Callable[[Tensor], tuple[Tensor, Tensor]] = packed(everywhere, pair)
        except (AttributeError, RuntimeError) as exc:  # a torch without these operators
            log.info("the network's weights are not packed: %s", exc)
            self._run = everywhere

    def __call__(self, pair: Tensor) -> Maps:
        """See `BaseEngine`."""
        return Maps(*(each[0].permute(1, 2, 0) for each in self._run(pair.to(self.dtype))))
