"""Things that come and go in a room and are no person: furniture, posters, boxes, plants, bags."""

from __future__ import annotations

import math

import cv2
import numpy as np

from camdaemon.tools.train.samples.augment import Alpha, smooth_noise
from camdaemon.tools.train.samples.decor import paint, random_color
from camdaemon.tools.train.samples.geometry import Map, Pixels, Random, Size, move_camera, view_room, warp

_MOST = 3
_SMALLEST, _LARGEST = 0.05, 0.3  # half of a thing's longer side, in frame heights


def add_things(rng: Random, room: Pixels, other: Pixels) -> Pixels:
    """Put one to three things into `room`, uint8 (H,W,3): made of pieces of the photograph `other`, or plain."""
    frame = room.shape[:2]
    texture = warp(other, view_room(rng, other.shape[:2], frame), frame)
    for _ in range(int(rng.integers(1, _MOST + 1))):
        cover = thing_cover(rng, frame)
        room = paint(room, texture if rng.random() < 0.6 else _shade(rng, frame), cover)
    return room


def thing_cover(rng: Random, frame: Size) -> Alpha:
    """Return the cover (H,W), 0..1, of one thing: a box, an ellipse or a lump, often standing on the lower edge."""
    height, width = frame
    tall = height * rng.uniform(_SMALLEST, _LARGEST)
    wide = tall * math.exp(rng.uniform(-0.8, 0.8))
    x = rng.uniform(0, width)
    y = height - tall * rng.uniform(0.3, 1) if rng.random() < 0.4 else rng.uniform(0, height)
    turn = math.radians(rng.uniform(-15, 15) if rng.random() < 0.7 else rng.uniform(0, 180))
    right, down = np.arange(width, dtype=np.float32)[None] - x, np.arange(height, dtype=np.float32)[:, None] - y
    across, along = right * math.cos(turn) + down * math.sin(turn), down * math.cos(turn) - right * math.sin(turn)
    power = 2 + 8 * rng.random()
    inside = ((abs(across) / wide) ** power + (abs(along) / tall) ** power) ** (1 / power)
    if rng.random() < 0.4:  # a plant, a coat
        inside = inside * np.exp(0.3 * smooth_noise(rng, frame, int(rng.integers(4, 20))))
    return np.asarray(((1 - inside) * tall + 0.5).clip(0, 1), np.float32)


def _shade(rng: Random, frame: Size) -> Pixels:
    """Return one color with soft light on it, uint8 (H,W,3)."""
    light = np.exp(rng.uniform(0, 0.4) * smooth_noise(rng, frame, 5))[:, :, None]
    return np.asarray((random_color(rng) * light).clip(0, 255), np.uint8)


def play_screens(rng: Random, room: Pixels, other: Pixels) -> Pixels:
    """Return `room` with a screen or a window that shows something else."""
    frame = room.shape[:2]
    shown = warp(other, view_room(rng, other.shape[:2], frame), frame)
    cover = np.zeros(frame, np.float32)
    height, width = frame
    tall, wide = height * rng.uniform(0.1, 0.45), width * rng.uniform(0.1, 0.4)
    left, top = rng.uniform(0, width - wide), rng.uniform(0, height - tall)
    cv2.rectangle(cover, (round(left), round(top)), (round(left + wide), round(top + tall)), 1.0, -1)
    return paint(room, shown, cover)


def stir(rng: Random, room: Pixels) -> Pixels:
    """Return `room` with parts that have moved by up to 3 % of the width: a curtain, trees in a window, a plant."""
    height, width = frame = room.shape[:2]
    where = 1 / (1 + np.exp(-4 * (smooth_noise(rng, frame, int(rng.integers(3, 7))) - rng.uniform(-0.3, 0.8))))
    reach, cells = rng.uniform(0.005, 0.03) * width, int(rng.integers(4, 16))
    still = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    moved = [(axis + reach * where * smooth_noise(rng, frame, cells)).astype(np.float32) for axis in still]
    return np.asarray(cv2.remap(room, moved[0], moved[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), np.uint8)


def move_view(rng: Random, frame: Size, far: float) -> Map:
    """Draw a movement of the camera of up to `far` frame widths, ±6°, 5 to 20 % nearer or further in half of them."""
    shift = far * frame[1] * rng.uniform(-1, 1), 0.5 * far * frame[1] * rng.uniform(-1, 1)
    turn = rng.uniform(-6, 6) if rng.random() < 0.5 else 0.0
    scale = math.exp(rng.uniform(-0.2, 0.2)) if rng.random() < 0.5 else 1.0
    return move_camera(frame, shift, turn, scale)
