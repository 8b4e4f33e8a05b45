"""Triton kernels for a GPU: each does in one what `color` and `composite` do in many.

Triton comes with torch's CUDA builds. It is imported with the first kernel, and `is_usable` tells whether to use it. It
compiles a kernel once per dtype, whatever the size, format and memory layout, so no frame waits for it.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from camdaemon.frames.color import OFFSET, TO_YUV
from camdaemon.frames.frame import PixelFormat, Size
from camdaemon.frames.tensors import color

if TYPE_CHECKING:
    import triton.language as tl  # type: ignore[import-not-found,import-untyped,unused-ignore]

log = logging.getLogger(__name__)

_BLOCK = 1024  # pixels, or 2×2 blocks of them, of one program
_SMALL = Size(76, 68)  # the picture that kernels are tried on: neither its rows nor its last program are round numbers
_WRITTEN = (PixelFormat.RGB, PixelFormat.BGR, PixelFormat.I420)
_EQUAL = {torch.float16: 2**-9, torch.float32: 1e-5}  # of 1: the rounding error between two ways of computing


def to_rgb(data: Tensor, fmt: PixelFormat, dtype: torch.dtype) -> Tensor:
    """Convert a uint8 tensor, shaped as the host array of `fmt`, to (1,3,H,W) of `dtype`, RGB, 0..1, same device.

    The result is contiguous. Bytes that are not are copied first.
    """
    rows, width = data.shape[:2]
    height = rows * 2 // 3 if fmt in (PixelFormat.NV12, PixelFormat.I420) else rows
    out = torch.empty((1, 3, height, width), dtype=dtype, device=data.device)
    matrix = _matrix(fmt, True, data.device)
    _launch(_read, height * width, data.contiguous(), out, matrix, width, *_layout(fmt, height, width))
    return out


def from_rgb(rgb: Tensor, fmt: PixelFormat) -> Tensor:
    """Convert (1,3,H,W), RGB, floats 0..1, of any strides, to a uint8 tensor shaped as the host array of `fmt`.

    Raises:
        NotImplementedError: `fmt` is not RGB, BGR or I420, which are all that sinks take.
    """
    if fmt not in _WRITTEN:
        raise NotImplementedError(f"no sink takes {fmt}")
    height, width = rgb.shape[2:]
    shape = (height * 3 // 2, width) if fmt is PixelFormat.I420 else (height, width, 3)
    out = torch.empty(shape, dtype=torch.uint8, device=rgb.device)
    if fmt is PixelFormat.I420:
        matrix = _matrix(fmt, False, rgb.device)
        _launch(_write_planar, height * width // 4, rgb, out, matrix, width // 2, *rgb.stride()[1:])
    else:
        red, step = (0, 1) if fmt is PixelFormat.RGB else (2, -1)
        _launch(_write_packed, height * width, rgb, out, width, *rgb.stride()[1:], red, step)
    return out


def blend(alpha: Tensor, foreground: Tensor, backdrop: Tensor, low: float, high: float) -> Tensor:
    """Composite `foreground` over `backdrop` by `alpha`, stretched so that low..high becomes 0..1.

    Args:
        alpha: (1,1,H,W). All three are floats of any dtype and any strides, also expanded.
        foreground: (1,3,H,W).
        backdrop: (1,3,H,W).
        low: Alpha that becomes 0.
        high: Alpha that becomes 1.

    Returns:
        (1,3,H,W) of the backdrop's dtype, contiguous; computed in float32. NaN stays NaN, wherever it is.
    """
    height, width = backdrop.shape[2:]
    out = torch.empty_like(backdrop, memory_format=torch.contiguous_format)
    strides = (*alpha.stride()[2:], *foreground.stride()[1:], *backdrop.stride()[1:])
    _launch(_blend, height * width, alpha, foreground, backdrop, out, width, *strides, float(low), 1 / (high - low))
    return out


def is_usable(device: torch.device) -> bool:
    """Whether `device` is a GPU on which the functions above give the results of torch.

    The first call takes seconds, because it compiles and compares. Never raises: the log says what went wrong.
    """
    # The device of a tensor has a number, one that was asked for may have none. Without it, all would be tried again.
    return device.type == "cuda" and _is_proven(torch.device("cuda", device.index or 0))


@functools.cache
def _is_proven(device: torch.device) -> bool:
    try:
        for dtype in _EQUAL:
            _compare(device, dtype)
    except Exception as exc:  # no Triton, no compiler, a driver too old: torch alone works
        log.info("Triton not used: %s: %s", type(exc).__name__, exc)
        return False
    return True


def _compare(device: torch.device, dtype: torch.dtype) -> None:
    """Compare every function on `device` with torch on the CPU. Raises RuntimeError where they differ."""
    chance, equal = torch.Generator().manual_seed(0), _EQUAL[dtype]
    planes = (torch.rand((7, 1, _SMALL.height, _SMALL.width), generator=chance) * 1.2 - 0.1).to(dtype)
    near, far, alpha = (part.movedim(0, 1) for part in planes.split((3, 3, 1)))
    right = torch.lerp(far.float(), near.float(), ((alpha.float() - 0.1) / 0.8).clamp(0, 1))
    pairs = [("blending", blend(alpha.to(device), near.to(device), far.to(device), 0.1, 0.9), right, equal)]
    for fmt in PixelFormat:
        data = torch.randint(0, 256, fmt.shape(_SMALL), generator=chance, dtype=torch.uint8)
        found = to_rgb(data.to(device), fmt, dtype)
        pairs.append((f"reading {fmt}", found, color.to_rgb(data, fmt, dtype), equal))
    for fmt in _WRITTEN:
        pairs.append((f"writing {fmt}", from_rgb(near.to(device), fmt), color.from_rgb(near, fmt), 1))
    for what, found, right, most in pairs:
        apart = float((found.cpu().double() - right.double()).abs().max())
        if not apart <= most:  # NaN too
            raise RuntimeError(f"{what} is {apart:.4f} from what torch computes")


def _layout(fmt: PixelFormat, height: int, width: int) -> tuple[int, ...]:
    """Describe where the bytes of a pixel are.

    Returns:
        Where each of the three begins; the steps down and right of the first; those of the other two; and by how many
        bits their column and row are halved.
    """
    area, packed = height * width, (3 * width, 3, 3 * width, 3, 0, 0)
    return {
        PixelFormat.RGB: (0, 1, 2, *packed),
        PixelFormat.BGR: (2, 1, 0, *packed),
        PixelFormat.YUYV: (0, 1, 3, 2 * width, 2, 2 * width, 4, 1, 0),
        PixelFormat.NV12: (0, area, area + 1, width, 1, width, 2, 1, 1),
        PixelFormat.I420: (0, area, area + area // 4, width, 1, width // 2, 1, 1, 1),
    }[fmt]


@functools.cache
def _matrix(fmt: PixelFormat, reading: bool, device: torch.device) -> Tensor:
    """Return the float32 (4,4) that takes (R, G, B, 1), 0..1, to a pixel's (three bytes, 1); when `reading`, back."""
    matrix = torch.diag(torch.tensor([255.0, 255.0, 255.0, 1.0])).double()
    if fmt not in (PixelFormat.RGB, PixelFormat.BGR):
        matrix[:3] = torch.tensor([(*row, start) for row, start in zip(TO_YUV, OFFSET, strict=True)])
    return (matrix.inverse() if reading else matrix).float().contiguous().to(device)


def _launch(kernel: Callable[..., None], count: int, *given: Tensor | float) -> None:
    """Run `kernel` for `count` pixels or blocks of them, on the current stream."""
    _compiled(kernel)[(-(-count // _BLOCK),)](*given, count, block=_BLOCK, enable_fp_fusion=True)


@functools.cache
def _compiled(kernel: Callable[..., None]) -> Any:
    import triton  # type: ignore[import-not-found,import-untyped,unused-ignore]

    globals()["tl"] = triton.language  # a kernel looks its words up in its module
    # Triton would compile again for a number or address that is a multiple of 16. `pixels` of a legal size always is.
    varying = [name for name in inspect.signature(kernel).parameters if name not in ("out", "pixels", "block")]
    return triton.jit(kernel, do_not_specialize=varying)


# The kernels get tensors as addresses, and as their last two parameters what `_launch` adds.
def _read(  # type: ignore[no-untyped-def]
    data, out, matrix, width, a, b, c, down, right, others_down, others_right, across, tall, pixels, block: tl.constexpr
):
    at = tl.program_id(0) * block + tl.arange(0, block)
    there = at < pixels
    y, x = at // width, at % width
    others = data + (y >> tall) * others_down + (x >> across) * others_right
    first = tl.load(data + a + y * down + x * right, there, 0).to(tl.float32)
    second = tl.load(others + b, there, 0).to(tl.float32)
    third = tl.load(others + c, there, 0).to(tl.float32)
    for channel in tl.static_range(3):
        row = matrix + 4 * channel
        value = tl.load(row) * first + tl.load(row + 1) * second + tl.load(row + 2) * third + tl.load(row + 3)
        tl.store(out + channel * pixels + at, tl.clamp(value, 0.0, 1.0).to(out.dtype.element_ty), there)


def _write_packed(rgb, out, width, plane, down, right, red, step, pixels, block: tl.constexpr):  # type: ignore[no-untyped-def]
    at = tl.program_id(0) * block + tl.arange(0, block)
    there = at < pixels
    for channel in tl.static_range(3):
        value = tl.load(rgb + channel * plane + at // width * down + at % width * right, there, 0).to(tl.float32)
        tl.store(out + 3 * at + red + step * channel, tl.clamp(value * 255 + 0.5, 0.0, 255.0).to(tl.uint8), there)


def _write_planar(rgb, out, matrix, half, plane, down, right, quarter, block: tl.constexpr):  # type: ignore[no-untyped-def]
    at = tl.program_id(0) * block + tl.arange(0, block)
    there = at < quarter
    u, v = tl.load(matrix + 7) + 0.5, tl.load(matrix + 11) + 0.5
    for corner in tl.static_range(4):
        y, x = at // half * 2 + corner // 2, at % half * 2 + corner % 2
        luma = tl.load(matrix + 3) + 0.5
        for channel in tl.static_range(3):
            value = tl.load(rgb + channel * plane + y * down + x * right, there, 0).to(tl.float32)
            luma += tl.load(matrix + channel) * value
            u += tl.load(matrix + 4 + channel) * (value / 4)
            v += tl.load(matrix + 8 + channel) * (value / 4)
        tl.store(out + y * 2 * half + x, tl.clamp(luma, 0.0, 255.0).to(tl.uint8), there)
    tl.store(out + 4 * quarter + at, tl.clamp(u, 0.0, 255.0).to(tl.uint8), there)
    tl.store(out + 5 * quarter + at, tl.clamp(v, 0.0, 255.0).to(tl.uint8), there)


def _blend(alpha, near, far, out, width, ay, ax, nc, ny, nx, fc, fy, fx, low, scale, pixels, block: tl.constexpr):  # type: ignore[no-untyped-def]
    at = tl.program_id(0) * block + tl.arange(0, block)
    there = at < pixels
    y, x = at // width, at % width
    share = (tl.load(alpha + y * ay + x * ax, there, 0).to(tl.float32) - low) * scale
    share = tl.where(share < 0, 0.0, tl.where(share > 1, 1.0, share))  # NaN stays NaN, for the check to find
    for channel in tl.static_range(3):
        person = tl.load(near + channel * nc + y * ny + x * nx, there, 0).to(tl.float32)
        behind = tl.load(far + channel * fc + y * fy + x * fx, there, 0).to(tl.float32)
        tl.store(out + channel * pixels + at, (behind + (person - behind) * share).to(out.dtype.element_ty), there)
