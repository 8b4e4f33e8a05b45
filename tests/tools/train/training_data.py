"""Tiny training data: round people before plain walls, in each of the layouts a data folder may have."""

from pathlib import Path

import av
import cv2
import numpy as np


def person(seed: int, height: int = 60, width: int = 40) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    color = np.ones((height, width, 3), np.uint8) * random.integers(0, 255, 3, dtype=np.uint8)
    alpha = cv2.ellipse(np.zeros((height, width), np.uint8), (width // 2, height // 2), (15, 25), 0, 0, 360, 255, -1)
    return color, cv2.GaussianBlur(alpha, (5, 5), 0)


def room(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return cv2.resize(random.integers(0, 255, (6, 8, 3), dtype=np.uint8), (128, 96))


def make_people(folder: Path, count: int) -> None:
    """people/NAME.jpg beside people/NAME.png."""
    (folder / "people").mkdir(parents=True, exist_ok=True)
    for number in range(count):
        color, alpha = person(number)
        cv2.imwrite(str(folder / f"people/p{number:02}.jpg"), color)
        cv2.imwrite(str(folder / f"people/p{number:02}.png"), alpha)


def make_plates(folder: Path, count: int) -> None:
    """plates/NAME.png."""
    (folder / "plates").mkdir(parents=True, exist_ok=True)
    for number in range(count):
        cv2.imwrite(str(folder / f"plates/r{number:02}.png"), room(100 + number))


def make_video(path: Path, frames: list[np.ndarray]) -> None:
    """A lossless clip."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("ffv1", rate=30)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "bgr0" if frames[0].ndim == 3 else "gray"
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="bgr24" if frame.ndim == 3 else "gray")
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
