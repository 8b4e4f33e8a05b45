"""What viewers of a virtual camera see after its producer is gone: v4l2loopback's own time-out picture.

The module shows the picture once no frame has come for a while, even after the producer was killed, so that no second
process is needed. Measured with 0.12.7, 0.13.2 and 0.15.0: the picture has to be written by mmap through a descriptor
of its own. That is opened after the control 'timeout_image_io' is set, and after the producer's first frame: before it,
0.12.7 shows garbage.
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


def install(path: str, picture: NDArray[np.uint8], after_s: float) -> None:
    """Have viewers of `path` see a picture once no frame has come for a while. For the producer, after its first frame.

    Args:
        path: The virtual camera.
        picture: I420, uint8 (H·3/2,W), contiguous, of the size in force.
        after_s: Seconds without a frame, above 0, rounded to milliseconds.

    Raises:
        OSError: The module refuses; viewers then keep the last frame.
    """
    fd = os.open(path, os.O_RDWR)
    try:
        v4l2.set_control(fd, _TIMEOUT_IMAGE_IO, 1)  # the next descriptor of the node takes the picture
        _fill(path, picture)
        v4l2.set_control(fd, _TIMEOUT, round(after_s * 1000))
    finally:
        os.close(fd)


def remove(path: str) -> None:
    """Stop showing the picture: an orderly end shows the last frame instead.

    Raises:
        OSError: The module refuses.
    """
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
