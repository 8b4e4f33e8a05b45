"""HDR mapped to SDR: pictures coded with PQ or HLG (ITU-R BT.2100), in BT.2020's colors, as BT.709 of 8 or 16 bits.

Reference white, 203 cd/m² (BT.2408), is white. What is brighter than 1000 cd/m² is cut off; below, the curve of BT.2390
§5.4.1 rolls off from 0.44 of white on, so that skin and rooms keep their brightness and a sky keeps its clouds.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

PQ, HLG = 16, 18  # transfer characteristics of ITU-T H.273, as FFmpeg, MP4, AVIF and PNG number them
_WHITE, _PEAK = 203.0, 1000.0  # cd/m²
_LUMA = np.array([[0.2627, 0.6780, 0.0593]], np.float32)  # of BT.2020
_TO_709 = np.array(  # BT.2087
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
_STEPS = 65535

Linear = NDArray[np.float32]


def is_hdr(transfer: int) -> bool:
    """Tell whether a transfer characteristic is one of HDR."""
    return transfer in (PQ, HLG)


def map_to_sdr(coded: NDArray[np.uint16], transfer: int) -> NDArray[np.uint8]:
    """Map RGB of BT.2020, uint16 (H,W,3) in full range, coded with `transfer`, to RGB of BT.709, uint8 (H,W,3)."""
    return np.asarray(_encoding(255)[_light_steps(coded, transfer)], np.uint8)


def map_to_sdr_deep(coded: NDArray[np.uint16], transfer: int) -> NDArray[np.uint16]:
    """Map as `map_to_sdr` does, to uint16 (H,W,3) in full range: for results of more than 8 bits."""
    return np.asarray(_encoding(65535)[_light_steps(coded, transfer)], np.uint16)


def _light_steps(coded: NDArray[np.uint16], transfer: int) -> NDArray[np.uint16]:
    """Return the places in `_encoding`, (H,W,3): the square root gives shadows their share of the steps."""
    light = _decoding(transfer)[coded]
    if transfer == HLG:  # the OOTF of a screen of 1000 cd/m²
        luma = np.asarray(cv2.transform(light, _LUMA), np.float32)
        light = light * np.asarray(cv2.pow(luma, 0.2), np.float32)[..., None] * np.float32(_PEAK / _WHITE)
    light = np.asarray(cv2.transform(light, _TO_709), np.float32)
    steps = np.sqrt(light.clip(0, _PEAK / _WHITE) * np.float32(_WHITE / _PEAK)) * np.float32(_STEPS)
    return steps.astype(np.uint16)


@cache
def _decoding(transfer: int) -> Linear:
    """Return light by code: for PQ of the screen, 1 is reference white; for HLG of the scene, 1 is the peak."""
    code = np.arange(_STEPS + 1) / _STEPS
    if transfer == PQ:
        return np.asarray(_decode_pq(code) / _WHITE, np.float32)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.asarray(np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12), np.float32)


@cache
def _encoding(most: int) -> NDArray[np.uint8 | np.uint16]:
    """Return the code, 0 to `most`, by the square root of the light's share of the peak: rolled off, for BT.1886."""
    light = (np.arange(_STEPS + 1) / _STEPS) ** 2 * _PEAK
    white, top = _encode_pq(np.array([_WHITE, _PEAK]))
    level, white = _encode_pq(light) / top, white / top
    knee = 1.5 * white - 0.5
    t = ((level - knee) / (1 - knee)).clip(0, 1)
    rolled = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * white
    shown = _decode_pq(np.where(level < knee, level, rolled) * top) / _WHITE
    return (shown.clip(0, 1) ** (1 / 2.4) * most).round().astype(np.min_scalar_type(most))


_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128  # of PQ


def _decode_pq(code: NDArray[np.float64]) -> NDArray[np.float64]:
    power = code ** (1 / _M2)
    return np.asarray(10_000 * ((power - _C1).clip(0) / (_C2 - _C3 * power)) ** (1 / _M1))


def _encode_pq(light: NDArray[np.float64]) -> NDArray[np.float64]:
    power = (light / 10_000) ** _M1
    return np.asarray(((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2)
