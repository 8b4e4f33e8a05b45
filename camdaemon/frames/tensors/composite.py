"""What `camdaemon.frames.composite` does, for tensors: (1,C,H,W), floats 0..1, on any device."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from camdaemon.frames.appearance import Appearance, limits_of, reach_of
from camdaemon.frames.tensors import fused


def composite(alpha: Tensor, foreground: Tensor, backdrop: Tensor, edge: float) -> Tensor:
    """Composite (1,3,H,W) over (1,3,H,W) by alpha (1,1,H,W), trimmed."""
    if fused.is_usable(backdrop.device):
        return fused.blend(_move_contour(alpha, edge), foreground, backdrop, *limits_of(edge))
    return torch.lerp(backdrop, foreground, trim(alpha, edge))


def trim(alpha: Tensor, edge: float) -> Tensor:
    """Move the contour of alpha (1,1,H,W) inwards (edge up to 1), or make its rim fuller (down to -1).

    It never grows beyond where alpha is above 0.02, because the foreground's colors out there may be the room's.
    """
    low, high = limits_of(edge)
    return (_move_contour(alpha, edge) - low).mul_(1 / (high - low)).clamp_(0, 1)


def _move_contour(alpha: Tensor, edge: float) -> Tensor:
    """Move the contour of `alpha` to where a tighter edge has it."""
    if edge <= 0:
        return alpha
    reach = reach_of(edge, alpha.shape[2])
    near = F.avg_pool2d(F.pad(alpha, (reach,) * 4, mode="replicate"), 2 * reach + 1, 1)
    return torch.minimum(alpha, 2 * near - 1)  # 1/2 at a straight contour, 1 at `reach` inside of it


def apply_framing(picture: Tensor, appearance: Appearance) -> Tensor:
    """Crop and mirror (1,C,H,W) as `appearance` says; the crop is enlarged to the same shape."""
    height, width = picture.shape[-2:]
    if appearance.crop is not None:
        x, y, w, h = appearance.crop.box(width, height)
        picture = F.interpolate(picture[..., y : y + h, x : x + w], (height, width), mode="bilinear")
    return picture.flip(3) if appearance.mirror else picture
