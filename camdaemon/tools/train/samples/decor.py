"""Rooms as no photograph of a house for sale shows them: colored light, vivid stripes and shapes on the walls.

Photographs of rooms are brown and gray. A network trained on those alone takes a strip of saturated wall beside a head
for a part of it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from camdaemon.tools.train.samples.augment import jitter_colors
from camdaemon.tools.train.samples.geometry import Pixels, Random, Size

_COLORED, _DECORATED = 0.15, 0.2  # of the rooms
_THINGS = 3  # kinds of decor in a room


def decorate_room(rng: Random, room: Pixels) -> Pixels:
    """Return an empty `room`, uint8 (H,W,3), RGB, with colored light or decor (posters, blinds) in some cases."""
    if rng.random() < _COLORED:
        room = jitter_colors(rng, room, 0.0, 0.5, rng.uniform(1.5, 4))
    if rng.random() < _DECORATED:
        for _ in range(_THINGS):
            if rng.random() < 0.6:
                room = paint(room, random_color(rng), stripe_cover(rng, room.shape[:2]))
    return room


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
