"""Rooms that photographs of rooms lack: coloured lamps, and flat, vivid things on the wall (posters, blinds, shelves).

A network that has seen brown and grey rooms alone takes a strip of saturated wall beside a head for a part of it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .draws import Draws
from .light import jittered

_COLOURED, _DECORATED = 0.15, 0.2  # of the samples
_THINGS = 3  # kinds in a room


def decorated(draws: Draws, rooms: Tensor) -> Tensor:
    """(B,3,H,W), 0..1, RGB, before anybody stands in them → the same, some under coloured light, some with decor."""
    coloured = jittered(draws, rooms, 0.0, 0.5)
    grey = coloured.mean(1, keepdim=True)
    coloured = (grey + (coloured - grey) * draws.uniform(1.5, 4)).clamp_(0, 1)
    rooms = torch.where(draws.chance(_COLOURED), coloured, rooms)
    which = draws.chance(_DECORATED)
    for _ in range(_THINGS):
        cover = _repeated(draws, rooms.shape[2], rooms.shape[3]) * which * draws.chance(0.6)
        rooms = torch.lerp(rooms, _paint(draws), cover)
    return rooms


def _paint(draws: Draws) -> Tensor:
    """(B,3,1,1): one colour for each sample, the half of them as vivid as a screen can show."""
    colour = draws.uniform(0, 1, channels=3)
    return torch.where(draws.chance(0.5), (4 * (colour - 0.5) + 0.5).clamp(0, 1), colour)


def _repeated(draws: Draws, height: int, width: int) -> Tensor:
    """(B,1,H,W), 0..1: a strip, or many at equal distances, across the whole room or a part of it, in any direction."""
    like = draws.uniform(0, 1)
    y = torch.linspace(0, height / width, height, device=like.device).view(1, 1, -1, 1)
    x = torch.linspace(0, 1, width, device=like.device).view(1, 1, 1, -1)
    upright = torch.where(draws.chance(0.5), 0.0, 1.0) * (torch.pi / 2)
    angle = torch.where(draws.chance(0.7), upright, draws.uniform(0, torch.pi))
    across, along = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    period, duty = draws.uniform(0.03, 0.6), draws.uniform(0.1, 0.6)
    place = (across + draws.uniform(0, 1)) / period
    distance = (place - place.floor() - duty).abs()  # of a period, from the middle of a strip: wraps on one side only
    strip = ((duty / 2 - distance) * period * width + 0.5).clamp(0, 1)
    ends = draws.uniform(-0.5, 1)
    part = ((along > ends) & (along < ends + draws.uniform(0.1, 1.5))) | draws.chance(0.4)
    return strip * part
