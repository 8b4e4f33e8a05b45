"""Procedural soft foregrounds at full resolution, for the refiner: photographs 560 pixels wide have none.

Everything is an implicit function of the pixel, so that a whole batch is computed at once on the training device:
- contours: a blurred alpha gives the distance to a person's outline and its normal; hair and fur are noise that is
  constant along (slanted) normals, each strand of its own length, with the color at its root;
- wires and loose strands are the zero lines of smooth noise; rims of glasses are rings; holes and veils are ellipses.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from camdaemon.tools.train.draws import BatchRandom
from camdaemon.tools.train.losses import sobel_gradients

_HAIR, _CRISP, _WIRES, _RING, _HOLE, _VEIL, _GRAIN = 0.5, 0.3, 0.3, 0.25, 0.2, 0.1, 0.6  # shares of the samples


class _Outline(NamedTuple):
    """A person's outline.

    Attributes:
        far: (B,1,H,W), distance outwards in pixels, reliable near the outline.
        normal: (B,2,H,W), x and y, pointing outwards.
    """

    far: Tensor
    normal: Tensor


def grow_soft_edges(rng: BatchRandom, weighted: Tensor, alpha: Tensor, texture: Tensor) -> tuple[Tensor, Tensor]:
    """Add soft things to a person, and cut holes.

    Args:
        rng: Randomness of the batch.
        weighted: (B,3,H,W), color times alpha.
        alpha: (B,1,H,W).
        texture: (B,3,H,W), 0..1, the colors of some things.

    Returns:
        New `weighted` and `alpha`, with 0 ≤ weighted ≤ alpha ≤ 1.
    """
    color = (weighted / alpha.clamp(min=1e-3)).clamp(0, 1)
    crisp = torch.where(rng.chance(_CRISP), rng.uniform(1, 4), 1.0)
    alpha = ((alpha - 0.5) * crisp + 0.5).clamp(0, 1)
    color = _add_grain(rng, color, texture)
    color, alpha = _add_hair(rng, color, alpha)
    alpha = alpha * (1 - _ellipse_cover(rng, alpha, 0.02, 0.12, soft=0.1) * rng.chance(_HOLE))
    alpha = alpha * (1 - _ellipse_cover(rng, alpha, 0.05, 0.3, soft=0.6) * rng.chance(_VEIL) * rng.uniform(0.2, 0.8))
    for cover in (_wire_cover(rng, alpha) * rng.chance(_WIRES), _ring_cover(rng, alpha) * rng.chance(_RING)):
        paint = torch.where(rng.chance(0.5), texture, rng.uniform(0, 0.8, channels=3))
        color = torch.lerp(color * (alpha > 0), paint, cover / (cover + alpha * (1 - cover)).clamp(min=1e-3))
        alpha = torch.lerp(alpha, torch.ones_like(alpha), cover)
    return color * alpha, alpha


def _high(x: Tensor) -> Tensor:
    return x - box_blur(x, 9)


def _add_grain(rng: BatchRandom, color: Tensor, texture: Tensor) -> Tensor:
    amount = torch.where(rng.chance(_GRAIN), rng.uniform(0.1, 0.5), 0.0)
    return (color + amount * _high(texture.flip(2))).clamp(0, 1)


def _outline(alpha: Tensor, reach: int) -> _Outline:
    """Compute the outline from alpha blurred twice over `reach` pixels: near it, that is a ramp of known slope."""
    small = F.avg_pool2d(alpha, 4)
    size = 2 * max(1, reach // 8) + 1
    for _ in range(2):
        small = box_blur(small, size)
    slope = sobel_gradients(small)
    steep = _length(slope)
    far = (0.5 - small) / torch.maximum(steep, torch.full_like(steep, 0.02)) * 4
    whole = F.interpolate(torch.cat([far, -slope / steep], 1), alpha.shape[2:], mode="bilinear", align_corners=False)
    return _Outline(whole[:, :1], whole[:, 1:] / _length(whole[:, 1:]))


def _add_hair(rng: BatchRandom, color: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    height, width = alpha.shape[2:]
    outline = _outline(alpha, round(0.06 * height))
    slant = rng.uniform(-1, 1) + 0.5 * rng.smooth_noise(1, height // 8, width // 8, 4).amax((2, 3), keepdim=True)
    slant = slant * 0.7
    normal = outline.normal
    along = torch.cat([-normal[:, 1:], normal[:, :1]], 1)
    curl = slant * (outline.far / (0.05 * height))  # bends more further out
    root = normal + along * curl.clamp(-1.5, 1.5)
    base = _pixel_centers(alpha) - root * outline.far
    strands = _noise_at(rng, base, rng.scalar(1.2, 3.0), alpha)
    patchy = F.interpolate(rng.smooth_noise(1, height // 8, width // 8, 6), (height, width), mode="bilinear")
    longest = height * rng.uniform(0.005, 0.07) * (patchy * 0.8 + 0.3).clamp(0, 1.5)
    length = longest * (strands.abs() * 0.8).clamp(max=1.6)
    cover = ((length - outline.far) / (0.35 * length + 1)).clamp(0, 1) * (outline.far > -4)
    cover = cover * rng.uniform(0.5, 1) * (strands * 3).sigmoid() * rng.chance(_HAIR)
    rooted = _sample_at(color, base - 0.012 * height * normal) * (1 + 0.25 * strands).clamp(0.4, 1.6)
    known = _sample_at(alpha, base - 0.012 * height * normal)  # colors are known only inside the person
    cover = (cover * (known > 0.9)).clamp(0, 1)
    more = cover * (1 - alpha)
    mixed = (color * alpha + rooted.clamp(0, 1) * more) / (alpha + more).clamp(min=1e-3)
    return mixed.clamp(0, 1), alpha + more


def _wire_cover(rng: BatchRandom, alpha: Tensor) -> Tensor:
    """Return the cover (B,1,H,W) of thin curves near the person."""
    height, width = alpha.shape[2:]
    field = F.interpolate(rng.smooth_noise(1, height // 8, width // 8, 5), (height, width), mode="bicubic")
    many = 1 + 12 * rng.uniform(0, 1).square()
    wave = torch.sin(field * many)
    slope = _length(sobel_gradients(wave))
    thick = rng.uniform(0.3, 2.5)
    line = (thick + 0.5 - wave.abs() / slope).clamp(0, 1) * (slope < 0.3)
    near = F.interpolate(box_blur(F.avg_pool2d(alpha, 8), 9), (height, width), mode="bilinear")
    blob = _ellipse_cover(rng, alpha, 0.1, 0.4, soft=0.2)
    return line * blob * (near > 0.02) * rng.uniform(0.3, 1)


def _ring_cover(rng: BatchRandom, alpha: Tensor) -> Tensor:
    """Return the cover (B,1,H,W) of one rim, as of glasses, its inside nearly clear."""
    inside, size = _ellipse_distance(rng, alpha, 0.02, 0.09)
    away = (inside - 1).abs() * size
    rim = (rng.uniform(0.5, 3) + 0.5 - away).clamp(0, 1)
    return torch.maximum(rim, (inside < 1) * rng.uniform(0, 0.25))


def _ellipse_cover(rng: BatchRandom, alpha: Tensor, smallest: float, largest: float, *, soft: float) -> Tensor:
    inside, size = _ellipse_distance(rng, alpha, smallest, largest)
    return ((1 - inside) / torch.maximum(soft * rng.uniform(0, 1), 1 / size) + 0.5).clamp(0, 1)


def _ellipse_distance(rng: BatchRandom, alpha: Tensor, smallest: float, largest: float) -> tuple[Tensor, Tensor]:
    """Place an ellipse near the person's outline.

    Returns:
        The distance (B,1,H,W), 1 on the ellipse and less inside, and the radius in pixels (B,1,1,1).
    """
    height = alpha.shape[2]
    x, y = _pixel_centers(alpha).split(1, 1)
    row, column = random_edge_point(rng, alpha)
    angle = rng.uniform(0, torch.pi)
    size = height * rng.uniform(smallest, largest)
    across = ((x - column) * angle.cos() + (y - row) * angle.sin()) / size
    down = ((y - row) * angle.cos() - (x - column) * angle.sin()) / (size * rng.uniform(0.4, 1))
    return (across.square() + down.square()).sqrt(), size


def random_edge_point(rng: BatchRandom, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """Return row and column, (B,1,1,1) each, of a random pixel with alpha between 0 and 1; of any if there is none."""
    small = F.avg_pool2d(alpha, 8, ceil_mode=True)
    weight = (small * (1 - small)).flatten(1) + 1e-5
    total = weight.cumsum(1)
    index = (total < rng.uniform(0, 1).flatten(1) * total[:, -1:]).sum(1).clamp(max=weight.shape[1] - 1)
    columns = small.shape[3]
    return 8.0 * (index // columns).view(-1, 1, 1, 1) + 4, 8.0 * (index % columns).view(-1, 1, 1, 1) + 4


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


def _length(vector: Tensor) -> Tensor:
    """Return the length of (B,2,H,W), (B,1,H,W), above 0."""
    return vector.square().sum(1, keepdim=True).sqrt().clamp(min=1e-4)


def _pixel_centers(like: Tensor) -> Tensor:
    """Return x and y of every pixel's center, (1,2,H,W)."""
    rows = torch.arange(like.shape[2], device=like.device, dtype=torch.float32) + 0.5
    columns = torch.arange(like.shape[3], device=like.device, dtype=torch.float32) + 0.5
    return torch.stack(torch.meshgrid(columns, rows, indexing="xy"))[None]


def _sample_at(x: Tensor, at: Tensor) -> Tensor:
    """Sample `x` (B,C,H,W) at the pixels `at` (B,2,H,W)."""
    sides = torch.tensor([x.shape[3], x.shape[2]], device=x.device).view(1, 2, 1, 1)
    grid = (2 * at / sides - 1).permute(0, 2, 3, 1)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def _noise_at(rng: BatchRandom, at: Tensor, grain: float, like: Tensor) -> Tensor:
    """Sample noise with features of `grain` pixels at the pixels `at`: (B,1,H,W)."""
    rows, columns = max(2, round(like.shape[2] / grain)), max(2, round(like.shape[3] / grain))
    sides = torch.tensor([like.shape[3], like.shape[2]], device=like.device).view(1, 2, 1, 1)
    return _sample_at(
        rng.noise(1, rows, columns), at / sides * torch.tensor([columns, rows], device=at.device).view(1, 2, 1, 1)
    )
