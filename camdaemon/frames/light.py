"""SDR codes as linear light and back, by the transfer characteristics of ITU-T H.273, for whoever composites in light.

What is coded as BT.709 is decoded with the inverse of that standard's OETF, not with a screen's curve (BT.1886): so do
FFmpeg (`libavutil/csp.c`, its `colorspace` filter) and what film editors call rec709; an EXR of ours has their numbers.
zimg's `zscale` takes BT.1886 unless it is asked for scene light.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

BT709, GAMMA22, GAMMA28, LINEAR, SRGB = 1, 4, 5, 8, 13  # as H.273, FFmpeg and MP4 number them
_POWERS = {GAMMA22: 2.2, GAMMA28: 2.8, LINEAR: 1.0}
# (scale, slope, power, knee in code, in light): code/slope below the knee, ((code + scale - 1)/scale)**power above it.
_SRGB = (1.055, 12.92, 2.4, 0.04045, 0.0031308)  # IEC 61966-2-1
_BT709 = (1.099296826809442, 4.5, 1 / 0.45, 4.5 * 0.018053968510807, 0.018053968510807)  # the digits of H.273

Linear = NDArray[np.float32]


def to_linear(coded: NDArray[np.float32 | np.uint8 | np.uint16], transfer: int) -> Linear:
    """Decode SDR to linear light.

    Args:
        coded: Of any shape: float32 0..1, or integers in the full range of their type.
        transfer: A transfer characteristic; what is not sRGB, a pure power or linear counts as BT.709. HDR has to be
            mapped to SDR before (`hdr.map_to_sdr_deep`), and is BT.709 then.

    Returns:
        float32 of the same shape: 0 is black, 1 is white. Beyond, the formula goes on; a power has no light below 0.
    """
    if coded.dtype == np.float32:
        return np.asarray(_decode(coded, transfer), np.float32)
    return np.asarray(_table(255 if coded.dtype == np.uint8 else 65535, transfer)[coded], np.float32)


def from_linear(light: Linear, transfer: int) -> Linear:
    """Code linear light, float32 of any shape, as SDR, float32; the inverse of `to_linear`."""
    if transfer in _POWERS:
        return _power(light, 1 / _POWERS[transfer])
    scale, slope, power, _, knee = _SRGB if transfer == SRGB else _BT709
    return np.asarray(
        np.where(light < knee, light * slope, _power(light, 1 / power) * scale - (scale - 1)), light.dtype
    )


@cache
def _table(most: int, transfer: int) -> Linear:
    """Return the light of each code from 0 to `most`."""
    return np.asarray(_decode(np.arange(most + 1) / most, transfer), np.float32)


def _decode(code: NDArray[Any], transfer: int) -> NDArray[Any]:
    if transfer in _POWERS:
        return _power(code, _POWERS[transfer])
    scale, slope, power, knee, _ = _SRGB if transfer == SRGB else _BT709
    return np.asarray(np.where(code < knee, code / slope, _power((code + (scale - 1)) / scale, power)), code.dtype)


def _power(values: NDArray[Any], power: float) -> NDArray[Any]:
    return values if power == 1 else np.asarray(values.clip(0) ** power, values.dtype)
