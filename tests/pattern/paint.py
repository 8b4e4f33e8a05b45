"""Drawing and shading for the painter: shapes in units, shaded by their heights.

One unit is one pixel of a 720-line picture; x grows to the right, y downwards, z towards the camera.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating[Any]]
Bytes = NDArray[np.uint8]
Color = tuple[int, int, int]  # display colors 0..255, RGB
Line = Sequence[tuple[float, float]]  # points in units

KEY = (-0.50, -0.42, 0.76)  # towards the window: left, above, in front
_KEY_LIGHT = (1.04, 1.03, 1.0)
_FILL_LIGHT = (0.23, 0.25, 0.28)  # the room, and the screen the person sits at
_RIM_LIGHT = (0.90, 0.60, 0.34)  # the lamp, right behind the person


@dataclass(frozen=True, slots=True)
class Sprite:
    """A part of the figure."""

    pixels: Bytes  # (h,w,4) uint8 RGBA, premultiplied
    left: float  # units, of its upper left corner
    top: float
    scale: float  # pixels per unit


@dataclass(frozen=True, slots=True)
class Paper:
    """A sheet from (left, top) to (right, bottom) units, drawn `fine` times larger than its final size."""

    left: float
    top: float
    right: float
    bottom: float
    scale: float  # pixels per unit at the final size
    fine: int

    @property
    def k(self) -> float:
        """Pixels per unit while drawing."""
        return self.scale * self.fine

    @property
    def shape(self) -> tuple[int, int]:
        """(h, w) in pixels while drawing, whole multiples of `fine`."""
        h, w = ((b - a) * self.scale for a, b in ((self.top, self.bottom), (self.left, self.right)))
        return round(h) * self.fine, round(w) * self.fine

    def axes(self) -> tuple[Floats, Floats]:
        """Return x (1,w) and y (h,1) of the pixels' centers, in units."""
        h, w = self.shape
        x = (np.arange(w, dtype=np.float32) + 0.5) / np.float32(self.k) + np.float32(self.left)
        y = (np.arange(h, dtype=np.float32) + 0.5) / np.float32(self.k) + np.float32(self.top)
        return x[None, :], y[:, None]

    def blank(self, channels: int = 4) -> Bytes:
        """Return a transparent (black) sheet, (h,w,channels) or (h,w) for one channel."""
        return np.zeros((*self.shape, channels) if channels > 1 else self.shape, np.uint8)

    def fixed(self, points: ArrayLike) -> NDArray[np.int32]:
        """Convert points (n,2) from units to OpenCV's pixels with four fraction bits."""
        corner = np.array((self.left, self.top))
        pixels: NDArray[np.float64] = (np.asarray(points) - corner) * self.k - 0.5
        return np.rint(pixels * 16).astype(np.int32)

    def fill(self, sheet: Bytes, points: ArrayLike, *color: float) -> None:
        """Fill a polygon with antialiased edges. On RGBA sheets end the color with 255."""
        cv2.fillPoly(sheet, [self.fixed(points)], color, cv2.LINE_AA, 4)

    def stroke(self, sheet: Bytes, points: ArrayLike, width: float, *color: float) -> None:
        """Draw an antialiased line of `width` units, at least one pixel."""
        cv2.polylines(sheet, [self.fixed(points)], False, color, max(1, round(width * self.k)), cv2.LINE_AA, 4)

    def mask(self, points: ArrayLike, blur: float = 0) -> Floats:
        """Return a filled polygon as (h,w) 0..1, its edge softened by `blur` units."""
        sheet = self.blank(1)
        self.fill(sheet, points, 255)
        return self.soft(sheet.astype(np.float32) / 255, blur)

    def soft(self, field: Floats, blur: float) -> Floats:
        """Blur `field` by a Gaussian of `blur` units."""
        return np.asarray(cv2.GaussianBlur(field, (0, 0), blur * self.k)) if blur else field

    def noise(self, grain: float, seed: int, stretch: float = 1) -> Floats:
        """Return smooth noise (h,w) around 0 with spots of `grain` units, `stretch` times as tall."""
        h, w = self.shape
        rows, columns = (max(2, round(n / self.k / g)) for n, g in ((h, grain * stretch), (w, grain)))
        dots = np.random.default_rng(seed).standard_normal((rows, columns), np.float32)
        return np.asarray(cv2.resize(dots, (w, h), interpolation=cv2.INTER_CUBIC))

    def reduced(self, sheet: NDArray[Any]) -> NDArray[Any]:
        """Reduce a sheet to its final size, which softens its edges."""
        h, w = self.shape
        return np.asarray(cv2.resize(sheet, (w // self.fine, h // self.fine), interpolation=cv2.INTER_AREA))

    def sprite(self, sheet: Bytes) -> Sprite:
        """Reduce an RGBA sheet to a part that can be moved."""
        return Sprite(self.reduced(sheet), self.left, self.top, self.scale)


def curve(points: ArrayLike, n: int = 64, *, closed: bool = False) -> Floats:
    """Return `n` points (..., n, d) of the Catmull-Rom curve through `points` (..., k, d)."""
    p = np.asarray(points, np.float32)
    k = p.shape[-2]
    at = np.linspace(0, k if closed else k - 1, n, endpoint=not closed)
    i = np.minimum(at.astype(int), k - 1 if closed else k - 2)
    s = (at - i)[:, None]
    weights = (-s + 2 * s**2 - s**3, 2 - 5 * s**2 + 3 * s**3, s + 4 * s**2 - 3 * s**3, -(s**2) + s**3)
    basis = np.zeros((n, k), np.float32)
    for step, weight in zip((-1, 0, 1, 2), weights, strict=True):
        index = (i + step) % k if closed else np.clip(i + step, 0, k - 1)
        basis[np.arange(n), index] += weight[:, 0] / 2
    return np.asarray(basis @ p)


def profile(y: Floats, *knots: tuple[float, float]) -> Floats:
    """Return a smooth function of y (h,1) through (y, value) knots, constant beyond them."""
    line = curve(list(knots), 240)
    return np.interp(y, np.maximum.accumulate(line[:, 0]), line[:, 1]).astype(np.float32)


def bump(x: Floats, y: Floats, cx: float, cy: float, sx: float, sy: float) -> Floats:
    """Return a Gaussian hill of height 1, (h,w)."""
    return np.exp(-(((x - cx) / sx) ** 2) / 2) * np.exp(-(((y - cy) / sy) ** 2) / 2)


def capsule(x: Floats, y: Floats, ends: tuple[float, ...], r0: float, r1: float) -> Floats:
    """Return the height of a rounded limb from (x0,y0) to (x1,y1), radius r0 to r1; negative outside."""
    x0, y0, x1, y1 = ends
    dx, dy = x1 - x0, y1 - y0
    along = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
    aside = (x - x0 - along * dx) ** 2 + (y - y0 - along * dy) ** 2
    radius = r0 + (r1 - r0) * along
    inside = radius**2 - aside
    return np.sign(inside) * np.sqrt(np.abs(inside))


def join(a: Floats, b: Floats, soft: float) -> Floats:
    """Return the higher of two surfaces, rounded where they meet (polynomial smooth maximum)."""
    meet = np.clip(soft - np.abs(a - b), 0, None)
    return np.maximum(a, b) + meet**2 / (4 * soft)


def linear(colors: ArrayLike) -> Floats:
    """Convert display colors 0..255 to light 0..1."""
    return np.asarray(colors, np.float32) ** 2.2 / np.float32(255**2.2)


def display(light: Floats) -> Floats:
    """Convert light to display colors 0..255, highlights rolled off as a camera does."""
    rolled = np.where(light > 0.7, 1 - 0.3 * np.exp(-(light - 0.7) / 0.3), light)
    return 255 * np.clip(rolled, 0, 1) ** (1 / 2.2)


def lit(paper: Paper, z: Floats, wrap: tuple[float, float, float]) -> Floats:
    """Return the light (h,w,3) on a surface, 1 where it faces the window.

    Args:
        paper: Sheet of the surface.
        z: Height of the surface, (h,w) units.
        wrap: How far light reaches around the terminator, for red, green, blue (skin: mostly red).
    """
    nx, ny, nz = _normals(paper, z)
    key = nx * KEY[0] + ny * KEY[1] + nz * KEY[2]
    fill = np.clip(1 + (z - paper.soft(z, 14)) / 26, 0.35, 1.15) * (0.6 + 0.4 * nz)  # hollows see less of the room
    rim = np.clip(nx * 0.9 - ny * 0.2, 0, 1) ** 2 * (1 - nz) ** 1.5
    seen = _shadow(paper, z)
    light = np.empty((*z.shape, 3), np.float32)
    for c in range(3):
        direct = np.clip((key + wrap[c]) / (1 + wrap[c]), 0, None) * (seen + (1 - seen) * wrap[c] * 0.5)
        light[..., c] = _KEY_LIGHT[c] * direct + _FILL_LIGHT[c] * fill + _RIM_LIGHT[c] * rim
    return light


def shine(paper: Paper, z: Floats, power: float) -> Floats:
    """Return the highlights 0..1 (h,w) of a glossy surface (Blinn-Phong)."""
    nx, ny, nz = _normals(paper, z)
    half = KEY[0], KEY[1], KEY[2] + 1
    facing: Floats = np.clip((nx * half[0] + ny * half[1] + nz * half[2]) / math.hypot(*half), 0, 1)
    return facing**power


def shifted(field: Floats, dx: float, dy: float) -> Floats:
    """Move `field` by (dx, dy) pixels and repeat its edges."""
    by = np.array([[1, 0, dx], [0, 1, dy]], np.float64)
    return np.asarray(cv2.warpAffine(field, by, field.shape[::-1], borderMode=cv2.BORDER_REPLICATE))


def _normals(paper: Paper, z: Floats) -> tuple[Floats, Floats, Floats]:
    gx, gy = (np.asarray(cv2.Sobel(z, cv2.CV_32F, i, 1 - i, scale=paper.k / 8)) for i in (1, 0))
    nz = 1 / np.sqrt(1 + gx * gx + gy * gy)
    return -gx * nz, -gy * nz, nz


def _shadow(paper: Paper, z: Floats) -> Floats:
    """Return how much of the window each point sees past the hills towards it, (h,w) 0..1."""
    flat = math.hypot(KEY[0], KEY[1])
    seen = np.ones_like(z)
    for far in (5, 10, 18, 30, 46):
        away = far * paper.k / flat
        over = shifted(z, -KEY[0] * away, -KEY[1] * away) - z - far * KEY[2] / flat
        np.minimum(seen, np.clip(1 - over / (4 + far * 0.35), 0, 1), out=seen)
    return paper.soft(seen, 1.5)


def onto(sheet: Bytes, over: Bytes) -> Bytes:
    """Lay premultiplied RGBA `over` on `sheet`; return a new sheet."""
    through = 255 - over[..., 3]
    below = cv2.multiply(sheet, cv2.merge([through] * 4), scale=1 / 255)
    return np.asarray(cv2.add(below, over), np.uint8)
