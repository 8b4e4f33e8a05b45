"""What viewers of a virtual camera see when nobody feeds it any more: v4l2loopback's own time-out picture.

The module keeps a picture and shows it, again and again, once no frame has come for a while. It does so even when the
producer was killed, so no second process has to stand by. What the lab showed (0.12.7, 0.13.2, 0.15.0): the picture has
to be put in by mmap through a descriptor of its own, opened after the control 'timeout_image_io' was set, and after the
producer's first frame (before it, 0.12.7 shows garbage).
"""

from __future__ import annotations

import mmap
import os
import struct

import numpy as np
from numpy.typing import NDArray

from camdaemon.linux import v4l2
from camdaemon.linux.v4l2 import Stream

_TIMEOUT, _TIMEOUT_IMAGE_IO = v4l2.KEEP_FORMAT + 2, v4l2.KEEP_FORMAT + 3  # v4l2loopback's own controls
_MMAP = 1  # V4L2_MEMORY_MMAP
_REQUEST = struct.Struct("=III8x")  # v4l2_requestbuffers: count type memory (capabilities flags)
_BUFFER = struct.Struct("=II52xIQI12x")  # v4l2_buffer: index type … memory, offset, length …
_REQBUFS = v4l2.request(v4l2.READ | v4l2.WRITE, 8, _REQUEST)
_QUERYBUF = v4l2.request(v4l2.READ | v4l2.WRITE, 9, _BUFFER)


def put(path: str, picture: NDArray[np.uint8], after_s: float) -> None:
    """Let viewers of `path` see `picture` once no frame has come for `after_s` seconds (whole milliseconds, > 0).

    picture: I420, uint8 (H·3/2,W), contiguous, of the size in force. For the producer, after its first frame. OSError
    when the module refuses: viewers then keep its last frame.
    """
    fd = os.open(path, os.O_RDWR)
    try:
        v4l2.set_control(fd, _TIMEOUT_IMAGE_IO, 1)  # the next one that opens the node brings the picture
        _fill(path, picture)
        v4l2.set_control(fd, _TIMEOUT, round(after_s * 1000))
    finally:
        os.close(fd)


def take_away(path: str) -> None:
    """Show it no more: an orderly end shows its own last picture. OSError when the module refuses."""
    fd = os.open(path, os.O_RDWR)
    try:
        v4l2.set_control(fd, _TIMEOUT, 0)
    finally:
        os.close(fd)


def _fill(path: str, picture: NDArray[np.uint8]) -> None:
    fd = os.open(path, os.O_RDWR)
    try:
        v4l2.call(fd, _REQBUFS, _REQUEST, 1, Stream.OUTPUT, _MMAP)
        *_, offset, length = v4l2.call(fd, _QUERYBUF, _BUFFER, 0, Stream.OUTPUT, _MMAP, 0, 0)
        if length < picture.nbytes:
            raise OSError(f"{path} has {length} bytes for a picture of {picture.nbytes}")
        with mmap.mmap(fd, length, offset=offset) as shared:
            shared[: picture.nbytes] = picture.tobytes()
    finally:
        os.close(fd)
