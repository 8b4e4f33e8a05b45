"""Results as FFmpeg's frames: RGB to YUV in the film's own matrix and range, alpha to the bit."""

from __future__ import annotations

from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from camdaemon.frames import yuv
from camdaemon.frames.conversion import EXACT
from camdaemon.frames.decoder import to_depth
from camdaemon.tools.files.rendering import Pixels
from camdaemon.tools.films.encodings import Encoding
from camdaemon.tools.films.source import Tags

_UNSPECIFIED = 2
_BT601 = 5
_FULL, _LIMITED = 2, 1


class FrameMaker:
    """Makes FFmpeg's frames of results. Used by one thread.

    Args:
        encoding: Of the film.
        tags: Of the film's colors.
    """

    def __init__(self, encoding: Encoding, tags: Tags) -> None:
        self._encoding, self._tags = encoding, tags
        self._reformatter = VideoReformatter()

    def make(self, pixels: Pixels) -> av.VideoFrame:
        """Make a frame of (H,W) gray, (H,W,3) RGB, or (H,W,4) RGB and alpha, straight."""
        pixels = to_depth(pixels, deep="16" in self._encoding.pixels or "10" in self._encoding.pixels)
        if pixels.ndim == 2:
            return self._make_gray(pixels)
        if pixels.shape[2] == 4:
            if self._encoding.alpha_mode == "premultiplied":
                pixels = premultiply(pixels)
            if self._encoding.pixels in ("bgra", "gbrap16le"):
                return self._make_rgba(pixels)
        frame = self._convert(np.ascontiguousarray(pixels[..., :3]))
        if pixels.shape[2] == 4 and self._encoding.has_alpha:
            _set_plane(frame, 3, _to_bits(pixels[..., 3], frame.format.components[3].bits))
        return frame

    def _make_gray(self, gray: Pixels) -> av.VideoFrame:
        height, width = gray.shape
        frame = av.VideoFrame(width, height, self._encoding.pixels)
        bits = frame.format.components[0].bits
        _set_plane(frame, 0, _to_bits(gray, bits))
        for plane in range(1, len(frame.planes)):
            _set_plane(frame, plane, np.uint16(1 << (bits - 1)))
        return frame

    def _make_rgba(self, rgba: Pixels) -> av.VideoFrame:
        height, width = rgba.shape[:2]
        frame = av.VideoFrame(width, height, self._encoding.pixels)
        if self._encoding.pixels == "bgra":
            _set_plane(frame, 0, np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA)).reshape(height, -1))
        else:
            for plane, channel in enumerate((1, 2, 0, 3)):
                _set_plane(frame, plane, rgba[..., channel])
        return frame

    def _convert(self, rgb: NDArray[Any]) -> av.VideoFrame:
        """Convert (H,W,3) RGB to the encoding's pixel format; its planes of alpha mean nothing yet."""
        full = self._tags.range == _FULL
        if rgb.dtype != np.uint8:
            return self._convert_deep(rgb, full=full)
        return self._reformatter.reformat(
            av.VideoFrame.from_ndarray(rgb, format="rgb24"),
            format=self._encoding.pixels,
            src_color_range=_FULL,
            dst_colorspace=_BT601 if self._tags.matrix == _UNSPECIFIED else self._tags.matrix,
            dst_color_range=_FULL if full else _LIMITED,
            interpolation=EXACT,
        )

    def _convert_deep(self, rgb: NDArray[np.uint16], *, full: bool) -> av.VideoFrame:
        height, width = rgb.shape[:2]
        is_packed = self._encoding.pixels == "p010le"
        frame = av.VideoFrame(width, height, "yuv420p10le" if is_packed else self._encoding.pixels)
        bits = frame.format.components[0].bits
        if frame.format.is_rgb:
            for plane, channel in enumerate((1, 2, 0)):
                _set_plane(frame, plane, rgb[..., channel])
            return frame
        planes = cv2.split(yuv.from_rgb(rgb, bits, self._tags.matrix, full=full))
        for number, values in enumerate(planes):
            there = frame.planes[number]
            part = yuv.subsample(np.asarray(values, np.float32), there.width, there.height)
            _set_plane(frame, number, yuv.quantize(part, bits))
        return self._reformatter.reformat(frame, format="p010le") if is_packed else frame


def premultiply(rgba: Pixels) -> Pixels:
    """Multiply the coded colors of (H,W,4) by its alpha, rounded: what editors mean by premultiplied film."""
    most = np.iinfo(rgba.dtype).max
    found = rgba.copy()
    product = rgba[..., :3].astype(np.uint64) * rgba[..., 3:]
    found[..., :3] = (product + most // 2) // most
    return found


def _to_bits(values: Pixels, bits: int) -> NDArray[Any]:
    """Scale values in full range to `bits`, rounded."""
    if bits in (8, 16):
        return values
    return np.asarray((values.astype(np.uint32) * ((1 << bits) - 1) + 32767) // 65535, np.uint16)


def _set_plane(frame: av.VideoFrame, number: int, values: NDArray[Any] | np.uint16) -> None:
    plane = frame.planes[number]
    dtype = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
    rows = np.frombuffer(memoryview(plane), dtype).reshape(plane.height, -1)
    width = values.shape[1] if isinstance(values, np.ndarray) else plane.width
    rows[:, :width] = values
