"""Films that tests write: any times, rotation, shape of pixels, transparency and transfer."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

CORNERS = np.array(
    [[(210, 40, 40), (40, 170, 60)], [(40, 60, 200), (220, 220, 220)]], np.uint8
)  # red green, blue white
CLOCKWISE = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)  # the display matrix of a phone that is held upright


def quarters(width: int, height: int) -> NDArray[np.uint8]:
    """A picture (H,W,3) of four even quarters in the `CORNERS`."""
    return CORNERS.repeat(height // 2, 0).repeat(width // 2, 1)


def corners_of(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The colors in the middles of the quarters of a picture, (2,2,3)."""
    height, width = rgb.shape[:2]
    return rgb[height // 4 :: height // 2, width // 4 :: width // 2][:2, :2]


def write_film(
    path: Path,
    pictures: Sequence[NDArray[np.uint8]] | Sequence[NDArray[np.uint16]],
    *,
    times: Sequence[float | None] | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    matrix: Sequence[int] | None = None,
    aspect: Fraction | None = None,
    tags: dict[str, int] | None = None,
    fmt: str = "rgb24",
) -> Path:
    """Write a film of `pictures` of one size.

    Args:
        path: The file; its suffix names the format.
        pictures: uint8 (H,W,3), or (H,W,4) with `fmt` "rgba".
        times: Of each picture, seconds; default: ten a second from 0 on.
        codec: Encoder.
        pix_fmt: What is encoded.
        matrix: Display matrix, nine integers.
        aspect: Of a pixel, width to height.
        tags: `colorspace`, `color_trc` and so on, as FFmpeg numbers them.
        fmt: Of `pictures`.
    """
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        if codec == "libx264":
            stream.codec_context.options = {"qp": "2", "preset": "ultrafast", "bf": "0"}
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for name, value in (tags or {}).items():
            setattr(stream.codec_context, name, value)
        if matrix is not None:
            stream.set_display_matrix(matrix)
        for number, pixels in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=fmt)
            time = number / 10 if times is None else times[number]
            frame.pts, frame.time_base = None if time is None else round(time * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
