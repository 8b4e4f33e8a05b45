"""What a webcam does to a picture: blur, motion, sharpening, sensor noise, chroma subsampling, JPEG."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from .draws import Draws

# ITU-T T.81 annex K.1, luminance
_JPEG = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def box(x: Tensor, size: int) -> Tensor:
    """The mean over size × size pixels (odd), edges repeated outside; x: (B,C,H,W).

    Two passes of shifted sums: on a CPU a quarter of the time of pooling.
    """
    half, (height, width) = size // 2, x.shape[2:]
    padded = F.pad(x, (half, half, half, half), mode="replicate")
    rows = padded[..., :width].clone()
    for shift in range(1, size):
        rows += padded[..., shift : shift + width]
    whole = rows[:, :, :height].clone()
    for shift in range(1, size):
        whole += rows[:, :, shift : shift + height]
    return whole / size**2


def softened(draws: Draws, x: Tensor, share: float) -> Tensor:
    """Blurred a little, or sharpened: a 3×3 kernel per sample, in `share` of the samples.   x: (B,C,H,W)."""
    which, amount = draws.chance(share), draws.uniform(-0.6, 1.0)
    return torch.lerp(x, box(x, 3), amount * which) if bool(which.any()) else x


def smeared(draws: Draws, x: Tensor, share: float) -> Tensor:
    """Motion blur of up to 3 % of the width along one direction (one per batch), in `share` of the samples."""
    reach = max(1, round(draws.number(0.004, 0.03) * x.shape[3]))
    angle = draws.number(0, math.pi)
    which = draws.chance(share)
    if not bool(which.any()):
        return x
    steps = [(t - 0.5) * reach for t in (0.0, 0.25, 0.5, 0.75, 1.0)]
    offsets = {(round(s * math.cos(angle)), round(s * math.sin(angle))) for s in steps}
    padded = F.pad(x, (reach, reach, reach, reach), mode="replicate")
    height, width = x.shape[2:]
    moved = [padded[:, :, reach + dy : reach + dy + height, reach + dx : reach + dx + width] for dx, dy in offsets]
    return torch.where(which, torch.stack(moved).mean(0), x)


def noisy(draws: Draws, x: Tensor, sigma: float, share: float) -> Tensor:
    """Sensor noise, σ ≤ `sigma`, stronger in the dark, in `share` of the samples; partly blotchy, as in cameras."""
    height, width = x.shape[2:]
    which, level = draws.chance(share), draws.uniform(0, sigma)
    if not bool(which.any()):
        return x.clamp_(0, 1)
    level = level * which
    fine = draws.noise(3, height, width)
    blotches = F.interpolate(
        draws.noise(3, (height + 1) // 2, (width + 1) // 2), (height, width), mode="bilinear", align_corners=False
    )
    return (x + level * (1.2 - 0.5 * x) * torch.lerp(fine, blotches, draws.uniform(0, 1))).clamp_(0, 1)


def compressed(draws: Draws, x: Tensor, share: float) -> Tensor:
    """JPEG with halved chroma at quality 25–90, one quality per batch, in `share` of the samples.

    x: (B,3,H,W), 0..1.   No gradient is needed here, so the rounding is a true one.
    """
    which = draws.chance(share)
    quality = draws.number(25, 90)
    if not bool(which.any()):
        return x
    percent = 50 / quality if quality < 50 else 2 - quality / 50
    table = (torch.tensor(_JPEG, device=x.device, dtype=torch.float32) * percent).clamp(1, 255)
    matrix = torch.tensor(_YCC, device=x.device)
    height, width = x.shape[2:]
    some = x[which.flatten()]
    ycc = torch.einsum("ij,bjhw->bihw", matrix, F.pad(some, (0, -width % 16, 0, -height % 16), mode="replicate"))
    luma = _quantised(ycc[:, :1], table)
    chroma = F.interpolate(_quantised(F.avg_pool2d(ycc[:, 1:], 2), table * 1.4), scale_factor=2.0, mode="bilinear")
    rgb = torch.einsum("ij,bjhw->bihw", torch.linalg.inv(matrix), torch.cat([luma, chroma], 1))
    y = x.clone()
    y[which.flatten()] = rgb[:, :, :height, :width].clamp(0, 1)
    return y


def _quantised(x: Tensor, table: Tensor) -> Tensor:
    """Each 8×8 block through a cosine transform and the quantisation table (in 255ths)."""
    frequency, place = torch.arange(8, device=x.device)[:, None], torch.arange(8, device=x.device)[None]
    cosines = torch.cos((2 * place + 1) * frequency * (math.pi / 16)) * 0.5
    cosines[0] *= 0.5**0.5
    count, channels, height, width = x.shape
    blocks = x.reshape(count, channels, height // 8, 8, width // 8, 8).permute(0, 1, 2, 4, 3, 5)
    found = cosines @ (blocks * 255) @ cosines.T
    kept = (found / table).round() * table
    back = (cosines.T @ kept @ cosines) / 255
    return back.permute(0, 1, 2, 4, 3, 5).reshape(count, channels, height, width)
