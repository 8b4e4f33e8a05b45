"""Augmentation: color and light of people and rooms, and things that people hold.

Pictures are uint8 (H,W,3), RGB; alphas float32 (H,W), 0..1.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.tools.train.samples.geometry import Pixels, Random

Alpha = NDArray[np.float32]
_LUMA = (0.299, 0.587, 0.114)
_SMALL = 4  # pixels of the frame along one pixel of a map that is smooth


def jitter_colors(rng: Random, picture: Pixels, amount: float, hue: float, saturation: float | None = None) -> Pixels:
    """Change brightness, contrast, saturation and hue (appendix D), with one matrix.

    Args:
        rng: Randomness.
        picture: (H,W,3).
        amount: Brightness, contrast and saturation change by 1 ± this.
        hue: Changes by ± this, in turns.
        saturation: Its factor, if not drawn.
    """
    bright, contrast, vivid = 1 + amount * rng.uniform(-1, 1, 3)
    vivid = vivid if saturation is None else saturation
    angle = 2 * math.pi * hue * rng.uniform(-1, 1)
    eye, third, gray = np.eye(3), np.full((3, 3), 1 / 3), np.tile(_LUMA, (3, 1))
    cross = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    turn = math.cos(angle) * (eye - third) + math.sin(angle) * cross + third  # a rotation around the gray axis
    matrix = bright * contrast * turn @ (vivid * eye + (1 - vivid) * gray)
    middle = np.full((3, 1), 127.5 * (1 - contrast) * bright)
    return np.asarray(cv2.transform(picture, np.hstack([matrix, middle])), np.uint8)


def change_exposure(rng: Random, plate: Pixels) -> Pixels:
    """Return `plate` as if taken at another exposure, white balance and gamma than the frame.

    The runtime matches one gain per channel, so most changes are small residuals; a fifth are strong.
    """
    spread, tint = (0.2, 0.07) if rng.random() < 0.2 else (0.04, 0.02)
    gain = (rng.normal(0, spread) + rng.normal(0, tint, 3)).clip(-0.6, 0.6)
    gamma = math.exp(float(np.clip(rng.normal(0, 0.08), -0.25, 0.25))) if rng.random() < 0.5 else 1.0
    levels = (np.arange(256) / 255)[:, None] ** gamma * np.exp(gain) * 255
    return np.asarray(cv2.LUT(plate, levels.round().clip(0, 255).astype(np.uint8)[:, None]), np.uint8)


def draw_light(rng: Random) -> NDArray[np.uint8]:
    """Draw how bright a scene is, as a table of levels: 40 % are lit otherwise than the photographs, most darker."""
    gain = math.exp(rng.uniform(math.log(0.3), math.log(1.25))) if rng.random() < 0.4 else 1.0
    return np.asarray((np.arange(256) * gain + 0.5).clip(0, 255), np.uint8)


def relight(rng: Random, room: Pixels, alpha: Alpha) -> Pixels:
    """Light `room` as with a person in it: soft shadows along the contour (appendix D), uneven light."""
    height, width = alpha.shape
    shadow, uneven = rng.random() < 0.4, rng.random() < 0.4
    if not (shadow or uneven):
        return room
    change = np.ones((-(-height // _SMALL), -(-width // _SMALL)), np.float32)
    if shadow:
        change -= rng.uniform(0.05, 0.55) * _cast_shadow(rng, alpha, change.shape)
    if uneven:
        change *= np.exp((rng.uniform(0, 0.1) * smooth_noise(rng, change.shape, 3)).clip(-0.3, 0.3))
    change = cv2.resize(change, (width, height))
    return np.asarray((room * change[:, :, None] + 0.5).clip(0, 255), np.uint8)


def _cast_shadow(rng: Random, alpha: Alpha, size: tuple[int, int]) -> Alpha:
    small = cv2.resize(alpha, size[::-1], interpolation=cv2.INTER_AREA)
    reach = 1 + 2 * round(rng.uniform(0, 0.06) * size[1])
    for _ in range(2):
        small = cv2.blur(small, (reach, reach), borderType=cv2.BORDER_REPLICATE)
    near, grow = (0.02 if rng.random() < 0.5 else 0.1), 1 / rng.uniform(0.85, 1.05)
    shift = near * size[1] * rng.uniform(-1, 1), near * size[0] * rng.uniform(-1, 1)
    middle = size[1] / 2, size[0] / 2
    mapping = np.array([[grow, 0, middle[0] * (1 - grow) + shift[0]], [0, grow, middle[1] * (1 - grow) + shift[1]]])
    return np.asarray(cv2.warpAffine(small, mapping, size[::-1], borderMode=cv2.BORDER_REPLICATE), np.float32)


def camouflage(rng: Random, color: Pixels, alpha: Alpha, room: Pixels) -> Pixels:
    """Give clothes the wall's color: in a quarter of the samples, parts of a person take the room's local mean color.

    Only large-scale color is exchanged; folds and texture stay.
    """
    if rng.random() >= 0.25:
        return color
    height, width = alpha.shape
    size = -(-width // _SMALL), -(-height // _SMALL)
    reach = width // 64 * 2 + 1
    parts = ((color * alpha[:, :, None]).astype(np.float32), alpha, room.astype(np.float32))
    small = (cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in parts)
    own, weight, wall = (cv2.blur(each, (reach, reach)) for each in small)
    own = own / np.maximum(weight, 0.05)[:, :, None]
    down = np.linspace(-1, 1, size[1], dtype=np.float32)[:, None]
    part = 1 / (1 + np.exp(-3 * (smooth_noise(rng, weight.shape, 4) + 1.5 * down)))
    change = (rng.uniform(0.6, 1) * part * (weight > 0.05))[:, :, None] * (wall - own)
    return np.asarray((color + cv2.resize(change.astype(np.float32), (width, height))).clip(0, 255), np.uint8)


_WITH_PROP = 0.12  # of the samples


def add_prop(rng: Random, color: Pixels, alpha: Alpha, texture: Pixels) -> tuple[Pixels, Alpha]:
    """Add a thing that the person holds (a mug, a telephone, a book), in 12 % of the samples: it is foreground too.

    Args:
        rng: Randomness.
        color: (H,W,3), of the person.
        alpha: (H,W).
        texture: (H,W,3); half of the things show it, the others one color of it.

    Returns:
        Color and alpha with a rounded box on the person.
    """
    if rng.random() >= _WITH_PROP:
        return color, alpha
    cover = _box_cover(rng, alpha)
    plain = (texture.mean((0, 1)) * rng.uniform(0.2, 1.4, 3)).clip(0, 255)
    paint = texture if rng.random() < 0.5 else plain
    whole = cover + alpha * (1 - cover)
    share = (cover / np.maximum(whole, 1e-3))[:, :, None]
    return np.asarray((color + share * (paint - color) + 0.5).clip(0, 255), np.uint8), whole


def _box_cover(rng: Random, alpha: Alpha) -> Alpha:
    """Return the cover (H,W), 0..1, of a rounded box somewhere on the person, or anywhere if there is none."""
    height, width = alpha.shape
    rows, columns = np.nonzero(alpha[::_SMALL, ::_SMALL] > 0.5)
    at = int(rng.integers(len(rows))) if len(rows) else 0
    y, x = (_SMALL * rows[at], _SMALL * columns[at]) if len(rows) else (rng.uniform(0, height), rng.uniform(0, width))
    angle, tall = rng.uniform(0, math.pi), height * rng.uniform(0.03, 0.16)
    wide, power = tall * rng.uniform(0.3, 1), 2 + 6 * rng.random()  # from an ellipse to a box
    right, down = np.arange(width, dtype=np.float32)[None] - x, np.arange(height, dtype=np.float32)[:, None] - y
    across, along = right * math.cos(angle) + down * math.sin(angle), down * math.cos(angle) - right * math.sin(angle)
    inside = ((abs(across) / wide) ** power + (abs(along) / tall) ** power) ** (1 / power)
    return np.asarray(((1 - inside) * wide + 0.5).clip(0, 1), np.float32)


def smooth_noise(rng: Random, size: tuple[int, int], cells: int) -> Alpha:
    """Return smooth noise of `size`, about unit variance, `cells` hills along the longer side."""
    rows, columns = (max(2, round(cells * side / max(size))) + 1 for side in size)
    coarse = rng.standard_normal((rows, columns), np.float32)
    return np.asarray(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC), np.float32)
