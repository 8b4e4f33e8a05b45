"""Frames with their truth: the alpha of the person, and the room without them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from camdaemon.errors import ConfigError
from camdaemon.frames import picture
from camdaemon.frames.picture import Picture


class Seen(NamedTuple):
    """One frame: the camera's picture, the room as it would be without the person (H,W,3), the true alpha (H,W)."""

    rgb: Picture
    room: Picture
    alpha: Picture


@dataclass(frozen=True)
class Footage:
    """A clip with its truth, from when the person has settled.

    Attributes:
        name: Of the clip.
        plate: The empty room, uint8 (H,W,3).
        frames: (rgb, alpha) each.
        fps: Of the frames.
    """

    name: str
    plate: Picture
    frames: list[tuple[Picture, Picture]]
    fps: float

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.plate.shape[1], self.plate.shape[0]

    @cached_property
    def gains(self) -> list[np.ndarray]:
        """The exposure of each frame: factors (3,) from the plate to it."""
        return [_find_gain(rgb, self.plate, alpha) for rgb, alpha in self.frames]

    def index(self, number: int) -> int:
        """Return which frame is the `number`-th to be played: forwards and backwards, without an end."""
        last = len(self.frames) - 1
        at = number % (2 * last)
        return at if at <= last else 2 * last - at

    def seen(self, number: int) -> Seen:
        """Return the `number`-th frame to be played."""
        at = self.index(number)
        rgb, alpha = self.frames[at]
        return Seen(rgb, as_bytes(self.plate * self.gains[at]), alpha)


def load(folder: Path, name: str, every: int, settled_s: float, size: tuple[int, int] | None = None) -> Footage:
    """Load every `every`-th frame of NAME.mp4 from `settled_s` on, with NAME-alpha.mp4 and NAME-plate.png.

    Raises:
        ConfigError: A file is missing.
    """
    plate = picture.read(folder / f"{name}-plate.png", "")
    film, truth = (cv2.VideoCapture(str(folder / f"{name}{part}.mp4")) for part in ("", "-alpha"))
    if not film.isOpened() or not truth.isOpened():
        raise ConfigError(f"clip {name}: {name}.mp4 or {name}-alpha.mp4 cannot be read in {folder}. Run: ls {folder}")
    fps = film.get(cv2.CAP_PROP_FPS)
    frames: list[tuple[Picture, Picture]] = []
    number = 0
    while film.grab() and truth.grab():
        if number >= settled_s * fps and number % every == 0:
            (_, bgr), (_, gray) = film.retrieve(), truth.retrieve()
            rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
            frames.append((_resize(rgb, size), _resize(np.ascontiguousarray(gray[..., 0]), size)))
        number += 1
    return Footage(name, _resize(plate, size), frames, fps / every)


def _resize(pixels: Picture, size: tuple[int, int] | None) -> Picture:
    if size is None or pixels.shape[1::-1] == size:
        return pixels
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _find_gain(rgb: Picture, plate: Picture, alpha: Picture) -> np.ndarray:
    """Return the factors (3,) from the plate to a frame, by where the room shows."""
    size = (rgb.shape[1] // 8, rgb.shape[0] // 8)
    now, then, person = (cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in (rgb, plate, alpha))
    usable = (person == 0) & (then.min(2) > 16)
    return np.asarray(np.median(now[usable] / then[usable].astype(np.float32), axis=0), np.float32)


def as_bytes(values: np.ndarray) -> Picture:
    """Round and clip to bytes."""
    return np.asarray(np.clip(values + 0.5, 0, 255), np.uint8)
