"""Augmentation: color and light of people and rooms, decor of rooms, things that people hold."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from camdaemon.tools.train.degrade import box_blur
from camdaemon.tools.train.draws import BatchRandom

_LUMA = (0.299, 0.587, 0.114)


def jitter_colors(
    rng: BatchRandom, rgb: Tensor, amount: float | Tensor, hue: float | Tensor, weight: Tensor | None = None
) -> Tensor:
    """Change brightness, contrast, saturation and hue (appendix D), with one matrix per sample.

    Args:
        rng: Randomness of the batch.
        rgb: (B,3,H,W), 0..1; colors times `weight` if that is given, and so is the result.
        amount: Brightness, contrast and saturation change by 1 ± this.
        hue: Hue changes by ± this, in turns.
        weight: (B,1,H,W), 0..1.
    """
    bright, contrast, saturation = ((1 + amount * rng.uniform(-1, 1))[:, :, 0] for _ in range(3))
    angle = (hue * rng.uniform(-1, 1))[:, :, 0] * (2 * torch.pi)
    eye = torch.eye(3, device=rgb.device)
    gray = torch.tensor(_LUMA, device=rgb.device).expand(3, 3)
    third, root = torch.full_like(eye, 1 / 3), (1 / 3) ** 0.5
    cross = root * torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=rgb.device)
    turn = angle.cos() * (eye - third) + angle.sin() * cross + third  # a rotation around the gray axis
    matrix = (
        bright[:, :, None]
        * contrast[:, :, None]
        * (turn[:, None] @ (saturation[:, :, None] * eye + (1 - saturation)[:, :, None] * gray))
    )
    middle = 0.5 * (1 - contrast)[:, :, None] * bright[:, :, None]
    y = torch.einsum("bij,bjhw->bihw", matrix[:, 0], rgb)
    one = torch.ones_like(rgb[:, :1]) if weight is None else weight
    return torch.minimum((y + middle * one).clamp_(min=0), one)


def change_exposure(rng: BatchRandom, plate: Tensor) -> Tensor:
    """Return `plate` (B,3,H,W) as if taken at another exposure, white balance and gamma than the frame.

    The runtime matches one gain per channel, so most changes are small residuals; a fifth are strong.
    """
    strong = rng.chance(0.2)
    gain = torch.where(strong, rng.normal(0.2), rng.normal(0.04))
    balance = torch.where(strong, rng.normal(0.07, channels=3), rng.normal(0.02, channels=3))
    gamma = torch.where(rng.chance(0.5), rng.normal(0.08), torch.zeros_like(gain)).clamp(-0.25, 0.25).exp()
    return (plate.clamp(min=1e-3).pow(gamma) * (gain + balance).clamp(-0.6, 0.6).exp()).clamp_(0, 1)


def relight(rng: BatchRandom, room: Tensor, alpha: Tensor) -> Tensor:
    """Light `room` (B,3,H,W) as with a person in it: soft shadows along the contour (appendix D), uneven light.

    Args:
        rng: Randomness of the batch.
        room: (B,3,H,W), 0..1.
        alpha: (B,1,H,W), of the person.
    """
    height, width = room.shape[2:]
    small = F.avg_pool2d(alpha, 4, ceil_mode=True)
    reach = 1 + 2 * round(rng.scalar(0, 0.06) * small.shape[3])
    for _ in range(2):
        small = box_blur(small, reach)
    near = torch.where(rng.chance(0.5), 0.04, 0.2)
    grow = rng.uniform(0.85, 1.05)[:, 0]
    shift = (near * torch.cat([rng.uniform(-1, 1), rng.uniform(-1, 1)], 1))[:, :, :, 0]
    theta = torch.cat([torch.eye(2, device=room.device) * grow, shift], 2)
    grid = F.affine_grid(theta, list(small.shape), align_corners=False)
    cast = F.grid_sample(small, grid, padding_mode="border", align_corners=False)
    dark = torch.where(rng.chance(0.4), rng.uniform(0.05, 0.55), 0.0)
    uneven = torch.where(rng.chance(0.4), rng.uniform(0, 0.1), 0.0)
    hills = rng.smooth_noise(1, small.shape[2], small.shape[3], 3)
    change = (1 - dark * cast) * (uneven * hills).clamp(-0.3, 0.3).exp()
    return (room * F.interpolate(change, (height, width), mode="bilinear", align_corners=False)).clamp_(0, 1)


def camouflage(rng: BatchRandom, color: Tensor, alpha: Tensor, room: Tensor) -> Tensor:
    """Give clothes the wall's color: in 15 % of the samples, parts of a person take the room's local mean color.

    Only large-scale color is exchanged; folds and texture stay.

    Args:
        rng: Randomness of the batch.
        color: (B,3,H,W), of the person.
        alpha: (B,1,H,W), of the person.
        room: (B,3,H,W).
    """
    which = rng.chance(0.15)
    height, width = room.shape[2:]
    reach = width // 64 * 2 + 1
    own, weight, wall = (box_blur(F.avg_pool2d(x, 4, ceil_mode=True), reach) for x in (color * alpha, alpha, room))
    own = own / weight.clamp(min=0.05)
    down = torch.linspace(-1, 1, wall.shape[2], device=room.device).view(1, 1, -1, 1)
    part = ((rng.smooth_noise(1, wall.shape[2], wall.shape[3], 4) + 1.5 * down) * 3).sigmoid()
    change = which * rng.uniform(0.6, 1) * part * (wall - own) * (weight > 0.05)
    return (color + F.interpolate(change, (height, width), mode="bilinear", align_corners=False)).clamp_(0, 1)


# Photographs of rooms are brown and gray. A network trained on those alone takes a strip of saturated wall beside a
# head for a part of it.
_COLORED, _DECORATED = 0.15, 0.2  # of the samples
_THINGS = 3  # kinds of decor in a room


def decorate_rooms(rng: BatchRandom, rooms: Tensor) -> Tensor:
    """Put some of the empty `rooms` (B,3,H,W), RGB, 0..1, under colored light, and decor (posters, blinds) on some."""
    colored = jitter_colors(rng, rooms, 0.0, 0.5)
    gray = colored.mean(1, keepdim=True)
    colored = (gray + (colored - gray) * rng.uniform(1.5, 4)).clamp_(0, 1)
    rooms = torch.where(rng.chance(_COLORED), colored, rooms)
    which = rng.chance(_DECORATED)
    for _ in range(_THINGS):
        cover = _stripe_cover(rng, rooms.shape[2], rooms.shape[3]) * which * rng.chance(0.6)
        rooms = torch.lerp(rooms, _random_colors(rng), cover)
    return rooms


def _random_colors(rng: BatchRandom) -> Tensor:
    """Return one color per sample, (B,3,1,1); half of them as vivid as a screen can show."""
    color = rng.uniform(0, 1, channels=3)
    return torch.where(rng.chance(0.5), (4 * (color - 0.5) + 0.5).clamp(0, 1), color)


def _stripe_cover(rng: BatchRandom, height: int, width: int) -> Tensor:
    """Return the cover (B,1,H,W), 0..1, of one strip or of many at equal distances, in any direction."""
    like = rng.uniform(0, 1)
    y = torch.linspace(0, height / width, height, device=like.device).view(1, 1, -1, 1)
    x = torch.linspace(0, 1, width, device=like.device).view(1, 1, 1, -1)
    upright = torch.where(rng.chance(0.5), 0.0, 1.0) * (torch.pi / 2)
    angle = torch.where(rng.chance(0.7), upright, rng.uniform(0, torch.pi))
    across, along = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    period, duty = rng.uniform(0.03, 0.6), rng.uniform(0.1, 0.6)
    place = (across + rng.uniform(0, 1)) / period
    distance = (place - place.floor() - duty).abs()  # in periods, from the middle of a strip; wraps on one side only
    strip = ((duty / 2 - distance) * period * width + 0.5).clamp(0, 1)
    ends = rng.uniform(-0.5, 1)
    part = ((along > ends) & (along < ends + rng.uniform(0.1, 1.5))) | rng.chance(0.4)
    return strip * part


_WITH_PROP = 0.12  # of the samples


def add_prop(rng: BatchRandom, weighted: Tensor, alpha: Tensor, texture: Tensor) -> tuple[Tensor, Tensor]:
    """Add a thing that the person holds (a mug, a telephone, a book), in 12 % of the samples: it is foreground too.

    Args:
        rng: Randomness of the batch.
        weighted: (B,3,H,W), the person's color times alpha.
        alpha: (B,1,H,W).
        texture: (B,3,H,W), 0..1; half of the things show it, the others one color of it.

    Returns:
        `weighted` and `alpha` with a rounded box on the person.
    """
    height, width = alpha.shape[2:]
    rows = torch.arange(height, device=alpha.device).view(1, 1, -1, 1)
    columns = torch.arange(width, device=alpha.device).view(1, 1, 1, -1)
    which = rng.chance(_WITH_PROP)
    if not bool(which.any()):
        return weighted, alpha
    y, x = _point_on_person(rng, alpha)
    angle = rng.uniform(0, torch.pi)
    across = (columns - x) * angle.cos() + (rows - y) * angle.sin()
    down = (rows - y) * angle.cos() - (columns - x) * angle.sin()
    tall = height * rng.uniform(0.03, 0.16)
    wide = tall * rng.uniform(0.3, 1)
    power = 2 + 6 * rng.uniform(0, 1)  # from an ellipse to a box
    inside = ((across / wide).abs() ** power + (down / tall).abs() ** power).clamp(min=1e-6) ** (1 / power)
    cover = ((1 - inside) * wide + 0.5).clamp(0, 1) * which
    plain = texture.mean((2, 3), keepdim=True).expand_as(texture) * rng.uniform(0.2, 1.4, channels=3)
    color = torch.where(rng.chance(0.5), texture, plain).clamp(0, 1)
    return torch.lerp(weighted, color, cover), torch.lerp(alpha, torch.ones_like(alpha), cover)


def _point_on_person(rng: BatchRandom, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """Return row and column, (B,1,1,1) each, of a random pixel of the person; of any pixel if there is no person."""
    weight = (alpha[:, :, ::4, ::4].flatten(1) > 0.5).float() + 1e-6
    total = weight.cumsum(1)
    index = (total < rng.uniform(0, 1).flatten(1) * total[:, -1:]).sum(1).clamp(max=weight.shape[1] - 1)
    columns = -(-alpha.shape[3] // 4)
    return 4.0 * (index // columns).view(-1, 1, 1, 1), 4.0 * (index % columns).view(-1, 1, 1, 1)
