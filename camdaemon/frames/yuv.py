"""YUV of 8 to 16 bits to RGB of 16 and back, in floats: FFmpeg's own conversion is up to 4 of 1023 levels off there.

The formulas are those of ITU-R BT.601, BT.709 and BT.2020 (non-constant luminance). Subsampled colors lie on every
second column and between two lines, as MPEG-2, H.264 and ProRes have them unless they say otherwise.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# Shares of red and blue in luma, by the matrix's number in ITU-T H.273; any other one is taken for BT.601's.
_BT601 = (0.299, 0.114)
_SHARES = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: _BT601, 6: _BT601, 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
_MOST = 65535

Floats = NDArray[np.float32]
Deep = NDArray[np.uint16]


def to_rgb(yuv: Floats, bits: int, matrix: int, *, full: bool) -> Deep:
    """Convert YUV to RGB.

    Args:
        yuv: (H,W,3), as it is coded with `bits` bits.
        bits: 8 to 16.
        matrix: Its number in ITU-T H.273.
        full: Whether it is in full range.

    Returns:
        uint16 (H,W,3) in full range.
    """
    scale, offset = _find_range(bits, full=full)
    inverse = np.linalg.inv(_matrix_of(matrix) * scale[:, None]) * _MOST
    step = np.column_stack([inverse, 0.5 - inverse @ offset]).astype(np.float32)
    return np.asarray(cv2.transform(yuv, step).clip(0, _MOST), np.uint16)


def from_rgb(rgb: Deep, bits: int, matrix: int, *, full: bool) -> Floats:
    """Convert uint16 (H,W,3) RGB to YUV (H,W,3) for `bits` bits, not rounded; see `to_rgb`."""
    scale, offset = _find_range(bits, full=full)
    step = np.column_stack([_matrix_of(matrix) * scale[:, None] / _MOST, offset]).astype(np.float32)
    return np.asarray(cv2.transform(rgb.astype(np.float32), step), np.float32)


def subsample(plane: Floats, width: int, height: int) -> Floats:
    """Return (H,W) of a plane of colors with `width` columns and `height` lines, each the whole or half of them."""
    chroma: NDArray[Any] = plane
    if width < chroma.shape[1]:
        chroma = cv2.sepFilter2D(chroma, -1, np.array([0.25, 0.5, 0.25]), np.array([1.0]))[:, ::2]
    if height < chroma.shape[0]:
        if chroma.shape[0] % 2:
            chroma = np.concatenate([chroma, chroma[-1:]])
        chroma = (chroma[::2] + chroma[1::2]) / 2
    return np.asarray(chroma, np.float32)


def quantize(plane: Floats, bits: int) -> NDArray[Any]:
    """Round a plane to what `bits` bits can hold, uint8 or uint16."""
    dtype = np.uint8 if bits == 8 else np.uint16
    return np.asarray((plane + np.float32(0.5)).clip(0, (1 << bits) - 1), dtype)


def _matrix_of(number: int) -> NDArray[np.float64]:
    """Return rows Y, U, V of RGB 0..1: Y is 0..1, U and V are -0.5..0.5."""
    red, blue = _SHARES.get(number, _BT601)
    luma = np.array([red, 1 - red - blue, blue])
    return np.array([luma, ([0, 0, 1] - luma) / (2 - 2 * blue), ([1, 0, 0] - luma) / (2 - 2 * red)])


def _find_range(bits: int, *, full: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what Y, U and V are multiplied by, and what is added."""
    middle = float(1 << (bits - 1))
    if full:
        return np.full(3, (1 << bits) - 1.0), np.array([0.0, middle, middle])
    step = float(1 << (bits - 8))
    return np.array([219.0, 224.0, 224.0]) * step, np.array([16.0 * step, middle, middle])
