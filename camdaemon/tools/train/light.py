"""Colour and light: jitter of people and rooms, shadows, and how far a plate's exposure is from the frame's."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .camera import box
from .draws import Draws

_LUMA = (0.299, 0.587, 0.114)


def jittered(
    draws: Draws, rgb: Tensor, amount: float | Tensor, hue: float | Tensor, weight: Tensor | None = None
) -> Tensor:
    """Brightness, contrast and saturation by 1 ± `amount`, hue by ± `hue` turns (appendix D); one matrix per sample.

    rgb: (B,3,H,W), 0..1; with `weight` (B,1,H,W) it is colours times weight, and so is the result.
    """
    bright, contrast, saturation = ((1 + amount * draws.uniform(-1, 1))[:, :, 0] for _ in range(3))
    angle = (hue * draws.uniform(-1, 1))[:, :, 0] * (2 * torch.pi)
    eye = torch.eye(3, device=rgb.device)
    grey = torch.tensor(_LUMA, device=rgb.device).expand(3, 3)
    third, root = torch.full_like(eye, 1 / 3), (1 / 3) ** 0.5
    cross = root * torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=rgb.device)
    turn = angle.cos() * (eye - third) + angle.sin() * cross + third  # a rotation around the grey axis
    matrix = (
        bright[:, :, None]
        * contrast[:, :, None]
        * (turn[:, None] @ (saturation[:, :, None] * eye + (1 - saturation)[:, :, None] * grey))
    )
    middle = 0.5 * (1 - contrast)[:, :, None] * bright[:, :, None]
    y = torch.einsum("bij,bjhw->bihw", matrix[:, 0], rgb)
    one = torch.ones_like(rgb[:, :1]) if weight is None else weight
    return torch.minimum((y + middle * one).clamp_(min=0), one)


def differently_exposed(draws: Draws, plate: Tensor) -> Tensor:
    """The plate as taken at another exposure, white balance and gamma than the frame.

    The runtime matches one gain per channel, so most differences are what it leaves; a fifth are strong.
    """
    strong = draws.chance(0.2)
    gain = torch.where(strong, draws.normal(0.2), draws.normal(0.04))
    balance = torch.where(strong, draws.normal(0.07, channels=3), draws.normal(0.02, channels=3))
    gamma = torch.where(draws.chance(0.5), draws.normal(0.08), torch.zeros_like(gain)).clamp(-0.25, 0.25).exp()
    return (plate.clamp(min=1e-3).pow(gamma) * (gain + balance).clamp(-0.6, 0.6).exp()).clamp_(0, 1)


def lit(draws: Draws, room: Tensor, alpha: Tensor) -> Tensor:
    """The room with somebody in it: soft shadows that follow the contour (appendix D), and unevenly changed light.

    room: (B,3,H,W); alpha: (B,1,H,W).
    """
    height, width = room.shape[2:]
    small = F.avg_pool2d(alpha, 4, ceil_mode=True)
    reach = 1 + 2 * round(draws.number(0, 0.06) * small.shape[3])
    for _ in range(2):
        small = box(small, reach)
    near = torch.where(draws.chance(0.5), 0.04, 0.2)
    grow = draws.uniform(0.85, 1.05)[:, 0]
    shift = (near * torch.cat([draws.uniform(-1, 1), draws.uniform(-1, 1)], 1))[:, :, :, 0]
    theta = torch.cat([torch.eye(2, device=room.device) * grow, shift], 2)
    grid = F.affine_grid(theta, list(small.shape), align_corners=False)
    cast = F.grid_sample(small, grid, padding_mode="border", align_corners=False)
    dark = torch.where(draws.chance(0.4), draws.uniform(0.05, 0.55), 0.0)
    uneven = torch.where(draws.chance(0.4), draws.uniform(0, 0.1), 0.0)
    hills = draws.field(1, small.shape[2], small.shape[3], 3)
    change = (1 - dark * cast) * (uneven * hills).clamp(-0.3, 0.3).exp()
    return (room * F.interpolate(change, (height, width), mode="bilinear", align_corners=False)).clamp_(0, 1)


def camouflaged(draws: Draws, colour: Tensor, alpha: Tensor, room: Tensor) -> Tensor:
    """Clothes in the wall's colour: in 15 % of the samples, parts of a person take the room's mean colour around them.

    colour: (B,3,H,W), the person's; only large-scale colour is exchanged, folds and texture stay.
    """
    which = draws.chance(0.15)
    height, width = room.shape[2:]
    reach = width // 64 * 2 + 1
    own, weight, wall = (box(F.avg_pool2d(x, 4, ceil_mode=True), reach) for x in (colour * alpha, alpha, room))
    own = own / weight.clamp(min=0.05)
    down = torch.linspace(-1, 1, wall.shape[2], device=room.device).view(1, 1, -1, 1)
    part = ((draws.field(1, wall.shape[2], wall.shape[3], 4) + 1.5 * down) * 3).sigmoid()
    change = which * draws.uniform(0.6, 1) * part * (wall - own) * (weight > 0.05)
    return (colour + F.interpolate(change, (height, width), mode="bilinear", align_corners=False)).clamp_(0, 1)
