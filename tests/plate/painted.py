"""Real pixels: the painter's room with its person, another painted room, and what happens to a camera."""

from __future__ import annotations

import functools

import cv2
import numpy as np

from camdaemon.backdrop.still import ready_path
from camdaemon.frames import picture
from camdaemon.frames.frame import PixelFormat, Size
from camdaemon.frames.picture import Picture
from tests.pattern.scene import Scene

SIZE, FPS = Size(640, 360), 10.0
EMPTY, THERE, WAVING = 5, 42, 55  # frames


@functools.cache
def scene() -> Scene:
    """The painter, who needs a second to begin."""
    return Scene(SIZE, FPS)


def plate() -> Picture:
    return scene().plate


def film(index: int) -> Picture:
    """Frame `index` with the camera's noise and exposure."""
    rgb = np.empty(PixelFormat.RGB.shape(SIZE), np.uint8)
    scene().film(index, rgb)
    return rgb


def alpha(index: int) -> Picture:
    """The true matte of frame `index`, (H,W)."""
    return np.asarray(np.rint(255 * scene().truth(index).alpha), np.uint8)


@functools.cache
def other_room() -> Picture:
    """Another room: shelves full of books."""
    painted = picture.read(ready_path("library"), "")
    return np.asarray(cv2.resize(painted, (SIZE.width, SIZE.height), interpolation=cv2.INTER_AREA), np.uint8)


def moved(seen: Picture, right: int, down: int, edge: int = cv2.BORDER_REFLECT_101) -> Picture:
    """What a camera sees that was bumped; what comes into the picture repeats its edge."""
    by = np.array([[1, 0, right], [0, 1, down]], np.float64)
    return np.asarray(cv2.warpAffine(seen, by, (SIZE.width, SIZE.height), borderMode=edge), np.uint8)


def tilted(seen: Picture) -> Picture:
    """What a camera sees in a lid that was turned back: the room sinks and leans."""
    w, h = SIZE.width, SIZE.height
    there = np.array([[-0.06 * w, 0.28 * h], [1.06 * w, 0.28 * h], [w, 1.28 * h], [0, 1.28 * h]], np.float32)
    matrix = cv2.getPerspectiveTransform(np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32), there)
    return np.asarray(cv2.warpPerspective(seen, matrix, (w, h), borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def lamp(seen: Picture, gain: float = 1.35, side: str = "left") -> Picture:
    """What a camera sees when a lamp goes on at one side."""
    h, w = seen.shape[:2]
    ramp = {
        "left": np.linspace(gain, 1, w)[None, :],
        "right": np.linspace(1, gain, w)[None, :],
        "top": np.linspace(gain, 1, h)[:, None],
    }[side]
    return np.asarray(np.clip(seen * ramp[..., None] + 0.5, 0, 255), np.uint8)
