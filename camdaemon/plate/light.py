"""How a plate is brought to the light of a frame: gains on a coarse grid, and what lifts the blacks.

A lamp at one side, a cloud at the window: frame = gains·plate + lift, where the gains change smoothly over the picture.
All of it works on means of blocks, (rows,columns,3), 0..1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.frames import pixels
from camdaemon.frames.pixels import Array
from camdaemon.plate.parts import Mask

Floats = NDArray[np.float32]

DIFFERENT = 0.08  # of full brightness, in any channel
SOUND = 0.05  # of the room's blocks may differ: shadows, things moved a little; with the right plate 0.005 do

_CELLS = (4, 6)  # rows and columns of the grid; a finer one would explain another room by its light
_SHRINK = 8  # blocks that a cell needs to be worth as much as all the room together
_UNEVEN = math.log(1.6)  # a cell's gain is at most so far from the whole room's
_GAINS = (0.4, 2.5)  # of the whole room; beyond, it is a picture of something else
_LEAST = 12  # blocks of room to fit anything by
_LIFT = (0.015, 0.15)  # less is not worth a number, more is a picture of something else
_STEEP = 0.1  # spread of the plate's brightness, 0..1, that tells a lift from a gain


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """How a plate is brought to a frame's light.

    Attributes:
        gains: (rows,columns,3) float32, R, G, B: the factors in the middle of each cell of the grid.
        lift: (3,) float32, 0..1: what is added after that, where the camera or a lamp in its lens lifts the blacks.
    """

    gains: Floats
    lift: Floats


def find_light(now: Floats, then: Floats, room: Mask) -> Light | None:
    """Find the light that brings the plate to a frame.

    Each cell has the median of its blocks, drawn to that of all the room by how few they are.

    Args:
        now: Means of the frame's blocks.
        then: Those of the plate as it was taken.
        room: Blocks that show only the room, (rows,columns).

    Returns:
        The light; None when there is too little room to see.
    """
    usable = room & (then > 0.05).all(2) & (now > 0.03).all(2)
    if np.count_nonzero(usable) < _LEAST:
        return None
    clear = usable & (now < 0.97).all(2)  # where nothing is cut off at white
    clear = clear if np.count_nonzero(clear) >= _LEAST else usable
    lift = _find_lift(now[clear], then[clear])
    logs = np.log(np.maximum(now - lift, 1e-3) / np.maximum(then, 1e-3))
    whole = np.median(logs[clear], axis=0)
    gains = np.empty((*_CELLS, 3), np.float32)
    rows, columns = (
        np.linspace(0, n, cells + 1).round().astype(int) for n, cells in zip(room.shape, _CELLS, strict=True)
    )
    for row, column in np.ndindex(_CELLS):
        cell = (slice(rows[row], rows[row + 1]), slice(columns[column], columns[column + 1]))
        gains[row, column] = _cell_gain(logs[cell], usable[cell], clear[cell], whole)
    whole = np.clip(whole, *np.log(_GAINS))
    return Light(np.asarray(np.exp(np.clip(gains, whole - _UNEVEN, whole + _UNEVEN)), np.float32), lift)


def _find_lift(now: Floats, then: Floats) -> Floats:
    """Return the lift (3,) of blocks (n,3): where a line explains them better than a factor does."""
    lift = np.zeros(3, np.float32)
    for channel in range(3):
        x, y = then[:, channel].astype(np.float64), now[:, channel].astype(np.float64)
        if x.std() < _STEEP:
            continue
        gain, residual = np.median(y / x), np.abs(y - np.median(y / x) * x)
        near = np.ones(len(x), bool)
        for _ in range(4):  # without what has changed in the room
            slope, offset = np.polyfit(x[near], y[near], 1)
            error = np.abs(y - slope * x - offset)
            near = error <= max(1e-3, 2.5 * float(np.median(error)))
        if gain > 0 and _LIFT[0] < offset < _LIFT[1] and np.median(error) < 0.6 * np.median(residual):
            lift[channel] = offset
    return lift


def _cell_gain(logs: Floats, usable: Mask, clear: Mask, whole: Floats) -> Floats:
    """Return the log gain (3,) of a cell; white blocks, whose true gain may be larger, count if the others are few."""
    chosen = usable & clear if 3 * np.count_nonzero(usable & clear) >= np.count_nonzero(usable) else usable
    count = np.count_nonzero(chosen)
    if not count:
        return whole
    return np.asarray(whole + (np.median(logs[chosen], axis=0) - whole) * count / (count + _SHRINK), np.float32)


def spread_gains(gains: Floats, shape: tuple[int, int]) -> Floats:
    """Spread gains (r,c,3) smoothly over `shape` (rows, columns): (rows, columns, 3)."""
    return np.asarray(cv2.resize(gains, shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def shed(then: Floats, light: Light) -> Floats:
    """Return blocks (rows,columns,3) of a plate in `light`."""
    return np.asarray(np.clip(then * spread_gains(light.gains, then.shape[:2]) + light.lift, 0, 1), np.float32)


def find_differences(now: Floats, then: Floats) -> Mask:
    """Return which blocks differ more than noise, shadow and a drift of the light explain, (rows, columns)."""
    return np.asarray((np.abs(now - then) > DIFFERENT).any(2))


def light(picture: Array, gains: Array) -> Array:
    """Multiply a picture (1,3,H,W), bytes or floats, by gains (1,3,r,c) that are spread smoothly over it."""
    if not pixels.is_host(picture):
        from torch.nn import functional

        assert not pixels.is_host(gains)
        factors = functional.interpolate(gains, picture.shape[2:], mode="bilinear", align_corners=False)
        return (picture * factors.to(picture.dtype)).clamp_(0, 1)
    rgb = pixels.interleave(picture)
    spread = spread_gains(pixels.interleave(pixels.to_host(gains)), rgb.shape[:2])
    return pixels.as_planes(np.asarray(cv2.multiply(rgb, spread, dtype=cv2.CV_8U), np.uint8))


def apply_gain(clean: Array, gain: Array, lift: Array | None = None) -> Array:
    """Multiply a picture, (1,3,H,W), bytes or floats, by gains, (1,3,1,1), add `lift`, 0..1, and clamp it."""
    if not pixels.is_host(clean):
        shown = clean * pixels.as_tensor(gain).to(clean.dtype)
        return (shown if lift is None else shown + pixels.as_tensor(lift).to(clean.dtype)).clamp_(0, 1)
    offset = np.zeros(3) if lift is None else 255 * _flatten(lift).astype(float)
    by = np.column_stack([np.diag(_flatten(gain).astype(float)), offset])
    return pixels.as_planes(np.asarray(cv2.transform(pixels.interleave(clean), by), np.uint8))


def apply_exact_gain(clean: Array, gain: Array, lift: Array | None = None) -> Array:
    """Do what `apply_gain` does with bytes, without rounding: float32, 0..255."""
    levels = np.arange(256, dtype=np.float32)[:, None] * _flatten(gain)
    if lift is not None:
        levels += 255 * _flatten(lift)
    return pixels.as_planes(cv2.LUT(pixels.interleave(pixels.to_host(clean)), levels.clip(0, 255)[None]))


def _flatten(factors: Array) -> Floats:
    return np.asarray(pixels.to_host(factors).reshape(-1), np.float32)
