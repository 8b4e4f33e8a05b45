"""FFmpeg's frames of one video as arrays: upright, of one size, in 8 or 16 bits, HDR mapped to SDR."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from camdaemon.errors import DeviceError
from camdaemon.frames import hdr, yuv
from camdaemon.frames.door import MOST_VIDEO_PIXELS, Unreadable
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import Color, Picture, cover, lay_over
from camdaemon.frames.upright import UPRIGHT, Turn

_UNSPECIFIED = 2  # FFmpeg's AVCOL_SPC_UNSPECIFIED
_LAYOUTS: dict[str, tuple[type[np.uint8 | np.uint16], int]] = {
    "yuv420p": (np.uint8, 1),
    "gray": (np.uint8, 1),
    "rgb24": (np.uint8, 3),
    "rgba": (np.uint8, 4),
    "gbrp16le": (np.uint16, 1),
    "yuv444p16le": (np.uint16, 1),
}
# Without these flags swscale is 1 to 2 levels too dark (measured against the formula of BT.601).
EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


class FrameConverter:
    """Converts the frames of one video. Used by one thread at a time.

    Args:
        name: Of the video, for error messages.
        advice: What to type instead, the end of error messages.
        first: The first frame; all frames get its size.
        stream: The frames' stream.
        over: Color under transparent parts; None: transparency is ignored.
        square: Whether pixels that are not square become so, by scaling the width.

    Attributes:
        size: Width and height of what is returned.
        aspect: Of its pixels, width to height.

    Raises:
        Unreadable: With square pixels, the frames would be too large.
    """

    def __init__(
        self,
        name: str,
        advice: str,
        first: av.VideoFrame,
        stream: VideoStream,
        over: Color | None = None,
        *,
        square: bool = True,
    ) -> None:
        self._name, self._advice, self._over = name, advice, over
        self._turn = _turn_of(first)
        aspect = _aspect_of(stream)
        self._stored = _square(first, aspect) if square else (first.width, first.height)
        self.size = self._turn.size(*self._stored)
        self.aspect = Fraction(1) if square else 1 / aspect if self._turn.transposed else aspect
        self._reformatter = VideoReformatter()

    def planes(self, frame: av.VideoFrame, fmt: str) -> list[NDArray[Any]]:
        """Convert a frame to a pixel format of FFmpeg.

        Returns:
            Its planes upright, of `size`, uint8 (H,W) or (H,W,channels), valid until the next call.

        Raises:
            DeviceError: The frame cannot be converted.
        """
        return self._convert(frame, fmt, self._stored)

    def _convert(self, frame: av.VideoFrame, fmt: str, stored: tuple[int, int]) -> list[NDArray[Any]]:
        how = EXACT if stored[0] >= frame.width else EXACT & ~Interpolation.BILINEAR | Interpolation.AREA
        try:
            found = self._reformatter.reformat(frame, *stored, fmt, interpolation=how)
        except (av.FFmpegError, ValueError):
            raise DeviceError(f"cannot convert a frame of {self._name}. {self._advice}") from None
        return [self._turn.apply(_pixels(plane, *_LAYOUTS[fmt])) for plane in found.planes]

    def luma(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """Return the brightness of a frame of YUV or gray as it is coded, uint8 (H,W), upright, of `size`."""
        bits = frame.format.components[0].bits
        plane = _pixels(frame.planes[0], np.uint8 if bits <= 8 else np.uint16, 1)
        values = plane if bits <= 8 else np.asarray(plane >> (bits - 8), np.uint8)
        if values.shape != self._stored[::-1]:
            values = np.asarray(cv2.resize(values, self._stored, interpolation=cv2.INTER_LINEAR), np.uint8)
        return self._turn.apply(values)

    def picture(self, frame: av.VideoFrame) -> Picture:
        """Return a frame as uint8 (H,W,3) RGB, upright, of `size`; valid until the next call. See `planes`."""
        return self._rgb(frame, self._stored)

    def deep_picture(self, frame: av.VideoFrame) -> NDArray[np.uint16]:
        """Return a frame as uint16 (H,W,3) RGB in full range; else as `picture`."""
        rgb = self._deep(frame, self._stored)
        return hdr.map_to_sdr_deep(rgb, frame.color_trc) if hdr.is_hdr(frame.color_trc) else rgb

    def cover(self, frame: av.VideoFrame, size: Size) -> Picture:
        """Return a frame scaled and cropped to `size`, uint8 (H,W,3) RGB. See `picture.cover` and `planes`."""
        scale = max(size.width / self.size[0], size.height / self.size[1])
        smaller = scale < 1 and not _has_alpha(frame)  # scaled first, hidden colors would get over the edges
        width, height = (math.ceil(side * scale) for side in self._stored) if smaller else self._stored
        return cover(np.array(self._rgb(frame, (width, height))), size)

    def _rgb(self, frame: av.VideoFrame, stored: tuple[int, int]) -> Picture:
        if hdr.is_hdr(frame.color_trc):
            return hdr.map_to_sdr(self._deep(frame, stored), frame.color_trc)
        if self._over is not None and _has_alpha(frame):
            return lay_over(self._convert(frame, "rgba", stored)[0], self._over)
        return self._convert(frame, "rgb24", stored)[0]

    def _deep(self, frame: av.VideoFrame, stored: tuple[int, int]) -> NDArray[np.uint16]:
        if _is_plain(frame) and stored == (frame.width, frame.height):
            return self._turn.apply(_fill_range(frame))
        if not _is_yuv(frame):
            # In planes: swscale's RGB of 16 bits has wrong colors with the flags that make the others exact.
            green, blue, red = self._convert(frame, "gbrp16le", stored)
            return np.stack((red, green, blue), 2)
        bits = frame.format.components[0].bits
        planes = np.stack(self._convert(frame, "yuv444p16le", stored), 2)
        if frame.format.components[1].width == frame.width and stored == (frame.width, frame.height):
            planes >>= 16 - bits  # what swscale writes below depends on the range
            coded = planes.astype(np.float32)
        else:
            coded = planes.astype(np.float32) * np.float32(2.0 ** (bits - 16))
        matrix = frame.colorspace
        if matrix == _UNSPECIFIED and hdr.is_hdr(frame.color_trc):
            matrix = Colorspace.BT2020
        return yuv.to_rgb(coded, bits, matrix, full=frame.color_range == ColorRange.JPEG)


def count_bits(frame: av.VideoFrame) -> int:
    """Return how many bits the first component of a frame has: 8 of most videos, 10 of those for editing and HDR."""
    return 8 if frame.format.has_palette else frame.format.components[0].bits


def _is_yuv(frame: av.VideoFrame) -> bool:
    return not frame.format.is_rgb and not frame.format.has_palette and len(frame.format.components) >= 3


def _is_plain(frame: av.VideoFrame) -> bool:
    """Whether it has gray, or red, green and blue, in planes of 9 to 16 bits."""
    name = frame.format.name
    return name.startswith(("gray", "gbr")) and name.endswith("le") and 8 < frame.format.components[0].bits <= 16


def _fill_range(frame: av.VideoFrame) -> NDArray[np.uint16]:
    """Return a plain frame as uint16 (H,W,3) RGB in full range, rounded: swscale is a level of 10 bits off."""
    green, blue, red = (frame.planes[number] for number in ((0, 1, 2) if frame.format.is_rgb else (0, 0, 0)))
    values = np.stack([_pixels(plane, np.uint16, 1) for plane in (red, green, blue)], 2).astype(np.int64)
    bits = frame.format.components[0].bits
    black, white = 0, (1 << bits) - 1
    if not frame.format.is_rgb and frame.color_range == ColorRange.MPEG:
        black, white = 16 << (bits - 8), 235 << (bits - 8)
    span = white - black
    return np.asarray(((values - black) * 65535 + span // 2).clip(0, 65535 * span) // span, np.uint16)


def _turn_of(frame: av.VideoFrame) -> Turn:
    data = frame.side_data.get("DISPLAYMATRIX")
    return Turn.from_matrix(np.frombuffer(bytes(data), np.int32).tolist()) if isinstance(data, SideData) else UPRIGHT


def _aspect_of(stream: VideoStream) -> Fraction:
    """Return width to height of a stored pixel: 1 where nothing sensible is declared.

    A difference of less than 0.5 % comes from rounding, and is left alone.
    """
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    return aspect if abs(aspect - 1) >= 0.005 and 0.1 <= aspect <= 10 else Fraction(1)


def _square(frame: av.VideoFrame, aspect: Fraction) -> tuple[int, int]:
    """Return width and height that give the stored frame square pixels; as FFmpeg does it, its height stays."""
    width = max(1, round(frame.width * aspect))
    if width * frame.height > MOST_VIDEO_PIXELS:
        raise Unreadable(f"with square pixels it is {width}x{frame.height}, too large (at most 8192x4320)")
    return width, frame.height


def _has_alpha(frame: av.VideoFrame) -> bool:
    return frame.format.has_palette or any(component.is_alpha for component in frame.format.components)


def _pixels(plane: VideoPlane, dtype: type[np.uint8 | np.uint16], channels: int) -> NDArray[Any]:
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size).view(dtype)[: plane.height]
    if channels == 1:
        return rows[:, : plane.width]
    return rows[:, : plane.width * channels].reshape(plane.height, plane.width, channels)
