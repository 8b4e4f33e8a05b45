"""The scene of the clip: a room, a figure made of parts, and a camera with noise, blur and automatic gains.

Everything slow is painted once, with the scene; a frame is about thirty OpenCV calls. The same index gives the same
frame.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.frames.frame import Size
from tests.pattern.body import paint_forearm, paint_torso
from tests.pattern.head import paint_head
from tests.pattern.paint import Bytes, Floats, Paper, Sprite, onto
from tests.pattern.pose import SECONDS, Pose, compute_gains, compute_pose
from tests.pattern.room import paint_room

Matrix = NDArray[np.float64]  # (3,3), from one plane's coordinates to another's

_PLACE = (-40, -492)  # of the point between the eyes, from the middle of the picture's lower edge
_OUT = 330  # units beyond the edge at which the figure cannot be seen
_EXPOSURE = 1 / 100  # seconds in which movement is blurred
_GRAINS, _SPARE = 3, 48  # noise pictures of a kind, and their spare pixels on each axis
_SHOT, _DARK = 1.3, 1.0  # standard deviations of the noise at 128, in levels: of the light, of the sensor


class Truth(NamedTuple):
    """What a frame was made of, before the figure's shadow and the camera's exposure and noise.

    Attributes:
        alpha: (H,W) float32, 0..1.
        foreground: (H,W,3) uint8 RGB, black where alpha is 0.
        plate: (H,W,3) uint8 RGB.
    """

    alpha: Floats
    foreground: Bytes
    plate: Bytes


class Scene:
    """The scene at one size and frame rate. For one thread at a time: it paints in buffers of its own."""

    def __init__(self, size: Size, fps: float) -> None:
        self.size, self.fps = size, fps
        self.frames = max(1, round(SECONDS * fps))
        self._unit = unit = min(size.height / 720, size.width / 960)
        fine = min(4, max(1, round(1600 / size.height)))  # drawn larger, then reduced: soft edges
        wide, high = size.width / unit, size.height / unit
        self._far = wide / 2 + _PLACE[0] + _OUT
        self.plate = paint_room(Paper(-wide / 2, -high, wide / 2, 0, unit, fine))
        self._head = paint_head(Paper(-180, -190, 180, 290, unit, fine))
        self._torso = paint_torso(Paper(-350, 60, 350, 545, unit, fine))
        self._arm = paint_forearm(Paper(-110, -480, 110, 80, unit, fine))
        self._shot, self._dark = _grain(size, _SHOT, 1), _grain(size, _DARK, 2)
        self._figure: Bytes = np.zeros((size.height, size.width, 4), np.uint8)

    def truth(self, index: int) -> Truth:
        """Return the true alpha and foreground of frame `index`, and the plate without noise."""
        if not self._draw(index):
            self._figure[:] = 0
        alpha = self._figure[..., 3].astype(np.float32)
        foreground = self._figure[..., :3] * (255 / np.maximum(alpha, 1))[..., None]
        return Truth(alpha / 255, np.minimum(foreground + 0.5, 255).astype(np.uint8), self.plate.copy())

    def film(self, index: int, into: Bytes) -> None:
        """Write frame `index` as the camera sees it into `into`, (H,W,3) uint8 RGB."""
        picture: cv2.typing.MatLike = self.plate
        if self._draw(index):
            alpha: Bytes = self._figure[..., 3]
            room_seen = cv2.multiply(255 - alpha, self._shadow(alpha), scale=1 / 255)
            picture = cv2.multiply(picture, cv2.merge([room_seen] * 3), scale=1 / 255)
            picture = cv2.add(picture, cv2.cvtColor(self._figure, cv2.COLOR_RGBA2RGB))
            picture = cv2.transform(picture, np.diag(compute_gains(self._time(index))))
        shot, dark = self._at_random(index, self._shot), self._at_random(index, self._dark)
        picture = cv2.multiply(picture, shot, scale=1 / 128)  # grows with the light
        cv2.addWeighted(picture, 1, dark, 1, -128, dst=into)

    def _time(self, index: int) -> float:
        return index % self.frames / self.fps

    def _draw(self, index: int) -> bool:
        """Draw the figure of frame `index` into its buffer; return False, and draw nothing, while the room is empty."""
        t = self._time(index)
        now = compute_pose(t, self._far)
        if now is None:
            return False
        earlier = [compute_pose(t - _EXPOSURE * share, self._far) or now for share in (0.33, 0.67, 1)]
        self._figure[:] = 0
        body = self._place(now)
        neck = body @ _turn(now.roll, 0, 150) @ _shift(0, now.nod)
        self._lay(self._head.hair_behind, [neck])
        self._lay(self._torso, [body])
        self._lay(self._turned(self._head.eyes_closed if now.eyes_closed else self._head.eyes_open, now.yaw), [neck])
        if now.arm > 0.01:
            self._lay(self._arm, [self._place(at) @ _raised(at) for at in (now, *earlier)])
        walked = round(abs(now.x - earlier[-1].x) * self._unit)
        if walked > 1:
            cv2.blur(self._figure, (walked | 1, 1), dst=self._figure)
        return True

    def _place(self, at: Pose) -> Matrix:
        """Return the matrix from the figure's units to pixels."""
        corner = _shift(self.size.width / 2, self.size.height) @ np.diag((self._unit, self._unit, 1))
        return corner @ _shift(_PLACE[0] + at.x, _PLACE[1] + at.y) @ _turn(at.lean, 0, 620)

    def _lay(self, sprite: Sprite, moves: list[Matrix]) -> None:
        """Lay a part over the figure: the mean of its pictures moved by each of one or four matrices."""
        h, w = sprite.pixels.shape[:2]
        pixel = _shift(sprite.left, sprite.top) @ np.diag((1 / sprite.scale, 1 / sprite.scale, 1))
        corners = np.concatenate([(move @ pixel @ [[0, w, 0, w], [0, 0, h, h], [1, 1, 1, 1]])[:2] for move in moves], 1)
        limit = (self.size.width, self.size.height)
        x0, y0 = np.clip(np.floor(corners.min(1)), 0, limit).astype(int).tolist()
        x1, y1 = np.clip(np.ceil(corners.max(1)), 0, limit).astype(int).tolist()
        if x1 <= x0 or y1 <= y0:
            return
        moved = []
        for move in moves:  # warpAffine counts from the middle of the first pixel
            matrix = _shift(-x0 - 0.5, -y0 - 0.5) @ move @ pixel @ _shift(0.5, 0.5)
            moved.append(cv2.warpAffine(sprite.pixels, matrix[:2], (x1 - x0, y1 - y0)))
        while len(moved) > 1:
            moved = [cv2.addWeighted(a, 0.5, b, 0.5, 0) for a, b in zip(moved[::2], moved[1::2], strict=True)]
        region = self._figure[y0:y1, x0:x1]
        region[:] = onto(region, np.asarray(moved[0], np.uint8))

    def _turned(self, sprite: Sprite, yaw: float) -> Sprite:
        """Turn the head by `yaw`: what is nearer to the camera moves further."""
        h, w = sprite.pixels.shape[:2]
        x = np.arange(w, dtype=np.float32) - (self._head.height - 30) * np.float32(math.sin(yaw) * self._unit)
        y = np.arange(h, dtype=np.float32)[:, None].repeat(w, 1)
        turned = np.asarray(cv2.remap(sprite.pixels, x, y, cv2.INTER_LINEAR), np.uint8)
        return Sprite(turned, sprite.left, sprite.top, sprite.scale)

    def _shadow(self, alpha: Bytes) -> cv2.typing.MatLike:
        """Return the room's share of light around the figure, (H,W) uint8: 255 far from it, down to 80 % of that."""
        small = cv2.resize(alpha, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), max(5 * self._unit, 0.5))
        small = cv2.warpAffine(
            small, _shift(4.5 * self._unit, 2.5 * self._unit)[:2], small.shape[::-1], borderMode=cv2.BORDER_REPLICATE
        )
        return cv2.resize(cv2.convertScaleAbs(small, alpha=-0.2, beta=255), (self.size.width, self.size.height))

    def _at_random(self, index: int, grains: list[Bytes]) -> Bytes:
        """Return a noise picture (H,W,3), cut out at another place for each frame."""
        which, dx, dy = np.random.default_rng((index, grains is self._dark)).integers((_GRAINS, _SPARE, _SPARE))
        picture = grains[int(which)]
        return picture[dy : dy + self.size.height, dx : dx + self.size.width]


def _shift(x: float, y: float) -> Matrix:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)


def _turn(angle: float, x: float, y: float) -> Matrix:
    """Return the rotation by `angle` radians about (x, y)."""
    c, s = math.cos(angle), math.sin(angle)
    turned: Matrix = _shift(x, y) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ _shift(-x, -y)
    return turned


def _raised(at: Pose) -> Matrix:
    """Return the matrix from the forearm's units to the torso's: the elbow rises from below, then the hand waves."""
    low = 1 - at.arm
    return _shift(318 - 70 * low, 478 + 540 * low) @ _turn(0.06 + at.wave - 0.5 * low, 0, 0)


def _grain(size: Size, sigma: float, seed: int) -> list[Bytes]:
    """Make noise pictures around 128, a little larger than the frame: fine in brightness, coarse in color."""
    random = np.random.default_rng(seed)
    h, w = size.height + _SPARE, size.width + _SPARE
    grains = []
    for _ in range(_GRAINS):
        color = random.standard_normal((h // 2, w // 2, 3), np.float32) * (0.7 * sigma)
        fine = random.standard_normal((h, w, 1), np.float32) * sigma
        grains.append((np.asarray(cv2.resize(color, (w, h))) + fine + 128.5).astype(np.uint8))
    return grains
