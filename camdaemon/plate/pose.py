"""Where the camera looks now: how the room of a plate has moved in the picture, and pictures moved like that.

All of it works on small copies of frame and plate in host memory, (h,w,3) uint8, a quarter of a block to the pixel, so
that it takes some milliseconds. Phase correlation finds a shift (Kuglin and Hines 1975), and ECC what is left: a turn,
another zoom, a lid's tilt (Evangelidis and Psarakis 2008). Both look at structure alone, which light does not change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.plate.parts import Mask

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]  # (3,3): from pixels of one picture to those of another, as homogeneous coordinates

STILL = np.eye(3)
_COARSE = 0.5  # of the copies, to find a shift in: details have no common one where the camera was turned, too
_SURE = 0.25  # of the correlation's peak, 0..1, from which on a shift is worth a closer look
_ALIKE = 0.6  # correlation of the structures, -1..1, with a plate that lies right; another room's has less than 0.3
_GAIN = 0.02  # by which a movement has to make the correlation better
_OVERLAP = 0.25  # of the picture at least, in which both are known, to compare by
_FARTHEST = 0.35  # of the width or height: a corner of the picture that moved farther is another view
_ITERATIONS = ((0.5, cv2.MOTION_AFFINE, 30), (1.0, cv2.MOTION_HOMOGRAPHY, 30))
_EPSILON = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A small copy of a picture, as `find_movement` takes it.

    Attributes:
        rgb: uint8 (h,w,3).
        usable: (h,w): where it shows the room.
    """

    rgb: Bytes
    usable: Mask


def find_movement(now: View, then: View, guess: Matrix = STILL) -> Matrix | None:
    """Find how the room of `then` has moved, so that it lies in the picture as in `now`.

    Args:
        now: Of the frame, where its matte sees the room; the matte may be wrong elsewhere.
        then: Of the plate, where it is known.
        guess: Where to begin beside the shift: the last frame's movement, for a camera that is held by hand.

    Returns:
        The movement in pixels of the copies; None where they do not show the same room, or it has not moved.
    """
    first, second = (_structure(view) for view in (now, then))
    best, found = _correlate(first, second, now.usable, then.usable, STILL) + _GAIN, None
    for begin in _list_begins(first, second, now.usable, then.usable, guess):
        movement = begin
        for scale, motion, count in _ITERATIONS:
            try:
                movement = _refine(first, second, now.usable, then.usable, movement, scale, motion, count)
            except cv2.error:  # it does not converge
                break
            alike = _correlate(first, second, now.usable, then.usable, movement)
            # a homography bends a picture that has little structure; so it has to be worth it
            least = best if motion == cv2.MOTION_AFFINE else best + _GAIN
            if alike > max(least, _ALIKE) and _is_near(movement, now.rgb.shape):
                best, found = alike, movement
        if found is not None:
            return found
    return None


def _list_begins(first: Floats, second: Floats, here: Mask, there: Mask, guess: Matrix) -> list[Matrix]:
    """List movements to begin with, the most likely one first: `guess`, and a shift beside it."""
    shift = _find_shift(first, second, here, there, guess)
    if shift is None:
        return [guess]
    return sorted((guess, shift), key=lambda each: -_correlate(first, second, here, there, each))


def measure_fit(now: View, then: View, movement: Matrix = STILL) -> float:
    """Return how alike the structures of frame and plate are where both show the room, -1..1."""
    return _correlate(_structure(now), _structure(then), now.usable, then.usable, movement)


def _find_shift(first: Floats, second: Floats, here: Mask, there: Mask, guess: Matrix) -> Matrix | None:
    """Find a shift beside `guess` by phase correlation."""
    moved, known = _move(second, there, guess)
    size = (round(first.shape[1] * _COARSE), round(first.shape[0] * _COARSE))
    window = cv2.createHanningWindow(size, cv2.CV_32F)
    now, then = (cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in (first * here, moved * known))
    (right, down), sure = cv2.phaseCorrelate(then * window, now * window)
    if not (math.isfinite(sure) and sure >= _SURE):
        return None
    return np.array([[1, 0, right / _COARSE], [0, 1, down / _COARSE], [0, 0, 1]]) @ guess


def _refine(
    first: Floats, second: Floats, here: Mask, there: Mask, movement: Matrix, scale: float, motion: int, count: int
) -> Matrix:
    """Refine a movement by ECC on copies of `scale`; raises cv2.error where that does not converge."""
    size = (round(first.shape[1] * scale), round(first.shape[0] * scale))
    now, then = (cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in (first, second))
    masks = [cv2.resize(part.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) for part in (here, there)]
    by = np.diag((scale, scale, 1.0))
    inverse = np.linalg.inv(by @ movement @ np.linalg.inv(by))  # from the frame to the plate
    begin = (inverse if motion == cv2.MOTION_HOMOGRAPHY else inverse[:2]).astype(np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, count, _EPSILON)
    _, found = cv2.findTransformECCWithMask(now, then, masks[0], masks[1], begin, motion, criteria, 5)
    whole = np.vstack([found, [0, 0, 1]]) if found.shape[0] == 2 else found
    refined = np.linalg.inv(by) @ np.linalg.inv(whole.astype(np.float64)) @ by
    return np.asarray(refined / refined[2, 2])


def _structure(view: View) -> Floats:
    """Return what light leaves alone, (h,w): brightness less that of the surroundings, by the contrast there."""
    gray = np.asarray(cv2.cvtColor(view.rgb, cv2.COLOR_RGB2GRAY), np.float32)
    detail = gray - cv2.GaussianBlur(gray, (0, 0), 6)
    contrast = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), 12))
    return np.asarray(detail / (contrast + 4), np.float32)


def _move(part: Floats, known: Mask, movement: Matrix) -> tuple[Floats, Mask]:
    """Move a map and what is known of it."""
    size = part.shape[::-1]
    moved = cv2.warpPerspective(part, movement, size)
    still_known = cv2.warpPerspective(known.astype(np.uint8), movement, size, flags=cv2.INTER_NEAREST)
    return np.asarray(moved, np.float32), still_known > 0


def _correlate(first: Floats, second: Floats, here: Mask, there: Mask, movement: Matrix) -> float:
    """Return the correlation of two structures after a movement, -1..1; -1 where there is too little to compare."""
    moved, known = _move(second, there, movement)
    both = here & known
    if float(both.mean()) < _OVERLAP:
        return -1.0
    now, then = first[both], moved[both]
    now, then = now - now.mean(), then - then.mean()
    return float((now * then).sum() / (math.sqrt(float((now * now).sum() * (then * then).sum())) + 1e-6))


def _is_near(movement: Matrix, shape: tuple[int, ...]) -> bool:
    """Whether no corner of the picture has moved far."""
    height, width = shape[:2]
    corners = np.array([[[0, 0]], [[width, 0]], [[width, height]], [[0, height]]], np.float64)
    moved = cv2.perspectiveTransform(corners, movement)
    return bool((np.abs(moved - corners) < _FARTHEST * np.array([width, height])).all())


def measure_distance(movement: Matrix, size: tuple[int, int]) -> float:
    """Return how far the middle of a picture of `size` (height, width) has moved, in its pixels."""
    middle = np.array([size[1] / 2, size[0] / 2, 1])
    moved = movement @ middle
    return float(np.hypot(*(moved[:2] / moved[2] - middle[:2])))


def scale_movement(movement: Matrix, factor: float) -> Matrix:
    """Return a movement found in small copies for pictures that are `factor` times as large."""
    by = np.diag((factor, factor, 1.0))
    return np.asarray(by @ movement @ np.linalg.inv(by))


def warp(rgb: Bytes, movement: Matrix) -> Bytes:
    """Move a picture (H,W,3); its edges are repeated."""
    size = rgb.shape[1::-1]
    moved = cv2.warpPerspective(rgb, movement, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def warp_blocks(known: Mask, movement: Matrix, size: tuple[int, int], side: int) -> Mask:
    """Return which blocks lie wholly in blocks that were `known` before the movement.

    Args:
        known: (rows,columns).
        movement: In pixels of the picture.
        size: Height and width of the picture.
        side: Of a block, in pixels.
    """
    height, width = size
    back, found = np.linalg.inv(movement), np.ones(known.shape, bool)
    for below, beside in ((0, 0), (0, 1), (1, 0), (1, 1)):  # corners of each block, half a pixel inside
        y, x = np.mgrid[: known.shape[0], : known.shape[1]].astype(np.float64) * side
        corners = np.stack([x + (side - 1) * beside + 0.5, y + (side - 1) * below + 0.5], 2)
        before = cv2.perspectiveTransform(corners.reshape(1, -1, 2), back).reshape(*known.shape, 2)
        inside = (before >= 0).all(2) & (before <= (width, height)).all(2)
        at = np.clip((before / side).astype(int), 0, (known.shape[1] - 1, known.shape[0] - 1))
        found &= inside & known[at[..., 1], at[..., 0]]
    return found
