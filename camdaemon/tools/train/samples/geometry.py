"""Where people and rooms stand in the frame: affine maps from a picture's pixels to those of the frame.

A person's placement is the height of its cut-out in frame heights, the place of the head's top, rotation, shear and
stretch. The paper's (Lin et al. 2021, appendix D: whole cut-outs, ±5°, scale 0.3–1, ±10 %) is one of several; the
others are how people sit in front of a webcam.

A map is float64 (2,3), applied to column and row in pixels, a pixel's center at one half.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Random = np.random.Generator
Pixels = NDArray[np.uint8]
Map = NDArray[np.float64]
Size = tuple[int, int]  # rows and columns


class Placement(NamedTuple):
    """A kind of placement.

    Attributes:
        share: Of the samples.
        height: Range of the person's height, in frame heights.
        top: Range of the head's top, in frame heights.
        middle: Range of the person's middle, in frame widths.
        turn: Largest rotation, in degrees.
        sinks: Whether the person's lower end, where the photograph was cut, lies below the frame.
    """

    share: float
    height: tuple[float, float]
    top: tuple[float, float]
    middle: tuple[float, float]
    turn: float
    sinks: bool


PLACEMENTS = (
    Placement(0.46, (0.8, 1.7), (0.0, 0.4), (0.2, 0.8), 15, True),  # before a webcam
    Placement(0.18, (1.6, 3.2), (-0.35, 0.25), (0.1, 0.9), 25, True),  # very close
    Placement(0.14, (0.5, 1.1), (0.05, 0.6), (0.05, 0.95), 8, True),  # further away
    Placement(0.14, (0.3, 1.0), (-0.1, 0.4), (0.3, 0.7), 5, False),  # the paper's
    Placement(0.08, (0.6, 2.0), (-0.6, 0.7), (-0.1, 1.1), 180, False),  # limbs and clothes from any edge
)
_SHARES = np.array([kind.share for kind in PLACEMENTS]) / sum(kind.share for kind in PLACEMENTS)


def place_person(rng: Random, size: Size, frame: Size) -> Map:
    """Draw the map of a cut-out of `size` into the frame."""
    kind = PLACEMENTS[rng.choice(len(PLACEMENTS), p=_SHARES)]
    height, width = frame
    tall, top = height * rng.uniform(*kind.height), height * rng.uniform(*kind.top)
    if kind.sinks:
        tall = max(tall, 1.04 * height - top)
    scale = tall / size[0]
    across = scale * math.exp(rng.uniform(-0.15, 0.15)) * random_sign(rng)
    turn = rng.uniform(-kind.turn, kind.turn) * math.sqrt(rng.random())
    shear = math.tan(math.radians(rng.uniform(-5, 5)))
    place = width * rng.uniform(*kind.middle), top + 0.45 * tall
    return _map_around((0.5 * size[1], 0.45 * size[0]), place, _linear_map(turn, across, scale, shear))


def view_room(rng: Random, size: Size, frame: Size) -> Map:
    """Draw the map of a room's photograph into the frame: a part of the room, mirrored in half of them, ±5°."""
    height, width = frame
    part = rng.uniform(0.5, 1) * min(size[0] / height, size[1] / width)  # pixels of the photograph per pixel
    free = (size[1] - part * width) / 2, (size[0] - part * height) / 2
    pivot = size[1] / 2 + free[0] * rng.uniform(-1, 1), size[0] / 2 + free[1] * rng.uniform(-1, 1)
    linear = _linear_map(rng.uniform(-5, 5), random_sign(rng) / part, 1 / part, 0.0)
    return _map_around(pivot, (width / 2, height / 2), linear)


def nudge(rng: Random, frame: Size) -> Map:
    """Draw a small movement of the camera: ±1° and ±1 % in 30 % of the samples (appendix D), else below a pixel."""
    moved = rng.random() < 0.3
    far = (0.01 if moved else 0.0008) * frame[1]
    return move_camera(frame, (far * rng.uniform(-1, 1), far * rng.uniform(-1, 1)), moved * rng.uniform(-1, 1), 1.0)


def move_camera(frame: Size, shift: tuple[float, float], degrees: float, scale: float) -> Map:
    """Return the map that moves a frame's pixels by `shift` (right, down), turned and enlarged around its middle."""
    middle = frame[1] / 2, frame[0] / 2
    place = middle[0] + shift[0], middle[1] + shift[1]
    return _map_around(middle, place, _linear_map(degrees, scale, scale, 0.0))


def chain(first: Map, then: Map) -> Map:
    """Return the map that applies `first`, then `then`."""
    return np.column_stack([then[:, :2] @ first[:, :2], then[:, :2] @ first[:, 2] + then[:, 2]])


def warp(picture: Pixels, mapping: Map, frame: Size, *, border: int = cv2.BORDER_REFLECT) -> Pixels:
    """Draw `picture` (h,w) or (h,w,C) bilinearly through `mapping` into a frame."""
    centers = mapping.copy()
    centers[:, 2] += mapping[:, :2] @ (0.5, 0.5) - 0.5  # OpenCV's pixels have their centers at whole numbers
    return np.asarray(cv2.warpAffine(picture, centers, frame[::-1], flags=cv2.INTER_LINEAR, borderMode=border))


def random_sign(rng: Random) -> float:
    """Draw −1 or 1."""
    return 1.0 if rng.random() < 0.5 else -1.0


def _linear_map(degrees: float, across: float, down: float, shear: float) -> Map:
    """Return the map (2,2) that scales, shears sideways, then rotates."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cos * across, cos * shear * down - sin * down], [sin * across, sin * shear * down + cos * down]])


def _map_around(pivot: tuple[float, float], place: tuple[float, float], linear: Map) -> Map:
    """Return the map that moves `pivot` to `place` and applies `linear` around it."""
    return np.column_stack([linear, np.array(place) - linear @ np.array(pivot)])
