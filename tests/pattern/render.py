"""Render the built-in clip: `python tests/pattern/render.py` (a minute or two). Run it after a change of the painter.

The options are chosen by eye and by size: with x264's tuning for SSIM the clip looks best for its bytes. It starts with
its only key frame, since nothing ever seeks in it but to its start.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

sys.path.insert(0, str(Path(__file__).parents[2]))

from camdaemon.capture.pattern import CLIP, CLIP_FPS, SECONDS
from camdaemon.frames import color
from camdaemon.frames.frame import PixelFormat, Size
from tests.pattern.scene import Scene

SIZE = Size(960, 540)
LIMIT = 500_000  # bytes; the clip is part of the package
_OPTIONS = {"preset": "veryslow", "tune": "ssim", "crf": "20.5", "g": str(SECONDS * CLIP_FPS)}


def render(path: Path) -> None:
    """Write the clip into `path`: H.264 in MP4, I420 as camdaemon means it (BT.601, limited range)."""
    scene = Scene(SIZE, CLIP_FPS)
    rgb = np.empty(PixelFormat.RGB.shape(SIZE), np.uint8)
    i420 = np.empty(PixelFormat.I420.shape(SIZE), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(CLIP_FPS), options=_OPTIONS)
        stream.width, stream.height, stream.pix_fmt = SIZE.width, SIZE.height, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = Colorspace.ITU601, ColorRange.MPEG
        for index in range(scene.frames):
            scene.film(index, rgb)
            color.rgb_to_host(rgb, PixelFormat.I420, i420)
            frame = av.VideoFrame.from_ndarray(i420, format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, CLIP_FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    render(CLIP)
    size = CLIP.stat().st_size
    print(f"{CLIP}: {size} bytes")
    sys.exit(f"too large: at most {LIMIT} bytes" if size > LIMIT else 0)
