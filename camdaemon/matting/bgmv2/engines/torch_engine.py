"""The network in torch: for weights without graphs, and for those who ask for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from camdaemon.linux.threads import count_compute_threads
from camdaemon.matting.bgmv2.engines.dense import make_dense_base
from camdaemon.matting.bgmv2.engines.engine import BaseMaps, BaseSize, Floats, pad_count
from camdaemon.matting.bgmv2.engines.packed import pack
from camdaemon.matting.bgmv2.engines.windows import make_hidden, make_refiner
from camdaemon.model.network import MattingNetwork

log = logging.getLogger(__name__)

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
# A convolution for a new number of windows has to be prepared first, which takes half a millisecond.
_COUNT_MULTIPLE = 16


def has_bfloat16() -> bool:
    """Return whether torch has bfloat16 of this processor.

    On others (most of before 2020, many current laptops) it emulates it, in twenty times the time.
    """
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):  # a torch without these operators
        return False


class TorchRuntime:
    """A `Runtime` of torch.

    Tracing changes for a moment, for all threads, how torch calls modules. So the first base is built before the show
    starts; later ones may be built in any thread.

    Args:
        network: In evaluation mode, batch norms folded.
        precision: 'float32' or 'bfloat16'.
    """

    def __init__(self, network: MattingNetwork, precision: str) -> None:
        self.name = f"torch {precision}"
        self._network, self._dtype = network, _DTYPES[precision]
        self._traced: nn.Module | None = None
        torch.set_num_threads(count_compute_threads())

    def build_base(self, size: BaseSize) -> TorchEngine:
        """Build an engine of the base network; see `Runtime`."""
        with torch.inference_mode():
            if self._traced is None:
                self._traced = self._trace()
            return TorchEngine(self._traced, self.name, self._dtype, (self._network.inputs, *size))

    def build_refiner(self, *, exact: bool) -> TorchWindows:
        """Build an engine of the refiner; see `Runtime`."""
        with torch.inference_mode():
            return TorchWindows(make_refiner(self._network), self._dtype)

    def build_hidden(self, *, exact: bool) -> TorchWindows:
        """Build an engine of the hidden features; see `Runtime`."""
        with torch.inference_mode():
            return TorchWindows(make_hidden(self._network), self._dtype)

    def _trace(self) -> nn.Module:
        base = make_dense_base(self._network)
        if self._dtype != torch.float32:  # else the weights are shared
            base = deepcopy(base).to(self._dtype)
        try:
            return fx.symbolic_trace(base)
        except (AttributeError, RuntimeError):  # the engine logs why, and runs the untraced module
            return base


class TorchEngine:
    """A `BaseEngine` in torch.

    Args:
        base: From `make_dense_base`, of `dtype`, traced if possible; not changed.
        name: Of the engine.
        dtype: float32 or bfloat16.
        shape: Channels, height and width of the base input.
    """

    def __init__(self, base: nn.Module, name: str, dtype: torch.dtype, shape: tuple[int, int, int]) -> None:
        self.name, self._dtype = name, dtype
        pair = torch.zeros(1, *shape, dtype=dtype).contiguous(memory_format=torch.channels_last)
        try:
            self._run: Callable[[Tensor], tuple[Tensor, Tensor]] = pack(base, pair)
        except (AttributeError, RuntimeError) as exc:  # a torch without these operators
            log.info("weights not packed: %s", exc)
            self._run = base

    def __call__(self, pair: Floats) -> BaseMaps:
        """Run the base network; see `BaseEngine`."""
        with torch.inference_mode():
            found = self._run(torch.from_numpy(pair).permute(0, 3, 1, 2).to(self._dtype))
            return BaseMaps(*(_to_numpy(each[0].permute(1, 2, 0)) for each in found))


class TorchWindows:
    """A `WindowEngine` in torch.

    Args:
        network: From `windows`; changed.
        dtype: float32 or bfloat16.
    """

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        self._network = network.to(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, *windows: NDArray[Any]) -> Floats:
        """Run the network; see `WindowEngine`."""
        count = len(windows[0])
        padded = -(-count // _COUNT_MULTIPLE) * _COUNT_MULTIPLE
        with torch.inference_mode():
            found = self._network(*(torch.from_numpy(pad_count(each, padded)) for each in windows))
            return _to_numpy(found)[:count]


def _to_numpy(x: Tensor) -> Floats:
    """Return `x`, channels last, as contiguous float32."""
    found: Floats = x.float().contiguous().numpy()
    return found
