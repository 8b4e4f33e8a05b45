"""What can be wrong with a plate, as pure functions of pictures: uint8 in, uint8 out, lengths in pixels of 720 lines.

A wrong plate is given with full confidence. A fault is only as good a test as it is likely: pieces are cut from
photographs of other rooms, what a moved camera sees beyond the plate's edge is the plate mirrored there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.frames.picture import Picture
from camdaemon.plate.parts import Plate
from camdaemon.plate.unknown import make_blank_plate
from camdaemon.tools.evaluate.metrics import Alpha, Mask

BLOCK = 16  # pixels along a side of a block of confidence, as live
GRAY = 128  # of a plate where nothing is known
_CELLS = 9  # regions of another room are made of cells, so many to the height
OBJECT, _REGIONS, _UNSEEN = 0.05, 1 / 3, 0.15  # shares of the picture


@dataclass(frozen=True, slots=True, eq=False)
class Others:
    """What faults are made of.

    Attributes:
        room: uint8 (H,W,3), another room.
        person: uint8 (H,W,3), somebody's colors times `alpha`.
        alpha: (H,W), 0..1.
    """

    room: Picture
    person: Picture
    alpha: Alpha


Fault = Callable[[Picture, Others, np.random.Generator], Plate]

NOTHING_KNOWN = "no plate"
BROUGHT = "object brought"  # a fault of the frame, see `bring`
FAULTS: dict[str, Fault] = {
    "right plate": lambda plate, _, __: Plate(plate),
    "another room": lambda _, others, __: Plate(others.room),
    "a third of another room": lambda plate, others, rng: Plate(
        paste(plate, others.room, draw_regions(plate.shape[:2], _REGIONS, rng))
    ),
    "object gone": lambda plate, others, rng: Plate(
        paste(plate, others.room, draw_object(plate.shape[:2], OBJECT, rng))
    ),
    "person in the plate": lambda plate, others, _: Plate(lay_over(plate, others.person, others.alpha)),
    "shifted by 40": lambda plate, _, rng: Plate(shift(plate, 40, rng)),
    "shifted by 200-400": lambda plate, _, rng: Plate(shift(plate, rng.uniform(200, 400), rng)),
    "turned by 2-5°": lambda plate, _, rng: Plate(turn(plate, rng.choice((-1, 1)) * rng.uniform(2, 5))),
    "5 % larger": lambda plate, _, __: Plate(turn(plate, 0, 1.05)),
    "20 % larger": lambda plate, _, __: Plate(turn(plate, 0, 1.2)),
    "parts unknown": lambda plate, others, rng: hide(
        plate, (others.alpha > 0) | draw_regions(plate.shape[:2], _UNSEEN, rng)
    ),
    NOTHING_KNOWN: lambda plate, _, __: make_blank_plate(*plate.shape[1::-1]),
}


def paste(plate: Picture, room: Picture, where: Mask) -> Picture:
    """Return `plate` with the pixels of `room` where (H,W) is true."""
    return np.where(where[..., None], room, plate)


def draw_regions(shape: tuple[int, int], share: float, rng: np.random.Generator) -> Mask:
    """Draw connected regions of cells that are square: the lowest ones of smooth hills.

    Args:
        shape: Height and width of the picture.
        share: Of the cells, 0..1; rounded to whole ones.
        rng: The randomness.
    """
    height, width = shape
    rows, columns = _CELLS, max(1, round(_CELLS * width / height))
    hills = cv2.GaussianBlur(rng.standard_normal((rows, columns)), (0, 0), 1.2)
    cells = _lowest(hills, share).astype(np.uint8)
    return np.asarray(cv2.resize(cells, (width, height), interpolation=cv2.INTER_NEAREST) > 0)


def draw_object(shape: tuple[int, int], share: float, rng: np.random.Generator) -> Mask:
    """Draw the outline of an object: something between an ellipse and a box, turned and a little uneven.

    Args:
        shape: Height and width of the picture.
        share: Of the picture's pixels, exactly, also for one that is cut off by an edge.
        rng: The randomness.
    """
    height, width = shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = x - rng.uniform(0.1, 0.9) * width, y - rng.uniform(0.1, 0.9) * height
    angle, longer, power = rng.uniform(-0.4, 0.4), rng.uniform(0.5, 2), rng.uniform(2, 8)
    across = np.abs(x * math.cos(angle) + y * math.sin(angle)) / longer
    down = np.abs(y * math.cos(angle) - x * math.sin(angle))
    distance = (across**power + down**power) ** (1 / power)
    uneven = cv2.resize(rng.normal(1, 0.1, (6, 6)), (width, height), interpolation=cv2.INTER_CUBIC)
    return _lowest(distance * uneven, share)


def _lowest(values: NDArray[Any], share: float) -> Mask:
    """Return where the lowest `share` of `values` is, in their shape; ties fall by their order."""
    lowest = np.zeros(values.size, np.bool_)
    lowest[np.argsort(values, axis=None, kind="stable")[: round(share * values.size)]] = True
    return lowest.reshape(values.shape)


def lay_over(picture: Picture, colors: Picture, alpha: Alpha) -> Picture:
    """Return `picture` with somebody before it: `colors` times alpha, and `alpha` (H,W)."""
    return _rounded(colors + (1 - alpha[..., None]) * picture)


def shift_person(frame: Picture, alpha: Alpha, rng: np.random.Generator) -> tuple[Picture, Alpha]:
    """Move the person in `frame` sideways by 15 to 35 % of the width; returns colors times alpha, and alpha (H,W)."""
    across = rng.choice((-1, 1)) * rng.uniform(0.15, 0.35) * frame.shape[1]
    matrix = np.array([[1, 0, across], [0, 1, 0]])
    layers = np.dstack([frame * alpha[..., None], 255 * alpha]).astype(np.float32)
    moved = cv2.warpAffine(layers, matrix, frame.shape[1::-1])
    return _rounded(moved[..., :3]), np.asarray(moved[..., 3] / 255, np.float32)


def bring(frame: Picture, foreground: Picture, alpha: Alpha, room: Picture, where: Mask) -> Picture:
    """Return `frame` with pixels of another `room` where (H,W) is true, behind the person.

    Args:
        frame: The picture.
        foreground: uint8 (H,W,3), the person's own colors.
        alpha: (H,W), of the person.
        room: Where the object is cut from.
        where: Its outline.
    """
    return paste(frame, lay_over(room, _rounded(foreground * alpha[..., None]), alpha), where)


def shift(plate: Picture, length: float, rng: np.random.Generator) -> Picture:
    """Return `plate` shifted by `length` pixels of 720 lines, mostly sideways: by at most 30° from the horizontal."""
    angle = rng.uniform(-1, 1) * math.pi / 6 + math.pi * rng.integers(2)
    pixels = length * plate.shape[0] / 720
    return _warp(plate, np.array([[1, 0, pixels * math.cos(angle)], [0, 1, pixels * math.sin(angle)]]))


def turn(plate: Picture, degrees: float, larger: float = 1.0) -> Picture:
    """Return `plate` turned counterclockwise about its middle, and enlarged."""
    height, width = plate.shape[:2]
    return _warp(plate, cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, larger))


def _warp(plate: Picture, matrix: cv2.typing.MatLike) -> Picture:
    moved = cv2.warpAffine(plate, matrix, plate.shape[1::-1], borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, np.uint8)


def hide(plate: Picture, where: Mask) -> Plate:
    """Return `plate` gray, and without confidence, in all blocks that hold a pixel of `where` (H,W)."""
    height, width = where.shape
    rows, columns = -(-height // BLOCK), -(-width // BLOCK)
    padded = np.zeros((rows * BLOCK, columns * BLOCK), np.bool_)
    padded[:height, :width] = where
    unknown = padded.reshape(rows, BLOCK, columns, BLOCK).any((1, 3))
    pixels = unknown.repeat(BLOCK, 0).repeat(BLOCK, 1)[:height, :width]
    known = np.asarray(~unknown, np.float32)
    return Plate(paste(plate, np.full_like(plate, GRAY), pixels), known)


def _rounded(colors: NDArray[Any]) -> Picture:
    return np.asarray(np.clip(colors + 0.5, 0, 255), np.uint8)
