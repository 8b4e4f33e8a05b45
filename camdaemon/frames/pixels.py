"""How a picture's tensor counts brightness: bytes 0..255 on the CPU, floats 0..1 on an accelerator and offline.

Bytes take a quarter of the memory's time, which is what full frames cost on a CPU. They lie pixel by pixel
(channels_last), so that OpenCV works on the same memory.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F


def unit(x: Tensor) -> Tensor:
    """`x` as floats 0..1: bytes become float32, floats stay as they are (the same tensor)."""
    return x.float().mul_(1 / 255) if x.dtype == torch.uint8 else x


def like(x: Tensor, model: Tensor) -> Tensor:
    """Floats 0..1 → the levels and dtype of `model`."""
    if model.dtype != torch.uint8:
        return x.to(model.dtype)
    return (x * 255).add_(0.5).clamp_(0, 255).to(torch.uint8).contiguous(memory_format=torch.channels_last)


def as_bytes(x: Tensor) -> Tensor:
    """Either → bytes; `x` itself where it is that."""
    return x if x.dtype == torch.uint8 else like(x, torch.empty(0, dtype=torch.uint8))


def array(x: Tensor) -> NDArray[np.uint8]:
    """Bytes (1,C,H,W) → (H,W,C), or (H,W) of one channel; the same memory where it lies pixel by pixel."""
    return np.ascontiguousarray(x[0].permute(1, 2, 0).squeeze(2).numpy())


def tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """uint8 (H,W,C) or (H,W) → bytes (1,C,H,W) over the same memory."""
    return torch.from_numpy(pixels if pixels.ndim == 3 else pixels[..., None]).permute(2, 0, 1)[None]


def mean(x: Tensor) -> Tensor:
    """The mean of a picture as a float 0..1, a tensor of no dimension on its device."""
    if x.dtype != torch.uint8:
        return x.float().mean()
    return torch.tensor(np.mean(cv2.mean(array(x))[: x.shape[1]]) / 255, dtype=torch.float32)


def blocks(x: Tensor, side: int) -> Tensor:
    """(1,C,H,W) → float32 (1,C,H/side,W/side), 0..1: means over side × side pixels; what is left over is left out."""
    if x.is_floating_point():
        return F.avg_pool2d(x.float(), side)
    rows, columns = (length // side for length in x.shape[2:])
    means = array(x)[: rows * side, : columns * side]
    if side % 2 == 0:  # OpenCV halves at once, and takes twice as long for the whole way
        means = np.asarray(cv2.resize(means, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    return unit(tensor(np.asarray(cv2.resize(means, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)))


def peaks_below(x: Tensor, side: int, limit: float) -> Tensor:
    """bool (1,1,H/side,W/side): where no pixel of a block of `x` (1,1,H,W) reaches `limit` (0..1)."""
    if x.is_floating_point():
        return F.max_pool2d(x, side) < limit
    _, above = cv2.threshold(array(x), math.ceil(limit * 255) - 1, 255, cv2.THRESH_BINARY)
    # A single pixel of a block still shows: side is at most 16.
    return blocks(tensor(np.asarray(above, np.uint8)), side) < 0.5 / 255
