"""What a webcam does to a picture: blur, motion, sharpening, sensor noise, chroma subsampling, JPEG."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from camdaemon.tools.train.draws import BatchRandom

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


def box_blur(x: Tensor, size: int) -> Tensor:
    """Return the mean over size × size pixels (odd) of `x` (B,C,H,W), edges repeated outside.

    Two passes of shifted sums take a quarter of the time of pooling on a CPU.
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


def soften(rng: BatchRandom, x: Tensor, share: float) -> Tensor:
    """Blur or sharpen `x` (B,C,H,W) a little with a 3×3 kernel per sample, in `share` of the samples."""
    which, amount = rng.chance(share), rng.uniform(-0.6, 1.0)
    return torch.lerp(x, box_blur(x, 3), amount * which) if bool(which.any()) else x


def add_motion_blur(rng: BatchRandom, x: Tensor, share: float) -> Tensor:
    """Blur along one direction per batch, by up to 3 % of the width, in `share` of the samples."""
    reach = max(1, round(rng.scalar(0.004, 0.03) * x.shape[3]))
    angle = rng.scalar(0, math.pi)
    which = rng.chance(share)
    if not bool(which.any()):
        return x
    steps = [(t - 0.5) * reach for t in (0.0, 0.25, 0.5, 0.75, 1.0)]
    offsets = {(round(s * math.cos(angle)), round(s * math.sin(angle))) for s in steps}
    padded = F.pad(x, (reach, reach, reach, reach), mode="replicate")
    height, width = x.shape[2:]
    moved = [padded[:, :, reach + dy : reach + dy + height, reach + dx : reach + dx + width] for dx, dy in offsets]
    return torch.where(which, torch.stack(moved).mean(0), x)


def add_noise(rng: BatchRandom, x: Tensor, sigma: float, share: float) -> Tensor:
    """Add sensor noise, σ ≤ `sigma`, stronger in the dark, partly blotchy as in cameras, in `share` of the samples."""
    height, width = x.shape[2:]
    which, level = rng.chance(share), rng.uniform(0, sigma)
    if not bool(which.any()):
        return x.clamp_(0, 1)
    level = level * which
    fine = rng.noise(3, height, width)
    blotches = F.interpolate(
        rng.noise(3, (height + 1) // 2, (width + 1) // 2), (height, width), mode="bilinear", align_corners=False
    )
    return (x + level * (1.2 - 0.5 * x) * torch.lerp(fine, blotches, rng.uniform(0, 1))).clamp_(0, 1)


def compress(rng: BatchRandom, x: Tensor, share: float) -> Tensor:
    """Compress `x` (B,3,H,W), 0..1, as JPEG with halved chroma, in `share` of the samples.

    The quality is 25–90, one per batch. No gradient passes through, so the rounding is exact.
    """
    which = rng.chance(share)
    quality = rng.scalar(25, 90)
    if not bool(which.any()):
        return x
    percent = 50 / quality if quality < 50 else 2 - quality / 50
    table = (torch.tensor(_JPEG, device=x.device, dtype=torch.float32) * percent).clamp(1, 255)
    matrix = torch.tensor(_YCC, device=x.device)
    height, width = x.shape[2:]
    some = x[which.flatten()]
    ycc = torch.einsum("ij,bjhw->bihw", matrix, F.pad(some, (0, -width % 16, 0, -height % 16), mode="replicate"))
    luma = _quantize_blocks(ycc[:, :1], table)
    chroma = F.interpolate(
        _quantize_blocks(F.avg_pool2d(ycc[:, 1:], 2), table * 1.4), scale_factor=2.0, mode="bilinear"
    )
    rgb = torch.einsum("ij,bjhw->bihw", torch.linalg.inv(matrix), torch.cat([luma, chroma], 1))
    y = x.clone()
    y[which.flatten()] = rgb[:, :, :height, :width].clamp(0, 1)
    return y


def _quantize_blocks(x: Tensor, table: Tensor) -> Tensor:
    """Transform each 8×8 block by DCT, quantize it by `table` (in 255ths), and transform it back."""
    frequency, place = torch.arange(8, device=x.device)[:, None], torch.arange(8, device=x.device)[None]
    cosines = torch.cos((2 * place + 1) * frequency * (math.pi / 16)) * 0.5
    cosines[0] *= 0.5**0.5
    count, channels, height, width = x.shape
    blocks = x.reshape(count, channels, height // 8, 8, width // 8, 8).permute(0, 1, 2, 4, 3, 5)
    found = cosines @ (blocks * 255) @ cosines.T
    kept = (found / table).round() * table
    back = (cosines.T @ kept @ cosines) / 255
    return back.permute(0, 1, 2, 4, 3, 5).reshape(count, channels, height, width)
