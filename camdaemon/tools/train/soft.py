"""Procedural soft foregrounds at full resolution: what photographs 560 pixels wide lack, and the refiner must learn.

Everything is an implicit function of the pixel, so that a batch is made at once on the training device:
- contours: a blurred alpha gives the distance d to a person's outline and its normal; hair and fur are noise that is
  constant along (slanted) normals, each strand of its own length, its colour taken from where it is rooted;
- wires and loose strands are the zero lines of smooth noise; rims of glasses are rings; holes and veils are ellipses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .camera import box
from .draws import Draws
from .losses import gradients

_HAIR, _CRISP, _WIRES, _RING, _HOLE, _VEIL, _GRAIN = 0.5, 0.3, 0.3, 0.25, 0.2, 0.1, 0.6  # shares of the samples


class _Outline(NamedTuple):
    """far: (B,1,H,W), pixels outside the outline, reliable near it.   normal: (B,2,H,W), x and y, pointing outwards."""

    far: Tensor
    normal: Tensor


def grown(draws: Draws, weighted: Tensor, alpha: Tensor, texture: Tensor) -> tuple[Tensor, Tensor]:
    """A person (colour times alpha (B,3,H,W), alpha (B,1,H,W)) with soft things added and taken away.

    texture: (B,3,H,W), 0..1, the colours of some things.   Both results hold 0 ≤ weighted ≤ alpha ≤ 1.
    """
    colour = (weighted / alpha.clamp(min=1e-3)).clamp(0, 1)
    crisp = torch.where(draws.chance(_CRISP), draws.uniform(1, 4), 1.0)
    alpha = ((alpha - 0.5) * crisp + 0.5).clamp(0, 1)
    colour = _grained(draws, colour, texture)
    colour, alpha = _haired(draws, colour, alpha)
    alpha = alpha * (1 - _ellipse(draws, alpha, 0.02, 0.12, soft=0.1) * draws.chance(_HOLE))
    alpha = alpha * (1 - _ellipse(draws, alpha, 0.05, 0.3, soft=0.6) * draws.chance(_VEIL) * draws.uniform(0.2, 0.8))
    for cover in (_wires(draws, alpha) * draws.chance(_WIRES), _ring(draws, alpha) * draws.chance(_RING)):
        paint = torch.where(draws.chance(0.5), texture, draws.uniform(0, 0.8, channels=3))
        colour = torch.lerp(colour * (alpha > 0), paint, cover / (cover + alpha * (1 - cover)).clamp(min=1e-3))
        alpha = torch.lerp(alpha, torch.ones_like(alpha), cover)
    return colour * alpha, alpha


def detailed(draws: Draws, views: Sequence[Tensor], finer: Sequence[Tensor]) -> list[Tensor]:
    """Rooms with finer detail than their photographs have: the high frequencies of `finer` views of the same room.

    Frame and plate (`views`, (B,3,H,W) each) get the same share of detail.
    """
    share = 0.6 * draws.uniform(0, 1).square()
    return [(view + share * _high(fine)).clamp(0, 1) for view, fine in zip(views, finer, strict=True)]


def _high(x: Tensor) -> Tensor:
    return x - box(x, 9)


def _grained(draws: Draws, colour: Tensor, texture: Tensor) -> Tensor:
    amount = torch.where(draws.chance(_GRAIN), draws.uniform(0.1, 0.5), 0.0)
    return (colour + amount * _high(texture.flip(2))).clamp(0, 1)


def _outline(alpha: Tensor, reach: int) -> _Outline:
    """From alpha blurred twice over `reach` pixels: near the outline it is close to a ramp, whose slope is known."""
    small = F.avg_pool2d(alpha, 4)
    size = 2 * max(1, reach // 8) + 1
    for _ in range(2):
        small = box(small, size)
    slope = gradients(small)
    steep = _length(slope)
    far = (0.5 - small) / torch.maximum(steep, torch.full_like(steep, 0.02)) * 4
    whole = F.interpolate(torch.cat([far, -slope / steep], 1), alpha.shape[2:], mode="bilinear", align_corners=False)
    return _Outline(whole[:, :1], whole[:, 1:] / _length(whole[:, 1:]))


def _haired(draws: Draws, colour: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    height, width = alpha.shape[2:]
    outline = _outline(alpha, round(0.06 * height))
    slant = draws.uniform(-1, 1) + 0.5 * draws.field(1, height // 8, width // 8, 4).amax((2, 3), keepdim=True)
    slant = slant * 0.7
    normal = outline.normal
    along = torch.cat([-normal[:, 1:], normal[:, :1]], 1)
    curl = slant * (outline.far / (0.05 * height))  # bends more, the further out
    root = normal + along * curl.clamp(-1.5, 1.5)
    base = _pixels(alpha) - root * outline.far
    strands = _noise_at(draws, base, draws.number(1.2, 3.0), alpha)
    patchy = F.interpolate(draws.field(1, height // 8, width // 8, 6), (height, width), mode="bilinear")
    longest = height * draws.uniform(0.005, 0.07) * (patchy * 0.8 + 0.3).clamp(0, 1.5)
    length = longest * (strands.abs() * 0.8).clamp(max=1.6)
    cover = ((length - outline.far) / (0.35 * length + 1)).clamp(0, 1) * (outline.far > -4)
    cover = cover * draws.uniform(0.5, 1) * (strands * 3).sigmoid() * draws.chance(_HAIR)
    rooted = _look(colour, base - 0.012 * height * normal) * (1 + 0.25 * strands).clamp(0.4, 1.6)
    known = _look(alpha, base - 0.012 * height * normal)  # no colour is known where nobody is
    cover = (cover * (known > 0.9)).clamp(0, 1)
    more = cover * (1 - alpha)
    mixed = (colour * alpha + rooted.clamp(0, 1) * more) / (alpha + more).clamp(min=1e-3)
    return mixed.clamp(0, 1), alpha + more


def _wires(draws: Draws, alpha: Tensor) -> Tensor:
    """Cover (B,1,H,W) of thin curves near the person."""
    height, width = alpha.shape[2:]
    field = F.interpolate(draws.field(1, height // 8, width // 8, 5), (height, width), mode="bicubic")
    many = 1 + 12 * draws.uniform(0, 1).square()
    wave = torch.sin(field * many)
    slope = _length(gradients(wave))
    thick = draws.uniform(0.3, 2.5)
    line = (thick + 0.5 - wave.abs() / slope).clamp(0, 1) * (slope < 0.3)
    near = F.interpolate(box(F.avg_pool2d(alpha, 8), 9), (height, width), mode="bilinear")
    blob = _ellipse(draws, alpha, 0.1, 0.4, soft=0.2)
    return line * blob * (near > 0.02) * draws.uniform(0.3, 1)


def _ring(draws: Draws, alpha: Tensor) -> Tensor:
    """Cover (B,1,H,W) of one rim, as of glasses, its inside nearly clear."""
    inside, size = _ellipse_distance(draws, alpha, 0.02, 0.09)
    away = (inside - 1).abs() * size
    rim = (draws.uniform(0.5, 3) + 0.5 - away).clamp(0, 1)
    return torch.maximum(rim, (inside < 1) * draws.uniform(0, 0.25))


def _ellipse(draws: Draws, alpha: Tensor, smallest: float, largest: float, *, soft: float) -> Tensor:
    inside, size = _ellipse_distance(draws, alpha, smallest, largest)
    return ((1 - inside) / torch.maximum(soft * draws.uniform(0, 1), 1 / size) + 0.5).clamp(0, 1)


def _ellipse_distance(draws: Draws, alpha: Tensor, smallest: float, largest: float) -> tuple[Tensor, Tensor]:
    """1 on an ellipse near the person's outline, below inside (B,1,H,W); and its radius in pixels (B,1,1,1)."""
    height = alpha.shape[2]
    x, y = _pixels(alpha).split(1, 1)
    row, column = edge_place(draws, alpha)
    angle = draws.uniform(0, torch.pi)
    size = height * draws.uniform(smallest, largest)
    across = ((x - column) * angle.cos() + (y - row) * angle.sin()) / size
    down = ((y - row) * angle.cos() - (x - column) * angle.sin()) / (size * draws.uniform(0.4, 1))
    return (across.square() + down.square()).sqrt(), size


def edge_place(draws: Draws, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column (B,1,1,1) of a pixel where alpha is on its way between 0 and 1; anywhere if there is none."""
    small = F.avg_pool2d(alpha, 8, ceil_mode=True)
    weight = (small * (1 - small)).flatten(1) + 1e-5
    total = weight.cumsum(1)
    index = (total < draws.uniform(0, 1).flatten(1) * total[:, -1:]).sum(1).clamp(max=weight.shape[1] - 1)
    columns = small.shape[3]
    return 8.0 * (index // columns).view(-1, 1, 1, 1) + 4, 8.0 * (index % columns).view(-1, 1, 1, 1) + 4


def _length(vector: Tensor) -> Tensor:
    """Of (B,2,H,W): (B,1,H,W), above 0."""
    return vector.square().sum(1, keepdim=True).sqrt().clamp(min=1e-4)


def _pixels(like: Tensor) -> Tensor:
    """(1,2,H,W): x and y of every pixel's centre."""
    rows = torch.arange(like.shape[2], device=like.device, dtype=torch.float32) + 0.5
    columns = torch.arange(like.shape[3], device=like.device, dtype=torch.float32) + 0.5
    return torch.stack(torch.meshgrid(columns, rows, indexing="xy"))[None]


def _look(x: Tensor, at: Tensor) -> Tensor:
    """x (B,C,H,W) at the pixels `at` (B,2,H,W)."""
    sides = torch.tensor([x.shape[3], x.shape[2]], device=x.device).view(1, 2, 1, 1)
    grid = (2 * at / sides - 1).permute(0, 2, 3, 1)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def _noise_at(draws: Draws, at: Tensor, grain: float, like: Tensor) -> Tensor:
    """Noise with features of `grain` pixels, read at the pixels `at`: (B,1,H,W)."""
    rows, columns = max(2, round(like.shape[2] / grain)), max(2, round(like.shape[3] / grain))
    sides = torch.tensor([like.shape[3], like.shape[2]], device=like.device).view(1, 2, 1, 1)
    return _look(
        draws.noise(1, rows, columns), at / sides * torch.tensor([columns, rows], device=at.device).view(1, 2, 1, 1)
    )
