"""Where people and rooms stand in the frame: affine maps, applied in batches by sampling.

A person is described by where it goes: height of its cut-out in frames, place of its head's top, rotation, shear,
stretch. What Lin et al. 2021 (appendix D) does – whole cut-outs, ±5°, scale 0.3–1, ±10 % – is one of the ways; the
others are how people sit before a webcam.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .draws import Draws


class Way(NamedTuple):
    """share of the samples; ranges of height (in frame heights), top, middle (in frames), rotation (degrees).

    sinks: the person's lower end, where the photograph was cut, lies below the frame.
    """

    share: float
    height: tuple[float, float]
    top: tuple[float, float]
    middle: tuple[float, float]
    turn: float
    sinks: bool


WAYS = (
    Way(0.46, (0.8, 1.7), (0.0, 0.4), (0.2, 0.8), 15, True),  # before a webcam
    Way(0.18, (1.6, 3.2), (-0.35, 0.25), (0.1, 0.9), 25, True),  # very close
    Way(0.14, (0.5, 1.1), (0.05, 0.6), (0.05, 0.95), 8, True),  # further away
    Way(0.14, (0.3, 1.0), (-0.1, 0.4), (0.3, 0.7), 5, False),  # the paper's
    Way(0.08, (0.6, 2.0), (-0.6, 0.7), (-0.1, 1.1), 180, False),  # limbs and clothes from any edge
)


def person_map(draws: Draws, sizes: Tensor, height: int, width: int) -> Tensor:
    """From frame pixels to canvas pixels, (B,2,3).   sizes: (B,2), height and width of each person on its canvas."""
    shares = torch.tensor([way.share for way in WAYS], device=draws.device).cumsum(0)
    way = (draws.uniform(0, float(shares[-1])).flatten()[:, None] > shares).sum(1).clamp(max=len(WAYS) - 1)

    def between(ranges: list[tuple[float, float]]) -> Tensor:
        low, high = torch.tensor(ranges, device=draws.device)[way].unbind(1)
        return low + (high - low) * draws.uniform(0, 1).flatten()

    tall = height * between([way.height for way in WAYS])
    top = height * between([way.top for way in WAYS])
    middle = width * between([way.middle for way in WAYS])
    turn = between([(-way.turn, way.turn) for way in WAYS]) * draws.uniform(0, 1).flatten().sqrt()
    sinks = torch.tensor([way.sinks for way in WAYS], device=draws.device)[way]
    tall = torch.where(sinks, torch.maximum(tall, 1.04 * height - top), tall)
    scale = tall / sizes[:, 0]
    stretch = draws.uniform(-0.15, 0.15).flatten().exp()
    shear = torch.deg2rad(draws.uniform(-5, 5).flatten()).tan()
    mirror = draws.sign().flatten()
    forward = _turned(turn, scale * stretch * mirror, scale, shear)
    pivot = sizes.flip(1) * torch.tensor([0.5, 0.45], device=draws.device)
    place = torch.stack([middle, top + 0.45 * tall], 1)
    return _inverse(forward, pivot, place)


def room_map(draws: Draws, sizes: Tensor, height: int, width: int) -> Tensor:
    """From frame pixels to canvas pixels, (B,2,3): a cut of the room, mirrored in half of the samples, ±5°."""
    whole = torch.minimum(sizes[:, 0] / height, sizes[:, 1] / width)
    share = draws.uniform(0.5, 1).flatten()
    forward = _turned(
        draws.uniform(-5, 5).flatten(),
        draws.sign().flatten() / (whole * share),
        1 / (whole * share),
        torch.zeros_like(whole),
    )
    free = (sizes.flip(1) - share[:, None] * whole[:, None] * torch.tensor([width, height], device=draws.device)) / 2
    pivot = sizes.flip(1) / 2 + free * torch.cat([draws.uniform(-1, 1), draws.uniform(-1, 1)], 1).flatten(1)
    place = torch.tensor([[width / 2, height / 2]], device=draws.device).expand(len(sizes), 2)
    return _inverse(forward, pivot, place)


def nudged(draws: Draws, mapping: Tensor, height: int, width: int) -> Tensor:
    """`mapping` after the camera moved: ±1° and ±1 % in 30 % of the samples (appendix D), else under a pixel."""
    moved = draws.chance(0.3).flatten()
    turn = torch.where(moved, draws.uniform(-1, 1).flatten(), 0)
    far = torch.where(moved, 0.01 * width, 0.0008 * width)[:, None]
    shift = far * torch.cat([draws.uniform(-1, 1), draws.uniform(-1, 1)], 1).flatten(1)
    one = torch.ones_like(turn)
    centre = torch.tensor([[width / 2, height / 2]], device=draws.device).expand(draws.count, 2)
    return _chained(mapping, _inverse(_turned(turn, one, one, 0 * one), centre, centre + shift))


def sampled(canvas: Tensor, mapping: Tensor, height: int, width: int, *, outside: str = "zeros") -> Tensor:
    """canvas (B,C,h,w) seen through `mapping` (B,2,3): (B,C,height,width), bilinear."""
    rows = torch.arange(height, device=canvas.device) + 0.5
    columns = torch.arange(width, device=canvas.device) + 0.5
    points = torch.stack(
        [*torch.meshgrid(columns, rows, indexing="xy"), torch.ones_like(columns).expand(height, -1)], 2
    )
    sides = torch.tensor([canvas.shape[3], canvas.shape[2]], device=canvas.device)
    grid = points.view(1, -1, 3) @ (mapping * (2 / sides)[:, None]).transpose(1, 2) - 1
    return F.grid_sample(
        canvas, grid.view(-1, height, width, 2), mode="bilinear", padding_mode=outside, align_corners=False
    )


def _turned(degrees: Tensor, across: Tensor, down: Tensor, shear: Tensor) -> Tensor:
    """(B,2,2): scaled, sheared sideways, then rotated."""
    angle = degrees * (math.pi / 180)
    cos, sin = angle.cos(), angle.sin()
    rows = [cos * across, cos * shear * down - sin * down, sin * across, sin * shear * down + cos * down]
    return torch.stack(rows, 1).view(-1, 2, 2)


def _inverse(forward: Tensor, pivot: Tensor, place: Tensor) -> Tensor:
    """The map back from where `pivot` went to `place` and all else around it by `forward`."""
    back = torch.linalg.inv(forward.float())
    return torch.cat([back, (pivot - (back @ place[:, :, None])[:, :, 0])[:, :, None]], 2)


def _chained(after: Tensor, before: Tensor) -> Tensor:
    """The map that does `before`, then `after`."""
    linear = after[:, :, :2] @ before[:, :, :2]
    shift = after[:, :, :2] @ before[:, :, 2:] + after[:, :, 2:]
    return torch.cat([linear, shift], 2)
