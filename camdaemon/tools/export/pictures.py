"""What an export is tried on before it is kept: the built-in clip, its room known wholly, in part, not at all."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from camdaemon.capture.pattern import PatternSource
from camdaemon.frames import color
from camdaemon.frames.frame import HostFrame, Size
from camdaemon.frames.picture import Picture
from camdaemon.tools.export.family import Arrays
from camdaemon.tools.export.static import StaticNetwork

SECONDS = (5, 8, 11)  # of the clip; until 3 its room is empty


def draw_samples(static: StaticNetwork, size: Size) -> list[Arrays]:
    """Return inputs of `static`: the clip at `SECONDS`, with its first picture as the plate.

    In the first picture the plate is trusted everywhere, in the second not in one part, in the third nowhere.

    Args:
        static: What is fed.
        size: Of the clip's pictures before they are scaled to the inputs of `static`.
    """
    plate, *frames = _read_clip(size)
    return [make_inputs(static, frame, plate, known) for frame, known in zip(frames, _trust(static), strict=True)]


def make_inputs(
    static: StaticNetwork, frame: Picture, plate: Picture, confidence: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Return the inputs of `static`, scaled to its size.

    Args:
        static: What is fed.
        frame: uint8 (H,W,3), RGB.
        plate: The same of the empty room.
        confidence: float32 (1,1,h,w) of the size of `static`, 0..1; None: 1.
    """
    height, width = static.size
    given = {}
    for name, picture in (("src", frame), ("plate", plate)):
        scaled = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        given[name] = np.ascontiguousarray(scaled.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
    if static.network.doubts:
        given["confidence"] = np.ones((1, 1, height, width), np.float32) if confidence is None else confidence
    return given


def _trust(static: StaticNetwork) -> Iterator[np.ndarray]:
    height, width = static.size
    known = np.ones((1, 1, height, width), np.float32)
    yield known
    partly = known.copy()
    partly[..., height // 4 : 3 * height // 4, width // 4 : width // 2] = 0
    yield partly
    yield np.zeros_like(known)


def _read_clip(size: Size) -> list[Picture]:
    """Return the clip's first picture and those at `SECONDS`, (H,W,3) uint8 RGB."""
    source = PatternSource(size, 1, loop=False, paced=False)
    found, frame = [], HostFrame.empty(source.fmt, source.size)
    try:
        for second in range(max(SECONDS) + 1):
            source.read(frame)
            if second == 0 or second in SECONDS:
                found.append(color.host_to_rgb(frame.data, frame.fmt).copy())
    finally:
        source.close()
    return found
