"""Arms and hands painted as tapered capsules, lit from one side.

A point is complex: its column plus i times its row, in pixels, a pixel's center at one half.
"""

from __future__ import annotations

import cmath
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camdaemon.tools.train.samples.geometry import Random, Size, random_sign

Floats = NDArray[np.float32]


class Part(NamedTuple):
    """A capsule.

    Attributes:
        start: The middle of its one end.
        end: The middle of the other.
        first: Radius at the start, in pixels.
        last: Radius at the end.
        cloth: Whether clothes cover it; its end is straight then, as a cuff, and not round.
    """

    start: complex
    end: complex
    first: float
    last: float
    cloth: bool = False

    def sleeve(self, share: float, wider: float) -> Part:
        """Return what a sleeve covers that ends after `share` of this part, `wider` pixels away from the skin."""
        end, last = self.start + share * (self.end - self.start), self.first + share * (self.last - self.first)
        return Part(self.start, end, self.first + wider, last + wider, cloth=True)


class Look(NamedTuple):
    """What limbs are painted with, of levels 0..255.

    Attributes:
        skin: float32 (H,W,3).
        cloth: float32 (H,W,3).
        light: Where the light comes from; its length is how much it changes a round thing.
        soft: Width of an edge, in pixels.
    """

    skin: Floats
    cloth: Floats
    light: complex
    soft: float


def draw_hand(rng: Random, wrist: complex, heading: complex, unit: float) -> list[Part]:
    """Draw a hand, open or a fist, from any side.

    Args:
        rng: Randomness.
        wrist: Where it begins.
        heading: Where it points, of length 1.
        unit: Pixels along a centimeter.
    """
    fist, breadth, thumb = rng.random() < 0.25, unit * rng.uniform(0.55, 1.1), random_sign(rng)
    palm, across = unit * rng.uniform(6, 9) * heading, 1j * heading
    knuckles = wrist + palm
    parts = [Part(wrist, knuckles, 2.7 * breadth, 3.6 * breadth)]
    count, fan = int(rng.integers(3, 5)), rng.uniform(0, 0.35)
    longest = unit * (rng.uniform(0.5, 2) if fist else rng.uniform(4, 8.5))
    for place in np.linspace(-1, 1, count):
        turn = cmath.rect(1, place * fan + rng.normal(0, 0.06))
        root = knuckles + place * 2.9 * breadth * across
        finger = longest * (1 - 0.15 * place**2) * rng.uniform(0.85, 1) * turn * heading
        parts.append(Part(root, root + finger, 1.05 * unit, 0.75 * unit))
    if rng.random() < 0.8:
        root = wrist + 0.35 * palm + thumb * 2 * breadth * across
        lean = cmath.rect(unit * rng.uniform(3, 6), thumb * rng.uniform(0.2, 1.2))
        parts.append(Part(root, root + lean * heading, 1.3 * unit, 0.85 * unit))
    return parts


def paint_parts(parts: list[Part], look: Look, frame: Size) -> Floats:
    """Paint `parts`, each over those before it.

    Returns:
        float32 (H,W,4), 0..255: colors times alpha, and alpha.
    """
    layer = np.zeros((*frame, 4), np.float32)
    for part in parts:
        box = _box(part, frame)
        if layer[box].size:
            _paint(layer[box], part, look, box)
    return layer


def _box(part: Part, frame: Size) -> tuple[slice, slice]:
    """Return the rows and columns of the frame that a part may touch."""
    reach = max(part.first, part.last) + 4
    rows, columns = (sorted(ends) for ends in ((part.start.imag, part.end.imag), (part.start.real, part.end.real)))
    spans = zip((rows, columns), frame, strict=True)
    down, right = (slice(*(min(side, max(0, round(at))) for at in (a - reach, b + reach))) for (a, b), side in spans)
    return down, right


def _paint(layer: Floats, part: Part, look: Look, box: tuple[slice, slice]) -> None:
    """Paint one part on the piece of a layer at `box`."""
    rows, columns = (np.arange(each.start, each.stop, dtype=np.float32) + 0.5 for each in box)
    x, y, axis = columns[None] - part.start.real, rows[:, None] - part.start.imag, part.end - part.start
    length = max(abs(axis), 1e-3)
    place = (x * axis.real + y * axis.imag) / length**2
    near = place.clip(0, 1)
    right, down = x - near * axis.real, y - near * axis.imag
    radius = part.first + near * (part.last - part.first)
    away = np.hypot(right, down)
    cover = ((radius - away) / look.soft + 0.5).clip(0, 1)
    if part.cloth:
        cover = cover * ((1 - place) * length / look.soft + 0.5).clip(0, 1)
    light = (right * look.light.real + down * look.light.imag) / radius - 0.15 * (away / radius) ** 2
    paint = (look.cloth if part.cloth else look.skin)[box] * (1 + light.clip(-0.6, 0.6))[:, :, None]
    over = np.dstack([paint.clip(0, 255), np.full_like(cover, 255)])
    layer += cover[:, :, None] * (over - layer)


def point_up(angle: float, side: float) -> complex:
    """Return the direction at `angle` from upright, in radians, towards the right if `side` is 1, left if −1."""
    return complex(side * math.sin(angle), -math.cos(angle))
