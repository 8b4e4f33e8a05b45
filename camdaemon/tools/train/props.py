"""Things people hold: a mug, a telephone, a book. Whatever is not in the plate is foreground."""

from __future__ import annotations

import torch
from torch import Tensor

from .draws import Draws

_SHARE = 0.12  # of the samples


def held(draws: Draws, weighted: Tensor, alpha: Tensor, texture: Tensor) -> tuple[Tensor, Tensor]:
    """`weighted` (B,3,H,W) and `alpha` (B,1,H,W) with a rounded box somewhere on the person, in 12 % of the samples.

    texture: (B,3,H,W), 0..1; half of the things show it, the others one colour of it.
    """
    height, width = alpha.shape[2:]
    rows = torch.arange(height, device=alpha.device).view(1, 1, -1, 1)
    columns = torch.arange(width, device=alpha.device).view(1, 1, 1, -1)
    which = draws.chance(_SHARE)
    if not bool(which.any()):
        return weighted, alpha
    y, x = _place(draws, alpha)
    angle = draws.uniform(0, torch.pi)
    across = (columns - x) * angle.cos() + (rows - y) * angle.sin()
    down = (rows - y) * angle.cos() - (columns - x) * angle.sin()
    tall = height * draws.uniform(0.03, 0.16)
    wide = tall * draws.uniform(0.3, 1)
    power = 2 + 6 * draws.uniform(0, 1)  # from an ellipse to a box
    inside = ((across / wide).abs() ** power + (down / tall).abs() ** power).clamp(min=1e-6) ** (1 / power)
    cover = ((1 - inside) * wide + 0.5).clamp(0, 1) * which
    plain = texture.mean((2, 3), keepdim=True).expand_as(texture) * draws.uniform(0.2, 1.4, channels=3)
    colour = torch.where(draws.chance(0.5), texture, plain).clamp(0, 1)
    return torch.lerp(weighted, colour, cover), torch.lerp(alpha, torch.ones_like(alpha), cover)


def _place(draws: Draws, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """A pixel of the person for each sample (row and column, (B,1,1,1)); anywhere where there is nobody."""
    weight = (alpha[:, :, ::4, ::4].flatten(1) > 0.5).float() + 1e-6
    total = weight.cumsum(1)
    index = (total < draws.uniform(0, 1).flatten(1) * total[:, -1:]).sum(1).clamp(max=weight.shape[1] - 1)
    columns = -(-alpha.shape[3] // 4)
    return 4.0 * (index // columns).view(-1, 1, 1, 1), 4.0 * (index % columns).view(-1, 1, 1, 1)
