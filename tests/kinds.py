"""Pictures of either kind: bytes in numpy, as they are on a CPU, and floats in torch, as they are on an accelerator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from camdaemon.frames import pixels
from camdaemon.frames.pixels import Array


def floats(x: Array) -> Tensor:
    """Return `x` as a tensor of floats 0..1: itself if it is one, else float32, plane by plane."""
    return pixels.unit(x) if not pixels.is_host(x) else torch.from_numpy(np.ascontiguousarray(pixels.unit(x)))


EITHER = pytest.mark.parametrize("of", [floats, pixels.as_bytes], ids=["floats", "bytes"])


def copied(x: Array) -> Any:
    """Return a copy of `x`, in memory as `x` is."""
    return x.copy(order="K") if pixels.is_host(x) else x.clone()


def same(one: Array, other: Array) -> bool:
    """Return whether both are of one kind and dtype, and equal everywhere."""
    alike = pixels.is_beside(one, other) and one.dtype == other.dtype
    return alike and np.array_equal(pixels.to_host(one), pixels.to_host(other))
