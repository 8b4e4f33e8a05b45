"""Rooms as no photograph of a house for sale shows them: colored light, vivid stripes, sun through a window, boards.

Photographs of rooms are brown, gray and evenly lit. A network trained on those alone takes a strip of saturated wall
beside a head, or a patch of warm light, for a part of it.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.tools.train.samples.augment import jitter_colors
from camdaemon.tools.train.samples.geometry import Pixels, Random, Size

_COLORED, _DECORATED, _SUNLIT = 0.15, 0.2, 0.3  # of the rooms
_SKIN = np.array([[236, 200, 172], [196, 150, 118], [128, 88, 64]], np.float64)  # also of cardboard, wood and leather
_THINGS = 3  # kinds of decor in a room


def decorate_room(rng: Random, room: Pixels) -> Pixels:
    """Return an empty `room`, uint8 (H,W,3), RGB, with colored light or decor (posters, blinds) in some cases."""
    if rng.random() < _COLORED:
        room = jitter_colors(rng, room, 0.0, 0.5, rng.uniform(1.5, 4))
    if rng.random() < _DECORATED:
        for _ in range(_THINGS):
            if rng.random() < 0.6:
                room = paint(room, random_color(rng), stripe_cover(rng, room.shape[:2]))
    if rng.random() < _SUNLIT:
        for _ in range(int(rng.integers(1, 3))):
            room = light_panes(rng, room)
    return room


def light_panes(rng: Random, room: Pixels) -> Pixels:
    """Return `room` with the light of a window on it, or in half of the cases with boards of a person's colors."""
    cover = _pane_cover(rng, room.shape[:2])
    if rng.random() < 0.5:
        color = _SKIN[rng.integers(len(_SKIN))] * rng.uniform(0.7, 1.1) + rng.normal(0, 12, 3)
        return paint(room, color.clip(0, 255), rng.uniform(0.6, 1) * cover)
    gain = rng.uniform(1.25, 2.2) * np.array([1, rng.uniform(0.85, 1), rng.uniform(0.65, 1)])
    return paint(room, (room * gain).clip(0, 255), cover)


def _pane_cover(rng: Random, size: Size) -> NDArray[np.float32]:
    """Return the cover (H,W), 0..1, of the panes of a window as they lie somewhere on a wall, more or less sharp."""
    side, window = 96, np.zeros((96, 96), np.float32)
    rows, columns = (int(count) for count in rng.integers(1, 4, 2))
    bar = int(rng.integers(2, 10))
    for row in range(rows):
        for column in range(columns):
            top, left = row * side // rows + bar // 2, column * side // columns + bar // 2
            window[top : (row + 1) * side // rows - bar // 2, left : (column + 1) * side // columns - bar // 2] = 1
    height, width = size
    high, wide = height * rng.uniform(0.1, 0.6), width * rng.uniform(0.08, 0.4)
    turn, middle = rng.uniform(-0.4, 0.4), np.array([width, height]) * rng.uniform(0, 1, 2)
    across, down = np.array([math.cos(turn), math.sin(turn)]) * wide, np.array([-math.sin(turn), math.cos(turn)]) * high
    down = down + across * rng.uniform(-0.6, 0.6)  # slanted as the sun is
    corners = [middle + x * across + y * down for x, y in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))]
    there = np.array(corners + rng.normal(0, 0.05, (4, 2)) * (wide, high), np.float32)
    square = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32)
    seen = cv2.warpPerspective(window, cv2.getPerspectiveTransform(square, there), (width, height))
    return np.asarray(cv2.GaussianBlur(seen, (0, 0), rng.uniform(0.4, 4)), np.float32)


def paint(picture: Pixels, color: Pixels | NDArray[np.float64], cover: NDArray[np.float32]) -> Pixels:
    """Return `picture` (H,W,3) with `color`, one or a picture, where `cover` (H,W), 0..1, says."""
    return np.asarray((picture + cover[:, :, None] * (color - picture.astype(np.float32)) + 0.5).clip(0, 255), np.uint8)


def random_color(rng: Random) -> NDArray[np.float64]:
    """Draw a color, (3,), 0..255; half of them as vivid as a screen can show."""
    color = rng.uniform(0, 1, 3)
    return 255 * ((4 * (color - 0.5) + 0.5).clip(0, 1) if rng.random() < 0.5 else color)


def stripe_cover(rng: Random, size: Size) -> NDArray[np.float32]:
    """Return the cover (H,W), 0..1, of one strip or of many at equal distances, in any direction."""
    height, width = size
    y = np.linspace(0, height / width, height, dtype=np.float32)[:, None]
    x = np.linspace(0, 1, width, dtype=np.float32)[None]
    upright = 0.0 if rng.random() < 0.5 else math.pi / 2
    angle = upright if rng.random() < 0.7 else rng.uniform(0, math.pi)
    across, along = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    period, duty = rng.uniform(0.03, 0.6), rng.uniform(0.1, 0.6)
    place = (across + rng.uniform(0, 1)) / period
    distance = abs(place - np.floor(place) - duty)  # in periods, from the middle of a strip; wraps on one side only
    strip = ((duty / 2 - distance) * period * width + 0.5).clip(0, 1)
    if rng.random() < 0.4:
        return np.asarray(strip, np.float32)
    start = rng.uniform(-0.5, 1)
    return np.asarray(strip * ((along > start) & (along < start + rng.uniform(0.1, 1.5))), np.float32)
