"""Paint the backdrops that come with the package: `python tests/pattern/backdrops.py` (half a minute).

All of them are computed in linear light and out of focus, as a camera shows what is far behind a person. What is random
comes from fixed seeds, so the pictures change only with this file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from camdaemon.backdrop.still import ready_path
from tests.pattern.paint import Bytes, Floats

WIDTH, HEIGHT = 1920, 1080
QUALITY = 88  # of the JPEGs
LIMIT = 700_000  # bytes of all of them; they are part of the package


def paint_studio() -> Floats:
    """Gray seamless paper with a pool of light behind the person."""
    x, y = _axes()
    pool = np.exp(-(((x - 0.95) / 0.75) ** 2 + ((y - 0.42) / 0.62) ** 2) / 2)
    bend = 1 - 0.35 * _ramp(y, 0.72, 1.0)  # where the wall becomes the floor
    light = (0.035 + 0.40 * pool) * bend * (1 + 0.035 * _noise(210, 1) + 0.02 * _noise(60, 2))
    cool, warm = np.array((0.90, 0.97, 1.08)), np.array((1.05, 1.0, 0.93))
    return light[..., None] * (cool + (warm - cool) * pool[..., None])


def paint_window() -> Floats:
    """Evening sun through a window and leaves, on plaster."""
    x, y = _axes()
    plaster = 1 + 0.05 * _noise(120, 3) + 0.014 * _noise(14, 4) + 0.02 * _noise(2.2, 5)
    u, v = x + 0.32 * y - 0.10, y - 0.16 * x  # the sun stands low, on the left
    panes = np.zeros_like(x)
    for column in range(3):
        for row in range(2):
            left, top = 0.36 + 0.36 * column, -0.04 + 0.36 * row
            inside = _ramp(u, left, left + 0.012) * (1 - _ramp(u, left + 0.325, left + 0.337))
            panes += inside * _ramp(v, top, top + 0.012) * (1 - _ramp(v, top + 0.325, top + 0.337))
    sun = _soft(panes, 9) * (1 - 0.85 * _soft(_leaves(), 11))
    shade = 0.17 - 0.05 * y[..., None]
    ambient = shade * np.array((0.80, 0.83, 0.92))
    warm = 0.62 * (sun * (0.75 + 0.25 * np.exp(-((x - 0.9) ** 2))))[..., None] * np.array((1.0, 0.74, 0.47))
    wall = np.array((0.93, 0.84, 0.74))
    return (ambient + warm) * wall * plaster[..., None]


def _leaves() -> Floats:
    """Shadows of a plant's leaves: (h,w), 1 inside."""
    random = np.random.default_rng(8)
    sheet = np.zeros((HEIGHT, WIDTH), np.uint8)
    for _ in range(9):
        foot = np.array((random.uniform(1180, 1900), 1250.0))
        tip = foot + np.array((random.uniform(-420, 160), -random.uniform(550, 1050)))
        stem = np.array([foot + t * (tip - foot) + (90 * t * (1 - t), 0) for t in np.linspace(0, 1, 24)])
        cv2.polylines(sheet, [np.rint(stem).astype(np.int32)], False, 255, 5, cv2.LINE_AA)
        for i in range(5, 24):
            for side in (-1, 1):
                turn = np.degrees(np.arctan2(*(stem[i] - stem[i - 1])[::-1])) + side * random.uniform(28, 48)
                long = 95 * (1.15 - i / 26) + 14
                middle = stem[i] + long * np.array((np.cos(np.radians(turn)), np.sin(np.radians(turn))))
                center = (int(middle[0]), int(middle[1]))
                cv2.ellipse(sheet, center, (int(long), int(0.19 * long) + 2), turn, 0, 360, 255, -1, cv2.LINE_AA)
    return sheet.astype(np.float32) / 255


def paint_hills() -> Floats:
    """Ridges in the morning mist."""
    x, y = _axes()
    low, high = np.array((1.0, 0.66, 0.42)), np.array((0.30, 0.46, 0.66))
    sky = low + (high - low) * _ramp(0.62 - y, 0, 0.62)[..., None] ** 0.8
    picture = sky * (0.86 + 0.55 * np.exp(-((x - 1.25) ** 2 + (y - 0.46) ** 2) / 0.05))[..., None]
    random = np.random.default_rng(5)
    count = 7
    for i in range(count):
        near = (i + 1) / count
        edge = 0.46 + 0.085 * i + 0.0 * x[0]
        for octave in range(7):
            wave = 2.2 * 1.9**octave * (0.6 + 0.5 * near)
            edge = edge + 0.07 / 1.85**octave * np.sin(wave * x[0] + random.uniform(0, 6.3)) * random.uniform(0.5, 1)
        inside = np.clip((y - edge) * HEIGHT / 2.4 + 0.5, 0, 1)
        depth = np.clip((y - edge) / 0.26, 0, 1)[..., None]
        far, close = np.array((0.62, 0.55, 0.52)), np.array((0.020, 0.050, 0.060))
        hill = far + (close - far) * near**0.62
        mist = np.array((0.92, 0.72, 0.58)) * (0.95 - 0.55 * near)
        color = hill + (mist - hill) * depth * (0.75 - 0.45 * near)
        picture = picture + (color - picture) * inside[..., None]
    return picture


def paint_evening() -> Floats:
    """Lights of a city behind a rainy window, far out of focus."""
    x, y = _axes()
    horizon = np.exp(-(((y - 0.72) / 0.30) ** 2))[..., None]
    sky = np.array((0.008, 0.013, 0.034)) + np.array((0.050, 0.021, 0.018)) * horizon
    picture = sky * (1 + 0.3 * _noise(160, 6))[..., None]
    picture += 0.035 * np.exp(-((x - 1.25) ** 2 + (y - 0.5) ** 2) / 0.35)[..., None] * np.array((1.0, 0.62, 0.5))
    random = np.random.default_rng(21)
    colors = np.array(((1.0, 0.60, 0.26), (1.0, 0.78, 0.50), (1.0, 0.38, 0.20), (0.42, 0.62, 1.0), (0.75, 0.85, 1.0)))
    for radius, count, strength in ((20, 60, 0.42), (38, 34, 0.20), (66, 14, 0.09)):
        for _ in range(count):
            center = np.array((random.uniform(0, WIDTH), HEIGHT * np.clip(random.normal(0.60, 0.17), 0.08, 0.98)))
            size = radius * random.uniform(0.75, 1.25)
            disc = _aperture(center, size)
            hue = colors[random.choice(5, p=(0.36, 0.28, 0.12, 0.12, 0.12))]
            top, left, patch = disc
            h, w = patch.shape
            picture[top : top + h, left : left + w] += strength * random.uniform(0.4, 1.1) * patch[..., None] * hue
    return picture


def _aperture(center: Floats, radius: float) -> tuple[int, int, Floats]:
    """One light out of focus, the shape of a lens's blades, a little brighter at its rim: (top, left, patch)."""
    left, top = np.floor(center - radius - 4).astype(int)
    side = int(2 * radius + 9)
    at = np.array([[np.cos(a), np.sin(a)] for a in np.arange(9) * 2 * np.pi / 9 + 0.3]) * radius + center - (left, top)
    sheet = np.zeros((side, side), np.uint8)
    cv2.fillPoly(sheet, [np.rint(at * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    disc = _soft(sheet.astype(np.float32) / 255, 1.6)
    disc = disc * (0.8 + 0.5 * (1 - _soft(disc, 0.22 * radius)))
    y0, x0 = max(0, -top), max(0, -left)
    cut = disc[y0 : max(y0, HEIGHT - top), x0 : max(x0, WIDTH - left)]
    return max(0, top), max(0, left), cut


def paint_library() -> Floats:
    """Shelves of books and a lamp, out of focus."""
    random = np.random.default_rng(12)
    picture = np.empty((HEIGHT, WIDTH, 3), np.float32)
    picture[:] = (0.030, 0.019, 0.012)  # the shelves' back
    tints = np.array(
        ((0.20, 0.05, 0.04), (0.05, 0.09, 0.16), (0.30, 0.24, 0.15), (0.06, 0.12, 0.08), (0.38, 0.33, 0.26),
         (0.16, 0.10, 0.05), (0.02, 0.03, 0.04), (0.36, 0.16, 0.06))
    )  # fmt: skip
    wood = np.array((0.17, 0.092, 0.048))
    for board in range(-150, HEIGHT, 270):
        _fill_shelf(picture, board, random, tints)
        picture[max(0, board + 250) : max(0, board + 276)] = wood * 1.25
        picture[max(0, board + 276) : max(0, board + 300)] *= 0.45  # its shadow
    for post in (-20, 620, 1260, 1900):
        picture[:, max(0, post) : post + 40] = wood * 0.9
    x, y = _axes()
    light = 0.42 + 1.0 * np.exp(-((x - 1.42) ** 2 / 0.30 + (y - 0.22) ** 2 / 0.30)) - 0.18 * y
    picture *= light[..., None] * np.array((1.12, 0.98, 0.80))
    glow = np.exp(-((x - 1.42) ** 2 + (y - 0.22) ** 2) / 0.05)
    picture += glow[..., None] * np.array((0.16, 0.10, 0.045))
    return _out_of_focus(picture, 21)


def _fill_shelf(picture: Floats, top: int, random: np.random.Generator, tints: Floats) -> None:
    """Paint a row of books that stand 250 pixels below `top`."""
    at = 0
    while at < WIDTH:
        if random.random() < 0.05:
            at += int(random.uniform(40, 120))
            continue
        wide, tall = int(random.uniform(20, 52)), int(random.uniform(150, 232))
        tint = tints[random.integers(len(tints))] * random.uniform(0.6, 1.35)
        round_ = 0.55 + 0.45 * np.sin(np.linspace(0.35, np.pi - 0.25, wide))[None, :, None]
        y0, y1 = max(0, top + 250 - tall), max(0, top + 250)
        spine = np.broadcast_to(tint * round_, (tall, wide, 3)).copy()
        spine[int(0.16 * tall) : int(0.20 * tall)] *= 2.1
        spine[int(0.78 * tall) : int(0.81 * tall)] *= 2.1
        cut = picture[y0:y1, at : at + wide]
        cut[:] = spine[tall - cut.shape[0] :, : cut.shape[1]]
        at += wide + 2


def _axes() -> tuple[Floats, Floats]:
    """Coordinates of the pixels, (h,w) each, in picture heights."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32) / HEIGHT
    return x, y


def _ramp(value: Floats, start: float, end: float) -> Floats:
    """Rise smoothly from 0 at `start` to 1 at `end`."""
    t = np.clip((value - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)


def _noise(sigma: float, seed: int) -> Floats:
    """Smooth noise of unit variance, (h,w), with grains of `sigma` pixels."""
    step = max(1, int(sigma / 4))
    random = np.random.default_rng(seed).standard_normal((HEIGHT // step + 2, WIDTH // step + 2)).astype(np.float32)
    grains = cv2.GaussianBlur(random, (0, 0), sigma / step)
    large = cv2.resize(grains, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.asarray((large - large.mean()) / large.std(), np.float32)


def _soft(sheet: Floats, sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(np.asarray(sheet, np.float32), (0, 0), sigma), np.float32)


def _out_of_focus(picture: Floats, radius: int) -> Floats:
    """Blur with a disc, as a wide-open lens does, in linear light."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disc = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    return np.asarray(cv2.filter2D(picture.astype(np.float32), -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT))


def develop(light: Floats) -> Bytes:
    """Turn linear light, 0..1 and a little over, into sRGB bytes: highlights roll off, and dither hides the steps."""
    soft = np.where(light > 0.7, 0.7 + 0.3 * np.tanh((light - 0.7) / 0.3), np.clip(light, 0, None))
    srgb = np.where(soft <= 0.0031308, 12.92 * soft, 1.055 * np.clip(soft, 1e-9, None) ** (1 / 2.4) - 0.055)
    grain = np.random.default_rng(0).uniform(-0.5, 0.5, (*light.shape[:2], 1)) * 1.6
    return np.clip(255 * srgb + grain + 0.5, 0, 255).astype(np.uint8)


PAINTINGS: dict[str, Callable[[], Floats]] = {
    "evening": paint_evening,
    "hills": paint_hills,
    "library": paint_library,
    "studio": paint_studio,
    "window": paint_window,
}


def main() -> int:
    """Write all paintings into the package; return how the program ends."""
    total = 0
    for name, paint in PAINTINGS.items():
        path = ready_path(name)
        cv2.imwrite(str(path), develop(paint())[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        total += path.stat().st_size
        print(f"{path}: {path.stat().st_size} bytes")
    return int(total > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
