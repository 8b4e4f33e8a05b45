"""Decoding the pictures of a Motion-JPEG camera, whole ones only.

A frame that lost data on its way over USB, or whose buffer was overwritten while it was read, decodes all the same:
libjpeg prints a warning and gives smeared rows to the end. A matte calls these rows the person, and so publishes the
room in them. OpenCV does not pass the warning on, so its causes are looked for here: a whole frame needs all of its
data, and no more.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

_SLACK = 8  # bytes: many cameras send a few too many or too few
_PADDING = np.zeros(_SLACK, np.uint8)
_QUICK = cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_IGNORE_ORIENTATION  # reads the data, computes hardly a picture
_FULL = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION

# markers, each after a byte 0xFF (ITU-T T.81, table B.1)
_START, _SCAN, _END, _RESTART = 0xD8, 0xDA, 0xD9, 0xD0
_ESCAPE, _FILL = 0x00, 0xFF  # no markers


def decode(frame: Bytes) -> Bytes | None:
    """Decode one frame of a camera.

    Args:
        frame: What the driver gave, of any shape; what comes after the JPEG's end is ignored.

    Returns:
        The picture, uint8 (H,W,3), BGR; None if the frame is broken.
    """
    data = frame.reshape(-1)
    begin = _find_scan(data)
    length = None if begin is None else _measure_scan(data[begin:])
    if begin is None or length is None:
        return None
    end = begin + length
    while end > begin and data[end - 1] in (_ESCAPE, _FILL):  # some cameras fill the frame up before its end
        end -= 1
    if _decode(data[: max(begin, end - _SLACK)], _QUICK) is not None:
        return None  # complete without its last bytes: these belong to another frame
    return _decode(np.concatenate([data[:end], _PADDING]), _FULL)


def _find_scan(data: Bytes) -> int | None:
    """Return where the compressed data begins, after all headers."""
    if data[:2].tolist() != [0xFF, _START]:
        return None
    at = 2
    while at + 4 <= data.size and data[at] == 0xFF:
        code = int(data[at + 1])
        if code == _FILL:
            at += 1
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4].tobytes(), "big")
        if code == _SCAN:
            return at
    return None


def _measure_scan(scan: Bytes) -> int | None:
    """Return how many bytes of compressed data come before the end; None if it has no end, or a restart is missing."""
    marks = np.flatnonzero(scan[:-1] == 0xFF)
    marks = marks[(scan[marks + 1] != _ESCAPE) & (scan[marks + 1] != _FILL)]
    codes = scan[marks + 1].astype(int)
    ends = np.flatnonzero(codes == _END)
    if not ends.size:
        return None
    last = int(ends[0])
    expected = _RESTART + np.arange(last) % 8  # they are numbered in turn
    return int(marks[last]) if np.array_equal(codes[:last], expected) else None


def _decode(data: Bytes, flags: int) -> Bytes | None:
    """Decode a JPEG without its end. Of one that is short of data, that makes an error instead of a warning."""
    try:
        picture = cv2.imdecode(data, flags)
    except cv2.error:
        return None
    return None if picture is None else np.asarray(picture, np.uint8)
