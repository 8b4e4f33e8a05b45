"""The daemon's I420 pictures in the other pixel formats that PipeWire's readers take. BT.601, see `frames.color`."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.frames.frame import Size
from camdaemon.linux.pipewire.sender import Layout
from camdaemon.linux.pipewire.video import Pixels

Bytes = NDArray[np.uint8]


def list_layouts(size: Size) -> dict[Pixels, Layout]:
    """Return the pixel formats that pictures of `size` are offered in, in their order.

    GStreamer pads rows of chroma to four bytes, the kernel does not. So I420 is left out where these differ.
    """
    width, pixels = size.width, size.width * size.height
    found = {
        Pixels.I420: Layout(pixels * 3 // 2, width),
        Pixels.NV12: Layout(pixels * 3 // 2, width),
        Pixels.YUY2: Layout(pixels * 2, width * 2),
        Pixels.BGRx: Layout(pixels * 4, width * 4),
    }
    if width % 8:
        del found[Pixels.I420]
    return found


def paint(picture: Bytes, size: Size, pixels: Pixels, out: Bytes) -> None:
    """Write an I420 picture in another pixel format.

    Args:
        picture: uint8 (H·3/2,W), contiguous.
        size: Its size.
        pixels: One of `list_layouts`.
        out: uint8 (bytes,), exactly as long as the format needs; wholly overwritten.
    """
    height, width = size.height, size.width
    chroma = picture[height:].reshape(2, height // 2, width // 2)
    match pixels:
        case Pixels.I420:
            out.reshape(picture.shape)[:] = picture
        case Pixels.NV12:
            planes = out.reshape(picture.shape)
            planes[:height] = picture[:height]
            planes[height:] = np.asarray(cv2.merge([chroma[0], chroma[1]]), np.uint8).reshape(height // 2, width)
        case Pixels.YUY2:
            both = np.asarray(cv2.merge([chroma[0], chroma[1]]), np.uint8).reshape(height // 2, 1, width)
            rows = out.reshape(height // 2, 2, width, 2)
            rows[..., 0] = picture[:height].reshape(height // 2, 2, width)
            rows[..., 1] = both
        case Pixels.BGRx:
            cv2.cvtColor(picture, cv2.COLOR_YUV2BGRA_I420, dst=out.reshape(height, width, 4))
        case _:
            raise NotImplementedError(f"no picture is offered as {pixels.name}")
