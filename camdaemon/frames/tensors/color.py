"""Color conversions on an accelerator; see `camdaemon.frames.color` for what YUV means."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from camdaemon.frames.color import OFFSET, TO_YUV
from camdaemon.frames.frame import PixelFormat


def to_rgb(data: Tensor, fmt: PixelFormat, dtype: torch.dtype) -> Tensor:
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


def from_rgb(rgb: Tensor, fmt: PixelFormat) -> Tensor:
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
