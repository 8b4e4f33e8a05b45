"""The two kinds of picture: numpy arrays of bytes 0..255 on the CPU, torch tensors of floats 0..1 on an accelerator.

Both are (1,C,H,W). The cost of full frames on a CPU is memory bandwidth, of which bytes take a quarter; they lie pixel
by pixel, so that OpenCV works on the same memory. The tools for files matte in floats on a CPU as well, in torch. torch
is imported only where there is a tensor already.
"""

from __future__ import annotations

import math
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor
    from typing_extensions import TypeIs

Array: TypeAlias = "NDArray[Any] | Tensor"


def is_host(x: Array) -> TypeIs[NDArray[Any]]:
    """Return whether `x` is a numpy array: a picture of bytes, or a small map that belongs to one."""
    return isinstance(x, np.ndarray)


def as_tensor(x: Array) -> Tensor:
    """Return `x`, which is a tensor."""
    assert not is_host(x), "numpy and torch do not mix"
    return x


def namespace(x: Array) -> Any:
    """Return the module whose functions work on `x`: numpy or torch, which name `where`, `clip` and `abs` alike."""
    if is_host(x):
        return np
    import torch

    return torch


def is_beside(x: Array, other: Array) -> bool:
    """Return whether both are of one kind, and on one device."""
    return is_host(x) == is_host(other) and x.device == other.device


def to_host(x: Array) -> NDArray[Any]:
    """Return `x` as a numpy array of its own dtype: itself if it is one. Waits for the accelerator."""
    return x if is_host(x) else x.cpu().numpy()


def to_host_at_once(*maps: Array) -> list[NDArray[Any]]:
    """Return small maps as numpy arrays; those of an accelerator as float32, after waiting for it once."""
    if is_host(maps[0]):
        return [to_host(each) for each in maps]
    import torch

    parts = [as_tensor(each).float().flatten() for each in maps]
    numbers = torch.cat(parts).cpu().numpy()
    ends = np.cumsum([len(part) for part in parts])[:-1]
    return [part.reshape(tuple(each.shape)) for part, each in zip(np.split(numbers, ends), maps, strict=True)]


def to_kind_of(model: Array, values: NDArray[Any]) -> Array:
    """Return a map in its own dtype, of the kind and on the device of `model`."""
    if is_host(model):
        return values
    import torch

    return torch.from_numpy(values).to(model.device)


def to_picture_of(model: Array, rgb: NDArray[np.uint8]) -> Array:
    """Return uint8 (H,W,3) as a picture of the kind, dtype and device of `model`."""
    if is_host(model):
        return as_planes(rgb)
    return like(unit(to_kind_of(model, np.ascontiguousarray(as_planes(rgb)))), model)  # type: ignore[no-any-return]


def unit(x: Array) -> Any:
    """Return `x` as floats 0..1 of its own kind: float32 for bytes, `x` itself for floats."""
    if x.dtype == np.uint8 and is_host(x):
        return x * np.float32(1 / 255)
    if is_host(x) or x.is_floating_point():
        return x
    return x.float().mul_(1 / 255)


def like(x: Any, model: Array) -> Any:
    """Convert floats 0..1 to the dtype of `model`, which is of the same kind."""
    if not is_host(model):
        return x.to(model.dtype)
    if model.dtype != np.uint8:
        return x.astype(model.dtype)
    return as_planes(_round(np.moveaxis(x[0], 0, -1)))


def as_bytes(x: Array) -> NDArray[np.uint8]:
    """Return `x` as bytes (1,C,H,W) on the CPU: `x` itself if it is that already, else a rounded copy."""
    if not is_host(x):
        x = x.float().cpu().numpy() if x.is_floating_point() else x.cpu().numpy()
    return np.asarray(x if x.dtype == np.uint8 else as_planes(_round(np.moveaxis(x[0], 0, -1))), np.uint8)


def _round(x: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return floats 0..1 (H,W,C) as bytes that lie pixel by pixel; what is no number becomes any byte."""
    levels = x * np.float32(255)
    levels += np.float32(0.5)
    with np.errstate(invalid="ignore"):
        return np.ascontiguousarray(np.clip(levels, 0, 255, out=levels), np.uint8)


def interleave(x: NDArray[Any]) -> NDArray[Any]:
    """Return (1,C,H,W) as (H,W,C), or (H,W) for one channel: contiguous, the same memory if it lies pixel by pixel."""
    return np.ascontiguousarray(x[0, 0] if x.shape[1] == 1 else x[0].transpose(1, 2, 0))


def as_planes(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return (H,W,C) or (H,W) as (1,C,H,W) over the same memory."""
    return (pixels if pixels.ndim == 3 else pixels[..., None]).transpose(2, 0, 1)[None]


def mirror(x: Array) -> Array:
    """Return the mirror image of (1,C,H,W), in memory as the picture is."""
    return as_planes(np.asarray(cv2.flip(interleave(x), 1))) if is_host(x) else x.flip(3)


def means(*pictures: Array) -> list[float]:
    """Return the mean of each picture, 0..1. Waits once for the accelerator."""
    first = pictures[0]
    if is_host(first):
        return [float(np.mean(cv2.mean(interleave(to_host(x)))[: x.shape[1]])) * _step(x) for x in pictures]
    import torch

    found: list[float] = torch.stack([as_tensor(x).float().mean() for x in pictures]).tolist()
    return found


def _step(x: Array) -> float:
    return 1 / 255 if x.dtype == np.uint8 else 1.0


def blocks(x: Array, side: int) -> Any:
    """Average (1,C,H,W) over blocks of side × side pixels: float32 (1,C,H/side,W/side), 0..1. The rest is cut off."""
    if not is_host(x):
        return _functional().avg_pool2d(x.float(), side)
    rows, columns = (length // side for length in x.shape[2:])
    found = interleave(as_bytes(x))[: rows * side, : columns * side]
    if side % 2 == 0:  # OpenCV halves at once; the whole way takes it twice as long
        found = np.asarray(cv2.resize(found, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    return unit(as_planes(np.asarray(cv2.resize(found, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)))


def exact_blocks(x: Array, side: int) -> NDArray[np.float32]:
    """Return what `blocks` does of bytes, for an even `side`, without rounding to bytes on the way."""
    rows, columns = (length // side for length in x.shape[2:])
    sums = sum_2x2(interleave(to_host(x))[: rows * side, : columns * side]).astype(np.float32)
    found = cv2.resize(sums, (columns, rows), interpolation=cv2.INTER_AREA)
    return as_planes(np.asarray(found, np.float32) / np.float32(4 * 255))


def sum_2x2(picture: NDArray[np.uint8 | np.float32]) -> NDArray[np.uint16 | np.float32]:
    """Sum 2×2 pixels, (2h,2w,C) to (h,w,C): bytes to uint16, 0..1020; floats stay floats."""
    four = np.multiply(picture, 4, dtype=np.uint16 if picture.dtype == np.uint8 else np.float32)  # means are integers
    return cv2.resize(four, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def peaks_below(x: Array, side: int, limit: float) -> Any:
    """Return where no pixel of a block of `x` (1,1,H,W) reaches `limit` (0..1): bool (1,1,H/side,W/side).

    `side` is at most 16.
    """
    if not is_host(x):
        return _functional().max_pool2d(x, side) < limit
    _, above = cv2.threshold(interleave(as_bytes(x)), math.ceil(limit * 255) - 1, 255, cv2.THRESH_BINARY)
    # A single pixel still shows in the mean of a block of 16 × 16.
    return blocks(as_planes(np.asarray(above, np.uint8)), side) < 0.5 / 255


def share_of(x: Array) -> Any:
    """Return the share of each map in bool (B,C,H,W) that is true: float32 (B,C)."""
    return x.mean((2, 3), np.float32) if is_host(x) else x.float().mean((2, 3))


def nanmedian(x: Array) -> Any:
    """Return the lower median of (B,C,N) along N without NaN, (B,C); NaN where there is nothing else."""
    if not is_host(x):
        return x.nanmedian(2).values
    ordered = np.sort(x, axis=2)  # NaN comes last
    count = np.count_nonzero(~np.isnan(ordered), axis=2, keepdims=True)
    return np.take_along_axis(ordered, np.maximum(count - 1, 0) // 2, axis=2)[..., 0]


def _functional() -> ModuleType:
    from torch.nn import functional

    return functional
