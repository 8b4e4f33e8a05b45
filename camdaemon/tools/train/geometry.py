"""Where people and rooms stand in the frame: affine maps, applied in batches by sampling.

A person's placement is the height of its cut-out in frame heights, the place of the head's top, rotation, shear and
stretch. The paper's (Lin et al. 2021, appendix D: whole cut-outs, ±5°, scale 0.3–1, ±10 %) is one of several; the
others are how people sit in front of a webcam.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from camdaemon.tools.train.draws import BatchRandom


class Placement(NamedTuple):
    """A kind of placement.

    Attributes:
        share: Of the samples.
        height: Range of the person's height, in frame heights.
        top: Range of the head's top, in frame heights.
        middle: Range of the person's middle, in frame widths.
        turn: Largest rotation, in degrees.
        sinks: Whether the person's lower end, where the photograph was cut, lies below the frame.
    """

    share: float
    height: tuple[float, float]
    top: tuple[float, float]
    middle: tuple[float, float]
    turn: float
    sinks: bool


PLACEMENTS = (
    Placement(0.46, (0.8, 1.7), (0.0, 0.4), (0.2, 0.8), 15, True),  # before a webcam
    Placement(0.18, (1.6, 3.2), (-0.35, 0.25), (0.1, 0.9), 25, True),  # very close
    Placement(0.14, (0.5, 1.1), (0.05, 0.6), (0.05, 0.95), 8, True),  # further away
    Placement(0.14, (0.3, 1.0), (-0.1, 0.4), (0.3, 0.7), 5, False),  # the paper's
    Placement(0.08, (0.6, 2.0), (-0.6, 0.7), (-0.1, 1.1), 180, False),  # limbs and clothes from any edge
)


def random_person_map(rng: BatchRandom, sizes: Tensor, height: int, width: int) -> Tensor:
    """Draw maps from frame pixels to the pixels of people's canvases, (B,2,3).

    Args:
        rng: Randomness of the batch.
        sizes: (B,2), height and width of each person on its canvas.
        height: Of the frame.
        width: Of the frame.
    """
    shares = torch.tensor([kind.share for kind in PLACEMENTS], device=rng.device).cumsum(0)
    kind = (rng.uniform(0, float(shares[-1])).flatten()[:, None] > shares).sum(1).clamp(max=len(PLACEMENTS) - 1)

    def between(ranges: list[tuple[float, float]]) -> Tensor:
        low, high = torch.tensor(ranges, device=rng.device)[kind].unbind(1)
        return low + (high - low) * rng.uniform(0, 1).flatten()

    tall = height * between([kind.height for kind in PLACEMENTS])
    top = height * between([kind.top for kind in PLACEMENTS])
    middle = width * between([kind.middle for kind in PLACEMENTS])
    turn = between([(-kind.turn, kind.turn) for kind in PLACEMENTS]) * rng.uniform(0, 1).flatten().sqrt()
    sinks = torch.tensor([kind.sinks for kind in PLACEMENTS], device=rng.device)[kind]
    tall = torch.where(sinks, torch.maximum(tall, 1.04 * height - top), tall)
    scale = tall / sizes[:, 0]
    stretch = rng.uniform(-0.15, 0.15).flatten().exp()
    shear = torch.deg2rad(rng.uniform(-5, 5).flatten()).tan()
    mirror = rng.sign().flatten()
    forward = _linear_map(turn, scale * stretch * mirror, scale, shear)
    pivot = sizes.flip(1) * torch.tensor([0.5, 0.45], device=rng.device)
    place = torch.stack([middle, top + 0.45 * tall], 1)
    return _invert_around(forward, pivot, place)


def random_room_map(rng: BatchRandom, sizes: Tensor, height: int, width: int) -> Tensor:
    """Draw maps from frame pixels to those of rooms, (B,2,3): a part of the room, mirrored in half of them, ±5°."""
    whole = torch.minimum(sizes[:, 0] / height, sizes[:, 1] / width)
    share = rng.uniform(0.5, 1).flatten()
    forward = _linear_map(
        rng.uniform(-5, 5).flatten(),
        rng.sign().flatten() / (whole * share),
        1 / (whole * share),
        torch.zeros_like(whole),
    )
    free = (sizes.flip(1) - share[:, None] * whole[:, None] * torch.tensor([width, height], device=rng.device)) / 2
    pivot = sizes.flip(1) / 2 + free * torch.cat([rng.uniform(-1, 1), rng.uniform(-1, 1)], 1).flatten(1)
    place = torch.tensor([[width / 2, height / 2]], device=rng.device).expand(len(sizes), 2)
    return _invert_around(forward, pivot, place)


def nudge(rng: BatchRandom, mapping: Tensor, height: int, width: int) -> Tensor:
    """Move the camera: ±1° and ±1 % in 30 % of the samples (appendix D), less than a pixel in the others."""
    moved = rng.chance(0.3).flatten()
    turn = torch.where(moved, rng.uniform(-1, 1).flatten(), 0)
    far = torch.where(moved, 0.01 * width, 0.0008 * width)[:, None]
    shift = far * torch.cat([rng.uniform(-1, 1), rng.uniform(-1, 1)], 1).flatten(1)
    one = torch.ones_like(turn)
    center = torch.tensor([[width / 2, height / 2]], device=rng.device).expand(rng.count, 2)
    return _chain(mapping, _invert_around(_linear_map(turn, one, one, 0 * one), center, center + shift))


def warp(canvas: Tensor, mapping: Tensor, height: int, width: int, *, outside: str = "zeros") -> Tensor:
    """Sample `canvas` (B,C,h,w) bilinearly through `mapping` (B,2,3): (B,C,height,width)."""
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


def _linear_map(degrees: Tensor, across: Tensor, down: Tensor, shear: Tensor) -> Tensor:
    """Return maps (B,2,2) that scale, shear sideways, then rotate."""
    angle = degrees * (math.pi / 180)
    cos, sin = angle.cos(), angle.sin()
    rows = [cos * across, cos * shear * down - sin * down, sin * across, sin * shear * down + cos * down]
    return torch.stack(rows, 1).view(-1, 2, 2)


def _invert_around(forward: Tensor, pivot: Tensor, place: Tensor) -> Tensor:
    """Return the inverse of the map that moves `pivot` to `place` and applies `forward` around it."""
    back = torch.linalg.inv(forward.float())
    return torch.cat([back, (pivot - (back @ place[:, :, None])[:, :, 0])[:, :, None]], 2)


def _chain(after: Tensor, before: Tensor) -> Tensor:
    """Return the map that applies `before`, then `after`."""
    linear = after[:, :, :2] @ before[:, :, :2]
    shift = after[:, :, :2] @ before[:, :, 2:] + after[:, :, 2:]
    return torch.cat([linear, shift], 2)
