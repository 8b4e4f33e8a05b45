"""Fitting the plate to a frame that it does not explain: one shift, and gains on a coarse grid.

All of it works on small copies of frame and plate in host memory, (h,w,3) uint8, a quarter of a block to the pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

FINE = 4  # pixels of a small copy along a block's side
DIFFERENT = 0.08  # of full brightness, in any channel
SOUND = 0.05  # of the room's blocks may differ: shadows, things moved a little; with the right plate 0.005 do

_CELLS = (4, 6)  # rows and columns of the grid; a finer one would explain another room by its light
_SHRINK = 8  # blocks that a cell needs to be worth as much as all the room together
_UNEVEN = math.log(1.6)  # a cell's gain is at most so far from the whole room's
_GAINS = (0.4, 2.5)  # of the whole room; beyond, it is a picture of something else
_LEAST = 12  # blocks of room to fit anything by
_SURE = 0.5  # of the correlation, 0..1; a plate that fits has 0.8 and more, one of another room less than 0.25
_FARTHEST = 0.04  # of the width; a camera that moved farther needs a new plate
_NEAREST = 1 / 640  # of the width; a smaller shift is not worth another plate


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """How a plate is brought to a frame.

    Attributes:
        shift: (right, down) in pixels of the frame: how far the room has moved in the picture.
        gains: (rows, columns, 3) float32, R, G, B: the factors in the middle of each cell of the grid.
    """

    shift: tuple[int, int]
    gains: Floats


def find_gains(now: Floats, then: Floats, room: Mask) -> Floats | None:
    """Find the gains that bring the plate to a frame, on a coarse grid: a lamp at one side, a cloud at the window.

    Each cell has the median of its blocks, drawn to that of all the room by how few they are.

    Args:
        now: Means of the frame's blocks, (rows, columns, 3), 0..1.
        then: Those of the plate.
        room: Blocks that show only the room.

    Returns:
        As `Fit.gains`; None when there is too little room to see.
    """
    usable = room & (then > 0.05).all(2) & (now > 0.03).all(2)
    if np.count_nonzero(usable) < _LEAST:
        return None
    logs = np.log(np.maximum(now, 1e-3) / np.maximum(then, 1e-3))
    clear = usable & (now < 0.97).all(2)  # where nothing is cut off at white
    whole = np.median(logs[clear if np.count_nonzero(clear) >= _LEAST else usable], axis=0)
    gains = np.empty((*_CELLS, 3), np.float32)
    rows, columns = (
        np.linspace(0, n, cells + 1).round().astype(int) for n, cells in zip(room.shape, _CELLS, strict=True)
    )
    for row, column in np.ndindex(_CELLS):
        cell = (slice(rows[row], rows[row + 1]), slice(columns[column], columns[column + 1]))
        gains[row, column] = _cell_gain(logs[cell], usable[cell], clear[cell], whole)
    whole = np.clip(whole, *np.log(_GAINS))
    return np.asarray(np.exp(np.clip(gains, whole - _UNEVEN, whole + _UNEVEN)), np.float32)


def _cell_gain(logs: Floats, usable: Mask, clear: Mask, whole: Floats) -> Floats:
    """Return the log gain (3,) of a cell; white blocks, whose true gain may be larger, count if the others are few."""
    chosen = clear if 3 * np.count_nonzero(clear) >= np.count_nonzero(usable) else usable
    count = np.count_nonzero(chosen)
    if not count:
        return whole
    return np.asarray(whole + (np.median(logs[chosen], axis=0) - whole) * count / (count + _SHRINK), np.float32)


def spread_gains(gains: Floats, shape: tuple[int, int]) -> Floats:
    """Spread gains (r,c,3) smoothly over `shape` (rows, columns): (rows, columns, 3)."""
    return np.asarray(cv2.resize(gains, shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def find_shift(now: Bytes, then: Bytes, room: Mask) -> tuple[float, float] | None:
    """Find how far the room moved between two small copies, by phase correlation of their structure.

    Args:
        now: Of the frame, (h,w,3).
        then: Of the plate, (h,w,3).
        room: Blocks that show only the room, (h/4,w/4).

    Returns:
        (right, down) in pixels of the copies; None when they do not show the same room.
    """
    height, width = now.shape[:2]
    seen = cv2.resize(cv2.GaussianBlur(room.astype(np.float32), (0, 0), 1.0), (width, height))
    weight = seen * cv2.createHanningWindow((width, height), cv2.CV_32F)
    (right, down), sure = cv2.phaseCorrelate(_structure(then) * weight, _structure(now) * weight)
    return (right, down) if math.isfinite(sure) and sure >= _SURE else None


def _structure(rgb: Bytes) -> Floats:
    """Return what light leaves alone, (h,w): brightness less that of the surroundings, by the contrast there."""
    gray = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.float32)
    detail = gray - cv2.GaussianBlur(gray, (0, 0), 6)
    contrast = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), 12))
    return np.asarray(detail / (contrast + 4), np.float32)


def move(rgb: Bytes, right: float, down: float) -> Bytes:
    """Move a small copy (h,w,3); its edges are repeated."""
    by = np.array([[1, 0, right], [0, 1, down]], np.float64)
    return np.asarray(cv2.warpAffine(rgb, by, rgb.shape[1::-1], borderMode=cv2.BORDER_REPLICATE), np.uint8)


def average(rgb: Bytes) -> Floats:
    """Average a small copy (h,w,3) over blocks: (h/4,w/4,3), 0..1."""
    size = (rgb.shape[1] // FINE, rgb.shape[0] // FINE)
    return np.asarray(np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)) / 255, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a search has found.

    Attributes:
        fit: The best way to bring the plate to the frame; None when there is none.
        share: Of the blocks of room, 0..1, that differ from the plate all the same.
        moved: Pixels that the camera has moved, when that is certain, and too far for a fit; else 0.
    """

    fit: Fit | None
    share: float
    moved: float = 0.0


def find_fit(now: Bytes, then: Bytes, room: Mask, side: int) -> Found:
    """Look for what brings a plate, as it was taken, to a frame: light alone, then a shift as well.

    Args:
        now: Small copy of the frame.
        then: Of the plate.
        room: Blocks that show only the room, by a matte that may be wrong elsewhere.
        side: Of a block, in pixels of the frame.
    """
    best = _find_light(now, then, room, (0, 0))
    if best.share <= SOUND:
        return best
    shift = find_shift(now, then, room)
    if shift is None:
        return best
    scale = side / FINE
    right, down = (round(scale * part) for part in shift)
    if math.hypot(*shift) > _FARTHEST * now.shape[1]:
        return Found(None, 1.0, math.hypot(right, down))
    if math.hypot(*shift) < _NEAREST * now.shape[1]:
        return best
    room = room & find_known(room.shape, (right, down), side)
    moved = _find_light(now, move(then, right / scale, down / scale), room, (right, down))
    return min(best, moved, key=lambda found: found.share)


def _find_light(now: Bytes, then: Bytes, room: Mask, shift: tuple[int, int]) -> Found:
    seen, plate = average(now), average(then)
    gains = find_gains(seen, plate, room)
    if gains is None:
        return Found(None, 1.0)
    differs = find_differences(seen, np.clip(plate * spread_gains(gains, room.shape), 0, 1))
    return Found(Fit(shift, gains), float(differs[room].mean()))


def find_differences(now: Floats, then: Floats) -> Mask:
    """Return which blocks differ more than noise, shadow and a drift of the light explain, (rows, columns)."""
    return np.asarray((np.abs(now - then) > DIFFERENT).any(2))


def find_known(shape: tuple[int, int], shift: tuple[int, int], side: int) -> Mask:
    """Return of which blocks a plate that was moved by `shift` pixels knows anything, (rows, columns)."""
    found = np.ones(shape, bool)
    for axis, by in ((1, shift[0]), (0, shift[1])):
        count = -(-abs(by) // side)
        edge = np.moveaxis(found, axis, 0)
        edge[slice(None, count) if by > 0 else slice(len(edge) - count, None)] = False
    return found
