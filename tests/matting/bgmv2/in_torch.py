"""The CPU's network with torch behind it, whose numbers are the same everywhere, and its arrays as tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camdaemon.matting.bgmv2.engines.factory import EngineFactory
from camdaemon.matting.bgmv2.engines.torch_engine import TorchRuntime
from camdaemon.matting.bgmv2.engines.windows import describe
from camdaemon.model.network import MattingNetwork


def engines_of(network: MattingNetwork, precision: str = "float32") -> EngineFactory:
    """Engines of torch; batch norms of `network` are folded."""
    return EngineFactory(describe(network), "mark", [TorchRuntime(network, precision)])


def as_tensor(x: NDArray[Any]) -> Tensor:
    """`x`, whose memory is shared, of any strides."""
    return torch.from_numpy(x)


def as_unit(x: NDArray[np.uint8]) -> Tensor:
    """Bytes as floats 0..1."""
    return as_tensor(x).float() / 255
