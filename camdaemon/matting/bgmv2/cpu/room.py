"""What of a frame is certainly room, by the frame's own evidence: it looks like the plate, to the picture's border.

Such columns need no network. Nothing of another frame is used. A block is room if it equals the plate within noise, on
average and in every pixel, where the plate is wholly trusted; a column is if all of its blocks are, and all columns
from it to the border. What is near a block that differs is left to the network.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.matting.bgmv2.cpu.parts import Span, find_span
from camdaemon.matting.bgmv2.cpu.tile_windows import ByteArray
from camdaemon.matting.bgmv2.engines.engine import Floats

_BLOCK = 8  # pixels of the base input along a block
_MARGIN = 2  # blocks next to one that differs that are no evidence
_MEAN = 6  # of 255, of a block's mean, in any channel: a gain that lags and a soft shadow; of noise, 1 is left
_PIXEL = 20  # of 255, of any pixel of the small picture: noise and compression reach 16
_CELL = 16  # pixels of the base input along the encoder's cells, which a cut must not shift


def find_columns(rgb: ByteArray, plate: ByteArray, confidence: Floats | None) -> Span:
    """Return the columns that the network has to see; (0, 0) if all of the picture is room.

    Args:
        rgb: The picture at the base input's size, (h,w,3).
        plate: The plate, matched to it, of the same size.
        confidence: (h,w), 0..1, how far to trust the plate; None: wholly.
    """
    first, end = find_span(np.asarray(_find_differences(rgb, plate, confidence).any(0)))
    if first == end:
        return 0, 0
    return max(0, (first - _MARGIN) * _BLOCK), min(rgb.shape[1], (end + _MARGIN) * _BLOCK)


def fit_width(columns: Span, widths: Sequence[int]) -> Span:
    """Return a span over `columns` of one of `widths`, in pixels; the largest is the whole width.

    It begins at a whole cell of the encoder. An empty span stays empty.
    """
    if columns[0] == columns[1]:
        return columns
    whole, left = max(widths), columns[0] // _CELL * _CELL
    wide = min(width for width in widths if width >= min(whole, columns[1] - left))
    left = min(left, (whole - wide) // _CELL * _CELL)
    return (left, left + wide) if left + wide >= columns[1] else (0, whole)


def _find_differences(rgb: ByteArray, plate: ByteArray, confidence: Floats | None) -> NDArray[np.bool_]:
    """Return which blocks may hold something else than the plate's room, (rows, columns)."""
    size = -(-rgb.shape[1] // _BLOCK), -(-rgb.shape[0] // _BLOCK)
    _, far = cv2.threshold(cv2.absdiff(rgb, plate), _PIXEL, 255, cv2.THRESH_BINARY)
    # A single pixel still shows in the mean of a block.
    now, then, apart = (cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in (rgb, plate, far))
    differs = (cv2.absdiff(now, then) > _MEAN) | (np.asarray(apart) > 0)
    if confidence is not None:
        doubted = np.where(confidence >= 1, np.uint8(0), np.uint8(255))
        differs |= (np.asarray(cv2.resize(doubted, size, interpolation=cv2.INTER_AREA)) > 0)[..., None]
    return np.asarray(differs.any(2))
