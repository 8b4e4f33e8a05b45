"""What a webcam does to a picture: blur, motion, sharpening, sensor noise, JPEG with halved chroma.

Pictures are uint8 (H,W,3) unless said otherwise. Every function changes `share` of the pictures.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from camdaemon.tools.train.samples.geometry import Pixels, Random


def soften(rng: Random, picture: Pixels, share: float) -> Pixels:
    """Blur or sharpen (H,W,C) a little with a 3×3 kernel."""
    if rng.random() >= share:
        return picture
    amount = rng.uniform(-0.6, 1.0)
    return np.asarray(cv2.addWeighted(cv2.blur(picture, (3, 3)), amount, picture, 1 - amount, 0), np.uint8)


def add_motion_blur(rng: Random, picture: Pixels, share: float) -> Pixels:
    """Blur (H,W,C) along one direction, by up to 3 % of the width."""
    if rng.random() >= share:
        return picture
    reach = max(1, round(rng.uniform(0.004, 0.03) * picture.shape[1]))
    angle, side = rng.uniform(0, math.pi), 2 * (reach // 2) + 3
    kernel, middle = np.zeros((side, side), np.float32), side // 2
    ends = [(round(middle + s * math.cos(angle)), round(middle + s * math.sin(angle))) for s in (-reach / 2, reach / 2)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE), np.uint8)


def add_noise(rng: Random, picture: Pixels, sigma: float, share: float) -> Pixels:
    """Add sensor noise, σ ≤ `sigma` of 1, stronger in the dark, partly blotchy as in cameras."""
    if rng.random() >= share:
        return picture
    height, width = picture.shape[:2]
    level, blotchy = 255 * rng.uniform(0, sigma), rng.uniform(0, 1)
    noise = rng.standard_normal((height, width, 3), np.float32)
    half = rng.standard_normal(((height + 1) // 2, (width + 1) // 2, 3), np.float32)
    noise += blotchy * (cv2.resize(half, (width, height)) - noise)
    noise *= level * (1.2 - (0.5 / 255) * picture)
    return np.asarray((picture + noise + 0.5).clip(0, 255), np.uint8)


def compress(rng: Random, picture: Pixels, share: float) -> Pixels:
    """Compress as JPEG of quality 25 to 90."""
    if rng.random() >= share:
        return picture
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 91))])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
