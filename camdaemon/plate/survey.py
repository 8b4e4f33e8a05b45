"""What a matte leaves to compare a frame and its plate by: means of blocks, and which of them show only the room."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from camdaemon.frames import pixels
from camdaemon.frames.pixels import Array
from camdaemon.plate.light import Floats
from camdaemon.plate.parts import Mask

ROOM, FAINT = 0.02, 0.1  # alpha below which a block shows the room, and below which viewers hardly see what it shows
_SURE = 0.9  # alpha from which on the matte is sure of a person
_LARGE = 500_000  # pixels; larger pictures get larger blocks: still enough of them, and few enough for one thread


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """A frame and its matched plate, block by block, in host memory.

    Attributes:
        now: Means of the frame's blocks, (rows, columns, 3), 0..1.
        then: Those of the plate as it was matched.
        room: Blocks in which the matte sees only the room, (rows, columns).
        bare: Blocks in which it sees nothing but the room and what is as faint as a leak, (rows, columns).
        sure: Blocks in which it is sure of a person, (rows, columns).
        gain: What the plate was multiplied by, (3,).
        side: Of a block, in pixels.
    """

    now: Floats
    then: Floats
    room: Mask
    bare: Mask
    sure: Mask
    gain: Floats
    side: int


def make_survey(now: Array, then: Array, gain: Array, alpha: Array, room: Array, side: int) -> Survey:
    """Make a survey. Waits once for the accelerator.

    Args:
        now: Means of the frame's blocks, (1,3,rows,columns), 0..1.
        then: Those of the plate as it was matched.
        gain: (1,3,1,1).
        alpha: Of the frame, (1,1,H,W).
        room: Where alpha stays below `ROOM`, bool (1,1,rows,columns).
        side: Of a block, in pixels.
    """
    peaks = [room, *(pixels.peaks_below(alpha, side, limit) for limit in (FAINT, _SURE))]
    shows_room, bare, unsure, *pictures, by = pixels.to_host_at_once(*peaks, now, then, gain)
    before, after = (np.ascontiguousarray(each[0].transpose(1, 2, 0)) for each in pictures)
    room_map, bare_map, unsure_map = (each[0, 0] > 0.5 for each in (shows_room, bare, unsure))
    return Survey(before, after, room_map, bare_map, ~unsure_map, by.reshape(3), side)


def choose_side(height: int, width: int) -> int:
    """Return the side of a block, in pixels: larger ones for large pictures, so that there are never too many."""
    return 16 if height * width > _LARGE else 8


def count_blocks(height: int, width: int) -> tuple[int, int]:
    """Return how many rows and columns of blocks a picture has."""
    side = choose_side(height, width)
    return height // side, width // side
