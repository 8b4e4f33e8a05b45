"""Equations (1) to (5) of Lin et al. 2021 §4.3, on the *unclamped* alpha.

A clamp has no gradient outside 0..1: a network that once says −0.1 everywhere would stay there. What lies beyond 1
where the truth is 1, or below 0 where it is 0, costs nothing, though: the runtime clamps it, and it is right.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

_GAPS = 4.0  # on top of what a pixel counts anyway
_EDGES = 2.0  # the network's weak side


class Losses(NamedTuple):
    """Means over the batch, scalars: alpha, its edges, foreground, error map (0 where there is none)."""

    alpha: Tensor
    edges: Tensor
    foreground: Tensor
    error: Tensor

    def total(self) -> Tensor:
        """Their plain sum, (4) and (5)."""
        return torch.stack(self).sum()


def gradients(x: Tensor) -> Tensor:
    """Sobel gradients, normalised to differences per pixel: (B,1,H,W) → (B,2,H,W), edges repeated outside."""
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")  # a convolution would compute in bfloat16 under autocast
    down = x[:, :, :-2] + 2 * x[:, :, 1:-1] + x[:, :, 2:]
    along = x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]
    return torch.cat([down[..., 2:] - down[..., :-2], along[:, :, 2:] - along[:, :, :-2]], 1) / 8


def excused(alpha: Tensor, true_alpha: Tensor) -> Tensor:
    """`alpha` (B,1,H,W), with 1 for what overshoots a true 1 and 0 for what undershoots a true 0."""
    alpha = torch.where(true_alpha >= 1, alpha.clamp(max=1), alpha)
    return torch.where(true_alpha <= 0, alpha.clamp(min=0), alpha)


def matte_losses(alpha: Tensor, foreground: Tensor, true_alpha: Tensor, true_foreground: Tensor) -> Losses:
    """(1) L1 of alpha and of its gradients, (2) L1 of the foreground where the true alpha is above 0; full frames.

    The gradients count twice.

    alpha, true_alpha: (B,1,H,W).   foreground, true_foreground: (B,3,H,W).   Of one dtype, float32 in training.
    """
    solid = (true_alpha > 0).to(alpha.dtype)
    alpha = excused(alpha, true_alpha)
    return Losses(
        F.l1_loss(alpha, true_alpha),
        F.l1_loss(gradients(alpha), gradients(true_alpha)) * 2 * _EDGES,  # the sum of both directions
        ((foreground - true_foreground).abs() * solid).mean(),
        alpha.new_zeros(()),
    )


def gaps(true_alpha: Tensor) -> Tensor:
    """How much of a narrow gap a pixel is, 0..1: room between an arm and the body, or fingers. (B,1,H,W) → the same.

    What a closing fills; a gap may be a fifteenth of the height wide. An area too small for a mean error to care
    about, and yet the room shows there.
    """
    reach = max(1, round(true_alpha.shape[2] / 30))
    closed = -_dilated(-_dilated(true_alpha, reach), reach)
    return (closed - true_alpha).clamp(min=0)


def _dilated(x: Tensor, reach: int) -> Tensor:
    rows = F.max_pool2d(x, (2 * reach + 1, 1), 1, (reach, 0))
    return F.max_pool2d(rows, (1, 2 * reach + 1), 1, (0, reach))


def base_losses(
    alpha: Tensor, foreground: Tensor, error: Tensor, true_alpha: Tensor, true_foreground: Tensor
) -> Losses:
    """(1), (2) and (3): the error map is to be |alpha − true alpha|, which itself gets no gradient from it.

    Errors in narrow gaps count five times.
    """
    found = matte_losses(alpha, foreground, true_alpha, true_foreground)
    in_gaps = (gaps(true_alpha) * (excused(alpha, true_alpha) - true_alpha).abs()).mean()
    found = found._replace(alpha=found.alpha + _GAPS * in_gaps)
    wrong = (alpha.detach().clamp(0, 1) - true_alpha).abs()
    return found._replace(error=F.mse_loss(error, wrong))
