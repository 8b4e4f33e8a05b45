"""What is not known of a room: the plate without a photograph, and what backdrops show in the place of missing parts.

Viewers never see there what the camera sees now: the missing parts are made of what was photographed around them.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.frames.picture import CALM, Picture
from camdaemon.plate.parts import Mask, Plate

_GRAY = 128
_SHRINK = 8  # pixels of the plate along one of the copy that is filled in
_NEAR = 4  # pixels of that copy that the filling looks at
_BLUR = 5.0  # sigma in pixels of that copy: no shape is left
_KNOWN = 0.5  # confidence from which on a part of the plate is shown


def make_blank_plate(width: int, height: int) -> Plate:
    """Make the plate, of width × height pixels, of a room that nobody has photographed: gray, of confidence 0."""
    return Plate(np.full((height, width, 3), _GRAY, np.uint8), np.zeros((1, 1), np.float32))


def fill_unknown(plate: Plate) -> Picture:
    """Return the plate, uint8 (H,W,3), for backdrops: its unknown parts are strongly blurred neighbors.

    Where nothing at all is known it is one calm color.
    """
    if plate.confidence is None:
        return plate.rgb
    height, width = plate.rgb.shape[:2]
    seen = cv2.resize(plate.confidence, (width, height), interpolation=cv2.INTER_NEAREST) >= _KNOWN
    if not seen.any():
        return np.full_like(plate.rgb, CALM)
    unknown = np.asarray(~seen)
    filled = _fill(plate.rgb, unknown).astype(np.float32)
    weight = _feather(unknown)
    mixed = plate.rgb + weight[..., None] * (filled - plate.rgb)
    return np.asarray(np.rint(np.where(unknown[..., None], filled, mixed)), np.uint8)


def _fill(rgb: Picture, unknown: Mask) -> Picture:
    """Return a blurred copy of `rgb`, (H,W,3), in which nothing of the `unknown` pixels is left."""
    height, width = unknown.shape
    rgb = np.where(unknown[..., None], np.uint8(0), rgb)
    small = (max(1, width // _SHRINK), max(1, height // _SHRINK))
    shown = np.asarray(cv2.resize(rgb, small, interpolation=cv2.INTER_AREA), np.uint8)
    touched = cv2.resize(unknown.astype(np.float32), small, interpolation=cv2.INTER_AREA) > 0
    mask = _widen(touched, 1)
    if not mask.all():
        shown = np.asarray(cv2.inpaint(shown, mask.astype(np.uint8), _NEAR, cv2.INPAINT_TELEA), np.uint8)
    else:  # what is known is too narrow for the copy
        shown = np.full_like(shown, np.rint(rgb[~unknown].mean(0)))
    shown = np.asarray(cv2.GaussianBlur(shown, (0, 0), _BLUR), np.uint8)
    return np.asarray(cv2.resize(shown, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _feather(unknown: Mask) -> NDArray[np.float32]:
    """Return the share of the filling, (H,W), 0..1, beside the unknown parts: a soft seam instead of an edge."""
    wide = _widen(unknown, _SHRINK).astype(np.float32)
    return np.asarray(cv2.blur(wide, (2 * _SHRINK + 1, 2 * _SHRINK + 1)), np.float32)


def _widen(mask: Mask, radius: int) -> Mask:
    side = 2 * radius + 1
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0)
