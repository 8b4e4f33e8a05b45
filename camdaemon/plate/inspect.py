"""Whether somebody is in a plate: what the network sees in it that is told of no plate.

A plate with a person in it calls the room behind that person a person for as long as it is in use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np

from camdaemon.frames import pixels
from camdaemon.frames.pixels import Array
from camdaemon.plate.parts import Mask

MatteAlone: TypeAlias = (
    "Callable[[Array], Array | None]"  # a picture (1,3,H,W) → its alpha without any plate, (1,1,H,W)
)

_SEEN = 0.5  # alpha from which on it is somebody
_PIECE = 0.01  # of the picture; a smaller piece is an error of the network
# Of 97 empty rooms none has a larger piece that is as tall as somebody who sits or stands, and none so large a one:
_BODY, _TALL, _LARGE = 0.02, 0.4, 0.08  # of the picture, of its height, of the picture
_SAME = 0.8  # of a piece lies in what the user calls a picture on the wall


class Inspection(NamedTuple):
    """What was found in a plate.

    Attributes:
        doubtful: Pixels (H,W) that may be a person.
        where: In which part of the picture somebody is for certain, in words; '' if nobody is.
    """

    doubtful: Mask
    where: str


def inspect(plate: Array, matte_alone: MatteAlone, pictures: Mask | None = None) -> Inspection | None:
    """Look for people in the picture of a plate, (1,3,H,W).

    Args:
        plate: On the device.
        matte_alone: Called for the picture and for its mirror image: what is a person is one in both.
        pictures: Blocks (rows,columns) of what looks like a person and is none, as the user says.

    Returns:
        What was found; None where the matting cannot tell.
    """
    alone, mirrored = matte_alone(plate), matte_alone(pixels.mirror(plate))
    if alone is None or mirrored is None:
        return None
    first, second = (pixels.interleave(pixels.as_bytes(part)) for part in (alone, pixels.mirror(mirrored)))
    seen = np.minimum(first, second) > 255 * _SEEN
    known = np.zeros(seen.shape, bool)
    if pictures is not None:
        known = cv2.resize(pictures.astype(np.uint8), seen.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    return find_people(np.asarray(seen), np.asarray(known))


def find_people(seen: Mask, known: Mask) -> Inspection:
    """Find people among the pixels `seen` (H,W) by the network, but for those in `known` pictures. A pure function."""
    height, width = seen.shape
    count, labels, stats, centers = cv2.connectedComponentsWithStats(seen.astype(np.uint8), connectivity=8)
    doubtful, where = np.zeros(seen.shape, bool), ""
    for piece in sorted(range(1, count), key=lambda each: -stats[each, cv2.CC_STAT_AREA]):
        share = stats[piece, cv2.CC_STAT_AREA] / seen.size
        if share < _PIECE:
            break
        at = labels == piece
        if known[at].mean() >= _SAME:
            continue
        doubtful |= at
        is_tall = stats[piece, cv2.CC_STAT_HEIGHT] >= _TALL * height
        if not where and ((share >= _BODY and is_tall) or share >= _LARGE):
            where = ("on the left", "in the middle", "on the right")[min(2, int(3 * centers[piece][0] / width))]
    return Inspection(doubtful, where)


def to_blocks(where: Mask, shape: tuple[int, int]) -> Mask:
    """Return the blocks, (rows,columns) = `shape`, that hold any of the pixels `where` (H,W), and their neighbors."""
    rows, columns = shape
    held = cv2.resize(where.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA) > 0
    return np.asarray(cv2.dilate(held.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
