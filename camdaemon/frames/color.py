"""All color conversions of bytes, by OpenCV; those of an accelerator are in `tensors.color`.

YUV means BT.601, limited range (Y 16..235, U and V 16..240): what webcams send, and what browsers, Zoom and OBS assume
of a v4l2loopback camera. RGB is gamma-encoded, as it comes. Subsampled chroma is the mean of its 2×2 pixels on the way
out, and repeated on the way in.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.frames.frame import PixelFormat

# ITU-R BT.601: rows Y, U, V of 0..1 RGB, in steps of the limited range; offsets 16, 128, 128.
TO_YUV = ((65.481, 128.553, 24.966), (-37.797, -74.203, 112.0), (112.0, -93.786, -18.214))
OFFSET = (16.0, 128.0, 128.0)

# Of 0..255 RGB. Three rows, since OpenCV makes three channels of three in a tenth of the time of two of three.
_TO_CHROMA = np.array([*([*(part / 255 for part in row), 128.0] for row in TO_YUV[1:]), [0.0] * 4])

_HOST_TO_RGB = {
    PixelFormat.BGR: cv2.COLOR_BGR2RGB,
    PixelFormat.YUYV: cv2.COLOR_YUV2RGB_YUYV,
    PixelFormat.NV12: cv2.COLOR_YUV2RGB_NV12,
    PixelFormat.I420: cv2.COLOR_YUV2RGB_I420,
}


def host_to_rgb(data: NDArray[np.uint8], fmt: PixelFormat) -> NDArray[np.uint8]:
    """Convert uint8 of `fmt` to uint8 (H,W,3) RGB; `data` itself if it is RGB already."""
    if fmt is PixelFormat.RGB:
        return data
    return np.asarray(cv2.cvtColor(data, _HOST_TO_RGB[fmt]), np.uint8)


def rgb_to_host(rgb: NDArray[np.uint8], fmt: PixelFormat, out: NDArray[np.uint8]) -> None:
    """Convert uint8 (H,W,3) RGB into `out`, uint8 of the shape of `fmt`.

    Raises:
        NotImplementedError: `fmt` is not RGB, BGR or I420, which are all that sinks take.
    """
    match fmt:
        case PixelFormat.RGB:
            out[:] = rgb
        case PixelFormat.BGR:
            cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR, dst=out)
        case PixelFormat.I420:
            height, width = rgb.shape[:2]
            cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420, dst=out)  # its chroma is that of one pixel in four
            small = cv2.resize(rgb, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
            chroma = np.asarray(cv2.transform(small, _TO_CHROMA), np.uint8)[..., :2]
            out[height:].reshape(2, height // 2, width // 2)[:] = chroma.transpose(2, 0, 1)
        case _:
            raise NotImplementedError(f"no sink takes {fmt}")
