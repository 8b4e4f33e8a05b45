"""The two kinds of picture tensors: bytes 0..255 on the CPU, floats 0..1 on an accelerator and offline.

The cost of full frames on a CPU is memory bandwidth, of which bytes take a quarter. They lie pixel by pixel
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
    """Return `x` as floats 0..1: float32 for bytes, `x` itself for floats."""
    return x.float().mul_(1 / 255) if x.dtype == torch.uint8 else x


def like(x: Tensor, model: Tensor) -> Tensor:
    """Convert floats 0..1 to the kind and dtype of `model`."""
    if model.dtype != torch.uint8:
        return x.to(model.dtype)
    return (x * 255).add_(0.5).clamp_(0, 255).to(torch.uint8).contiguous(memory_format=torch.channels_last)


def as_bytes(x: Tensor) -> Tensor:
    """Return `x` as bytes; `x` itself if it is bytes already."""
    return x if x.dtype == torch.uint8 else like(x, torch.empty(0, dtype=torch.uint8))


def array(x: Tensor) -> NDArray[np.uint8]:
    """Return bytes (1,C,H,W) as an array (H,W,C), or (H,W) for one channel; the same memory if channels_last."""
    return np.ascontiguousarray(x[0].permute(1, 2, 0).squeeze(2).numpy())


def tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """Return uint8 (H,W,C) or (H,W) as bytes (1,C,H,W) over the same memory."""
    return torch.from_numpy(pixels if pixels.ndim == 3 else pixels[..., None]).permute(2, 0, 1)[None]


def mean(x: Tensor) -> Tensor:
    """Return the mean of a picture as a float 0..1, in a tensor without dimensions on its device."""
    if x.dtype != torch.uint8:
        return x.float().mean()
    return torch.tensor(np.mean(cv2.mean(array(x))[: x.shape[1]]) / 255, dtype=torch.float32)


def blocks(x: Tensor, side: int) -> Tensor:
    """Average (1,C,H,W) over blocks of side × side pixels: float32 (1,C,H/side,W/side), 0..1. The rest is cut off."""
    if x.is_floating_point():
        return F.avg_pool2d(x.float(), side)
    rows, columns = (length // side for length in x.shape[2:])
    means = array(x)[: rows * side, : columns * side]
    if side % 2 == 0:  # OpenCV halves at once; the whole way takes it twice as long
        means = np.asarray(cv2.resize(means, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    return unit(tensor(np.asarray(cv2.resize(means, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)))


def exact_blocks(x: Tensor, side: int) -> Tensor:
    """Return what `blocks` does of bytes, for an even `side`, without rounding to bytes on the way."""
    rows, columns = (length // side for length in x.shape[2:])
    sums = sum_2x2(array(x)[: rows * side, : columns * side]).astype(np.float32)
    means = cv2.resize(sums, (columns, rows), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(np.asarray(means, np.float32)).permute(2, 0, 1)[None] / (4 * 255)


def sum_2x2(picture: NDArray[np.uint8 | np.float32]) -> NDArray[np.uint16 | np.float32]:
    """Sum 2×2 pixels, (2h,2w,C) to (h,w,C): bytes to uint16, 0..1020; floats stay floats."""
    four = np.multiply(picture, 4, dtype=np.uint16 if picture.dtype == np.uint8 else np.float32)  # means are integers
    return cv2.resize(four, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def peaks_below(x: Tensor, side: int, limit: float) -> Tensor:
    """Return where no pixel of a block of `x` (1,1,H,W) reaches `limit` (0..1): bool (1,1,H/side,W/side).

    `side` is at most 16.
    """
    if x.is_floating_point():
        return F.max_pool2d(x, side) < limit
    _, above = cv2.threshold(array(x), math.ceil(limit * 255) - 1, 255, cv2.THRESH_BINARY)
    # A single pixel still shows in the mean of a block of 16 × 16.
    return blocks(tensor(np.asarray(above, np.uint8)), side) < 0.5 / 255
