"""All color conversions, on the host (OpenCV) and on a device (torch).

YUV means BT.601, limited range (Y 16..235, U and V 16..240): what webcams send, and what browsers, Zoom and OBS assume
of a v4l2loopback camera. RGB is gamma-encoded, as it comes. Subsampled chroma is the mean of its 2×2 pixels on the way
out, and repeated on the way in.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

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


def device_to_rgb(data: Tensor, fmt: PixelFormat, dtype: torch.dtype) -> Tensor:
    """Convert a uint8 tensor, shaped as the host array of `fmt`, to (1,3,H,W) of `dtype`, RGB, 0..1, same device."""
    match fmt:
        case PixelFormat.RGB | PixelFormat.BGR:
            rgb = data.flip(2) if fmt is PixelFormat.BGR else data
            return rgb.permute(2, 0, 1)[None].to(dtype) / 255
        case PixelFormat.YUYV:
            height, width = data.shape[:2]
            luma = data[:, :, 0]
            chroma = data[:, :, 1].reshape(height, width // 2, 2)
        case PixelFormat.NV12:
            height, width = data.shape[0] * 2 // 3, data.shape[1]
            luma, chroma = data[:height], data[height:].reshape(height // 2, width // 2, 2)
        case PixelFormat.I420:
            height, width = data.shape[0] * 2 // 3, data.shape[1]
            luma, chroma = data[:height], data[height:].reshape(2, height // 2, width // 2).permute(1, 2, 0)
    chroma = chroma.repeat_interleave(width // chroma.shape[1], 1).repeat_interleave(height // chroma.shape[0], 0)
    yuv = torch.cat((luma[None], chroma.permute(2, 0, 1))).float()
    matrix = torch.linalg.inv(torch.tensor(TO_YUV)).to(data.device)
    rgb = torch.einsum("ij,jhw->ihw", matrix, yuv - torch.tensor(OFFSET, device=data.device)[:, None, None])
    return rgb.clamp(0, 1)[None].to(dtype)


def device_from_rgb(rgb: Tensor, fmt: PixelFormat) -> Tensor:
    """Convert (1,3,H,W), RGB, 0..1, to a uint8 tensor shaped as the host array of `fmt`, on the same device.

    Raises:
        NotImplementedError: `fmt` is not RGB, BGR or I420, which are all that sinks take.
    """
    match fmt:
        case PixelFormat.RGB | PixelFormat.BGR:
            pixels = _round(rgb[0].permute(1, 2, 0) * 255)
            return (pixels.flip(2) if fmt is PixelFormat.BGR else pixels).contiguous()
        case PixelFormat.I420:
            matrix = torch.tensor(TO_YUV, device=rgb.device)
            picture = rgb.float()
            luma = torch.einsum("j,jhw->hw", matrix[0], picture[0]) + OFFSET[0]
            small = F.avg_pool2d(picture, 2)[0]
            chroma = torch.einsum("ij,jhw->ihw", matrix[1:], small) + OFFSET[1]
            return torch.cat((_round(luma), _round(chroma).reshape(-1, luma.shape[1])))
        case _:
            raise NotImplementedError(f"no sink takes {fmt}")


def _round(values: Tensor) -> Tensor:
    return (values + 0.5).clamp(0, 255).to(torch.uint8)
