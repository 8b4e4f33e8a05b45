"""The base network in torch."""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, fx, nn

from camdaemon.matting.bgmv2.engines.dense import BaseMaps, has_even_sides, make_dense_base
from camdaemon.matting.bgmv2.engines.packed import pack
from camdaemon.model import MattingNetwork

log = logging.getLogger(__name__)


class TorchEngineFactory:
    """Builds torch engines for one network in one number format, for any size.

    Tracing changes for a moment, for all threads, how torch calls modules. So the first engine is built before the show
    starts; later ones may be built in any thread if their size has the same parity.

    Args:
        network: In evaluation mode, batch norms folded.
        dtype: float32 or bfloat16.
    """

    def __init__(self, network: MattingNetwork, dtype: torch.dtype) -> None:
        self._network, self._dtype = network, dtype
        self._traced: dict[bool, nn.Module] = {}  # by whether the base input has even sides

    def build(self, size: tuple[int, int]) -> TorchEngine:
        """Build an engine for pairs of `size` (height, width)."""
        even = has_even_sides(size)
        if even not in self._traced:
            base = make_dense_base(self._network, even=even)
            if self._dtype != torch.float32:  # else the weights are shared
                base = deepcopy(base).to(self._dtype)
            try:
                self._traced[even] = fx.symbolic_trace(base)
            except (AttributeError, RuntimeError):  # the engine logs why, and runs the untraced module
                self._traced[even] = base
        return TorchEngine(self._traced[even], self._dtype, (self._network.inputs, *size))


class TorchEngine:
    """A `BaseEngine` in torch.

    Args:
        base: From `make_dense_base`, of `dtype`, traced if possible; not changed.
        dtype: float32 or bfloat16.
        shape: Channels, height and width of the base input.
    """

    def __init__(self, base: nn.Module, dtype: torch.dtype, shape: tuple[int, int, int]) -> None:
        self.name, self.dtype = f"torch {str(dtype).removeprefix('torch.')}", dtype
        pair = torch.zeros(1, *shape, dtype=dtype).contiguous(memory_format=torch.channels_last)
        try:
            self._run: Callable[[Tensor], tuple[Tensor, Tensor]] = pack(base, pair)
        except (AttributeError, RuntimeError) as exc:  # a torch without these operators
            log.info("weights not packed: %s", exc)
            self._run = base

    def __call__(self, pair: Tensor) -> BaseMaps:
        """Run the base network; see `BaseEngine`."""
        return BaseMaps(*(each[0].permute(1, 2, 0) for each in self._run(pair.to(self.dtype))))
