"""A painted room, as the device of this run has its pictures: in floats or in bytes."""

from collections.abc import Callable
from typing import Any

import torch

from camdaemon.frames.pixels import Array
from tests.kinds import floats

HEIGHT, WIDTH = 96, 160
NOISE = torch.randn(32, 1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))

convert: Callable[[Array], Array] = floats  # set by the fixture of each test


def seen(picture: Array) -> Any:
    """`picture` as the device has it."""
    return convert(picture)


def room() -> torch.Tensor:
    """(1,3,H,W): soft furniture from dark to bright, each channel differently."""
    y, x = torch.meshgrid(torch.linspace(0, 1, HEIGHT), torch.linspace(0, 1, WIDTH), indexing="ij")
    return torch.stack([0.25 + 0.4 * x, 0.3 + 0.35 * y, 0.45 + 0.2 * torch.sin(9 * x + 4 * y)])[None]


def noisy(picture: torch.Tensor, seed: int, sigma: float = 6 / 255) -> Any:
    """`picture` with the noise of a small sensor, as the device has it."""
    return seen(torch.add(picture, NOISE[seed % len(NOISE)], alpha=sigma).clamp_(0, 1))
