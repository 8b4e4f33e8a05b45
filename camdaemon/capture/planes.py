"""Pictures in PipeWire's buffers: planes with strides of their own, in one block of memory or in several."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.frames.frame import PixelFormat
from camdaemon.linux.pipewire.buffer import Buffer
from camdaemon.linux.pipewire.video import Pixels

Bytes = NDArray[np.uint8]

NATIVE = {Pixels.YUY2: PixelFormat.YUYV, Pixels.NV12: PixelFormat.NV12, Pixels.I420: PixelFormat.I420}
_TO_RGB = {
    Pixels.YUY2: cv2.COLOR_YUV2RGB_YUYV,
    Pixels.NV12: cv2.COLOR_YUV2RGB_NV12,
    Pixels.I420: cv2.COLOR_YUV2RGB_I420,
    Pixels.BGR: cv2.COLOR_BGR2RGB,
    Pixels.BGRx: cv2.COLOR_BGRA2RGB,
    Pixels.BGRA: cv2.COLOR_BGRA2RGB,
    Pixels.RGBx: cv2.COLOR_RGBA2RGB,
    Pixels.RGBA: cv2.COLOR_RGBA2RGB,
}


def gather(buffer: Buffer, pixels: Pixels, width: int, height: int) -> Bytes | None:
    """Copy a picture out of a buffer.

    Args:
        buffer: Lent by the stream.
        pixels: Its format.
        width: In pixels, even.
        height: In pixels, even.

    Returns:
        uint8, (H·3/2,W) for I420 and NV12, (H,W,2..4) for others; None if the buffer does not hold one.
    """
    shapes = _list_planes(pixels, width, height)
    offset, size, stride, is_whole = buffer.read_chunk()
    if not size or not is_whole or buffer.is_corrupted:
        return None
    out, at, shared = np.empty(sum(rows * row for rows, row in shapes), np.uint8), 0, buffer.memory()
    first = stride if stride > 0 else shapes[0][1]
    for plane, (rows, row) in enumerate(shapes):
        step = first * row // shapes[0][1]
        if plane and buffer.planes >= len(shapes):
            offset, size, stride, is_whole = buffer.read_chunk(plane)
            step, shared = stride if stride > 0 else step, buffer.memory(plane)
            if not is_whole:
                return None
        if step < row or offset + step * (rows - 1) + row > len(shared):
            return None
        out[at : at + rows * row].reshape(rows, row)[:] = np.ndarray((rows, row), np.uint8, shared, offset, (step, 1))
        at, offset = at + rows * row, offset + step * rows
    return out.reshape(_shape(pixels, width, height))


def to_rgb(picture: Bytes, pixels: Pixels) -> Bytes:
    """Convert what `gather` returned to uint8 (H,W,3) RGB. YUV is taken for BT.601 in limited range."""
    return picture if pixels is Pixels.RGB else np.asarray(cv2.cvtColor(picture, _TO_RGB[pixels]), np.uint8)


def _list_planes(pixels: Pixels, width: int, height: int) -> list[tuple[int, int]]:
    """Return rows and bytes of a row, of each plane."""
    match pixels:
        case Pixels.I420:
            return [(height, width), (height // 2, width // 2), (height // 2, width // 2)]
        case Pixels.NV12:
            return [(height, width), (height // 2, width)]
        case _:
            return [(height, width * _channels(pixels))]


def _channels(pixels: Pixels) -> int:
    return 2 if pixels is Pixels.YUY2 else 3 if pixels in (Pixels.RGB, Pixels.BGR) else 4


def _shape(pixels: Pixels, width: int, height: int) -> tuple[int, ...]:
    return (height * 3 // 2, width) if pixels in (Pixels.I420, Pixels.NV12) else (height, width, _channels(pixels))
