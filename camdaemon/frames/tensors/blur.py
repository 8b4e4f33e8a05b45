"""The blur of a backdrop, for tensors."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def blur(picture: Tensor, sigma: float, step: int, margin: int) -> Tensor:
    """Blur a picture (1,C,H,W), floats 0..1, with a Gaussian of `sigma` pixels; its edges are repeated.

    Args:
        picture: On any device.
        sigma: Standard deviation, pixels, above 0.
        step: By how much the copy is smaller that is blurred.
        margin: By how many pixels the edges are repeated, a multiple of `step`.
    """
    height, width = picture.shape[-2:]
    padded = F.pad(
        picture.float(),
        (margin, margin - width % -step, margin, margin - height % -step),
        mode="replicate",
    )
    small = F.avg_pool2d(padded, step)
    narrow = sigma / step
    radius = max(1, round(3 * narrow))
    x = torch.arange(-radius, radius + 1, device=picture.device, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (x / narrow) ** 2)
    kernel = (kernel / kernel.sum()).expand(small.shape[1], 1, 1, -1)
    blurred = F.conv2d(F.pad(small, (radius,) * 4, mode="replicate"), kernel, groups=small.shape[1])
    blurred = F.conv2d(blurred, kernel.transpose(2, 3), groups=small.shape[1])
    full = F.interpolate(blurred, padded.shape[-2:], mode="bicubic", align_corners=False)
    return full[..., margin : margin + height, margin : margin + width].clamp(0, 1).to(picture.dtype)
