"""What the lab's camera sees: the figure of tests/pattern in a room that can be recognized wherever it leaks.

The room's wall has stripes in a marker color that nothing else has. A badge at the bottom carries the frame's number,
so that a viewer can tell the age of a picture. It belongs to the person, since it is not on the plate.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from camdaemon.frames.frame import Size

SIZE = Size(640, 360)
FPS = 30
COUNT = 128  # frames, which repeat
_FIRST = 206  # frame of the pattern: the figure has arrived and keeps its arms down
MARKER = (255, 0, 255)  # RGB
_STRIPE, _EVERY = 32, 96  # pixels: width of a stripe, and from one to the next
BITS = 8  # of the badge: seven of the number, one of parity
_CELL = 24  # pixels along a side of one bit
_BADGE = (SIZE.width // 2 - BITS * _CELL // 2, SIZE.height - 2 * _CELL)  # left, top
_DARK, _LIGHT = 30, 225


def render(folder: Path) -> None:
    """Write the footage into `folder`: `yuyv` (raw frames), `mjpg` (JPEGs) with `mjpg.ends`, and `plate.png`."""
    if (folder / "plate.png").is_file():
        return
    from tests.pattern.scene import Scene  # the guest, which only reads and writes numbers, does not need it

    folder.mkdir(parents=True, exist_ok=True)
    scene = Scene(SIZE, FPS)
    plate = _striped(scene.plate)
    random = np.random.default_rng(1)
    ends, at = [], 0
    with (folder / "yuyv").open("wb") as raw, (folder / "mjpg").open("wb") as jpegs:
        for number in range(COUNT):
            truth = scene.truth(_FIRST + number)
            alpha = truth.alpha[..., None]
            picture = alpha * truth.foreground + (1 - alpha) * plate
            picture += random.standard_normal(picture.shape, np.float32)  # every camera has noise
            rgb = np.clip(picture + 0.5, 0, 255).astype(np.uint8)
            write_number(rgb, number)
            raw.write(to_yuyv(rgb))
            _, jpeg = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
            at += jpegs.write(jpeg.tobytes())
            ends.append(at)
    np.array(ends, np.int64).tofile(folder / "mjpg.ends")
    cv2.imwrite(str(folder / "plate.png"), plate[..., ::-1])  # last: it marks the folder as complete


def _striped(room: np.ndarray) -> np.ndarray:
    striped = room.copy()
    for left in range(0, SIZE.width, _EVERY):
        striped[:, left : left + _STRIPE] = MARKER
    striped[:, -_STRIPE:] = MARKER
    return striped


def write_number(picture: np.ndarray, number: int) -> None:
    """Paint `number` (below COUNT) into `picture` (H,W,C) uint8."""
    left, top = _BADGE
    bits = number << 1 | number.bit_count() & 1
    for i in range(BITS):
        shade = _LIGHT if bits >> (BITS - 1 - i) & 1 else _DARK
        picture[top : top + _CELL, left + i * _CELL : left + (i + 1) * _CELL] = shade


def read_number(rgb: np.ndarray) -> int | None:
    """Return the number in a picture (H,W,3) uint8 RGB; None if there is none."""
    left, top = _BADGE
    middle = _CELL // 2
    bits = 0
    for i in range(BITS):
        x, y = left + i * _CELL + middle, top + middle
        shade = float(rgb[y - 3 : y + 3, x - 3 : x + 3].mean())
        if _DARK + 60 < shade < _LIGHT - 60:
            return None
        bits = bits << 1 | (shade > (_DARK + _LIGHT) / 2)
    number = bits >> 1
    return number if number.bit_count() & 1 == bits & 1 else None


def to_yuyv(rgb: np.ndarray) -> bytes:
    """Convert RGB to YUYV as a webcam sends it: BT.601, limited range."""
    r, g, b = (rgb[..., i].astype(np.float32) for i in range(3))
    luma = 16 + 0.256788 * r + 0.504129 * g + 0.097906 * b
    u = 128 - 0.148223 * r - 0.290993 * g + 0.439216 * b
    v = 128 + 0.439216 * r - 0.367788 * g - 0.071427 * b
    packed = np.empty((*rgb.shape[:2], 2), np.float32)
    packed[..., 0] = luma
    packed[:, 0::2, 1] = (u[:, 0::2] + u[:, 1::2]) / 2
    packed[:, 1::2, 1] = (v[:, 0::2] + v[:, 1::2]) / 2
    return np.clip(packed + 0.5, 0, 255).astype(np.uint8).tobytes()
