"""A camera of which there is a descriptor but no path that may be opened: OpenCV's calls, by buffers of our own.

OpenCV opens cameras by their paths only, which a hidden camera does not allow (docs/hide-camera.md). What is asked of
OpenCV here is little: one format, the newest picture, raw or as BGR.
"""

from __future__ import annotations

import os

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.linux import v4l2, v4l2_stream
from camdaemon.linux.v4l2 import Format, Stream
from camdaemon.linux.v4l2_stream import Buffers, Filled

Bytes = NDArray[np.uint8]

_STALL_S = 2.0
_TO_BGR = {
    "YUYV": cv2.COLOR_YUV2BGR_YUY2,
    "UYVY": cv2.COLOR_YUV2BGR_UYVY,
    "NV12": cv2.COLOR_YUV2BGR_NV12,
    "NV21": cv2.COLOR_YUV2BGR_NV21,
    "YU12": cv2.COLOR_YUV2BGR_I420,
    "YV12": cv2.COLOR_YUV2BGR_YV12,
    "RGB3": cv2.COLOR_RGB2BGR,
    "GREY": cv2.COLOR_GRAY2BGR,
}
_PLANAR = ("NV12", "NV21", "YU12", "YV12")  # 4:2:0: half as many rows again
_CHANNELS = {"YUYV": 2, "UYVY": 2, "RGB3": 3, "BGR3": 3}


class DescriptorCapture:
    """cv2.VideoCapture as `V4l2Source` uses it, for the descriptor `fd`, which it closes. For one thread.

    Settings come first, the format's characters before its width and its height last; the stream starts with the
    first `grab`. A camera that refuses a setting is closed, as OpenCV closes it.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._values: dict[int, float] = {cv2.CAP_PROP_CONVERT_RGB: 1}
        self._format = Format("", 0, 0)
        self._stride = 0
        self._buffers: Buffers | None = None
        self._filled: Filled | None = None

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Whether the camera is open."""
        return self._fd >= 0

    def set(self, key: int, value: float) -> bool:
        """Set one of OpenCV's properties; return whether the driver has not refused."""
        if self._fd < 0:
            return False
        self._values[key] = value
        try:
            if key == cv2.CAP_PROP_FRAME_HEIGHT:
                self._ask_for_format()
            elif key == cv2.CAP_PROP_FPS:
                self._values[key] = v4l2.set_rate(self._fd, Stream.CAPTURE, value)
        except OSError:
            if key != cv2.CAP_PROP_FPS:  # a camera without rates has one
                self.release()
            return False
        return True

    def _ask_for_format(self) -> None:
        keys = cv2.CAP_PROP_FOURCC, cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT
        four, width, height = (int(self._values[key]) for key in keys)
        made = v4l2.set_format(self._fd, Stream.CAPTURE, Format(v4l2.fourcc(four), width, height))
        self._format, self._stride = made, v4l2_stream.get_stride(self._fd)
        self._values |= dict(zip(keys, (v4l2.code(made.fourcc), made.width, made.height), strict=True))

    def get(self, key: int) -> float:
        """Return a property as the driver has it; the time of the last picture in milliseconds, 0 where unknown."""
        if key == cv2.CAP_PROP_POS_MSEC:
            return 1000 * self._filled.t if self._filled is not None else 0.0
        return self._values.get(key, 0.0)

    def grab(self) -> bool:
        """Wait for the next picture, at most 2 s; return whether there is one."""
        if self._fd < 0:
            return False
        try:
            if self._buffers is None:
                self._buffers = Buffers(self._fd, int(self._values.get(cv2.CAP_PROP_BUFFERSIZE, 2)))
            if self._filled is not None:
                self._buffers.give_back(self._filled.index)
                self._filled = None
            if not self._buffers.wait(_STALL_S):
                return False
            self._filled = self._buffers.take()
        except OSError:  # another program streams, or it is unplugged
            return False
        return True

    def retrieve(self, _: Bytes | None = None) -> tuple[bool, Bytes | None]:
        """Return whether there is a picture, and it: BGR, or what the driver gave; None for a broken one."""
        if self._filled is None or self._buffers is None:
            return False, None
        memory = self._buffers.memory(self._filled.index)
        raw = np.frombuffer(memory[: self._filled.length], np.uint8)
        if not raw.size or self._format.fourcc in ("MJPG", "JPEG"):
            return True, raw if raw.size else None
        packed = self._without_padding(raw)
        if packed is None or not self._values[cv2.CAP_PROP_CONVERT_RGB] or self._format.fourcc == "BGR3":
            return True, packed
        return True, np.asarray(cv2.cvtColor(packed, _TO_BGR[self._format.fourcc]), np.uint8)

    def _without_padding(self, raw: Bytes) -> Bytes | None:
        """The picture (rows, columns[, channels]) of the buffer; None if it is cut off."""
        four, width, height = self._format.fourcc, self._format.width, self._format.height
        channels = _CHANNELS.get(four, 1)
        rows = height * 3 // 2 if four in _PLANAR else height
        stride = max(self._stride, width * channels)
        if raw.size < stride * rows:
            return None
        picture = raw[: stride * rows].reshape(rows, stride)[:, : width * channels]
        return np.ascontiguousarray(picture).reshape(rows, width, channels) if channels > 1 else picture.copy()

    def release(self) -> None:
        """Give the camera back. May be called twice."""
        if self._buffers is not None:
            self._buffers.close()
            self._buffers = self._filled = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
