"""Equations (1) to (5) of Lin et al. 2021 §4.3, and the two stages that compute them from a batch.

The losses are of the *unclamped* alpha: a clamp has no gradient outside 0..1, and a network that once says −0.1
everywhere would stay there. Values above 1 where the truth is 1, or below 0 where it is 0, cost nothing, because the
runtime clamps them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camdaemon.model.folding import scale_by_norms
from camdaemon.model.layout import Selection, base_size_for_lines
from camdaemon.model.network import MattingNetwork, Output
from camdaemon.model.slim import SlimMatting
from camdaemon.tools.train.recipe import RATES, Recipe

if TYPE_CHECKING:
    from camdaemon.tools.train.samples.loader import Sample

_GAP_WEIGHT = 4.0  # added to a pixel's weight of 1
_EDGE_WEIGHT = 2.0
_FLICKER_WEIGHT = 0.5
_LEVELS = 5  # of the Laplacian pyramid
_BLOCK = 80  # pixels along a block of a picture in the joint stage


class Losses(NamedTuple):
    """Means over the batch, scalars.

    Attributes:
        alpha: L1 of alpha.
        edges: L1 of alpha's gradients.
        pyramid: L1 of alpha's Laplacian pyramid.
        foreground: L1 of the foreground.
        error: Squared error of the error map; 0 in the joint stage with a frozen base.
        flicker: Change of alpha between two samples that differ in noise only; 0 in the joint stage.
    """

    alpha: Tensor
    edges: Tensor
    pyramid: Tensor
    foreground: Tensor
    error: Tensor
    flicker: Tensor

    def total(self) -> Tensor:
        """Return their sum, (4) and (5)."""
        return torch.stack(self).sum()


def sobel_gradients(x: Tensor) -> Tensor:
    """Return Sobel gradients in differences per pixel: (B,1,H,W) to (B,2,H,W), edges repeated outside."""
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")  # a convolution would compute in bfloat16 under autocast
    down = x[:, :, :-2] + 2 * x[:, :, 1:-1] + x[:, :, 2:]
    along = x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]
    return torch.cat([down[..., 2:] - down[..., :-2], along[:, :, 2:] - along[:, :, :-2]], 1) / 8


def pyramid_loss(alpha: Tensor, true_alpha: Tensor) -> Tensor:
    """Return the L1 of the Laplacian pyramid (Hou and Liu 2019 §3.2), (B,1,H,W) each; coarse levels weigh more.

    It counts what is missing of hair at every size, where L1 alone is content with its mean.
    """
    left, loss = alpha - true_alpha, alpha.new_zeros(())  # the pyramid of a difference is the difference of pyramids
    for level in range(_LEVELS):
        if min(left.shape[2:]) < 2:
            break
        small = F.avg_pool2d(left, 2)
        again = F.interpolate(small, left.shape[2:], mode="bilinear", align_corners=False)
        loss = loss + 2**level * (left - again).abs().mean()
        left = small
    return loss / _LEVELS


def forgive_overshoot(alpha: Tensor, true_alpha: Tensor) -> Tensor:
    """Clamp `alpha` (B,1,H,W) to 1 where the true alpha is 1, and to 0 where it is 0."""
    alpha = torch.where(true_alpha >= 1, alpha.clamp(max=1), alpha)
    return torch.where(true_alpha <= 0, alpha.clamp(min=0), alpha)


def matte_losses(alpha: Tensor, foreground: Tensor, true_alpha: Tensor, true_foreground: Tensor) -> Losses:
    """Compute (1), L1 of alpha, of its gradients (twice) and of its pyramid, and (2), L1 of the foreground.

    The foreground counts where the true alpha is above 0.

    Args:
        alpha: (B,1,H,W), unclamped.
        foreground: (B,3,H,W).
        true_alpha: (B,1,H,W); all of one dtype, float32 in training.
        true_foreground: (B,3,H,W).
    """
    solid = (true_alpha > 0).to(alpha.dtype)
    alpha = forgive_overshoot(alpha, true_alpha)
    return Losses(
        F.l1_loss(alpha, true_alpha),
        F.l1_loss(sobel_gradients(alpha), sobel_gradients(true_alpha)) * 2 * _EDGE_WEIGHT,  # 2: sum of both directions
        pyramid_loss(alpha, true_alpha),
        ((foreground - true_foreground).abs() * solid).mean(),
        alpha.new_zeros(()),
        alpha.new_zeros(()),
    )


def find_gaps(true_alpha: Tensor) -> Tensor:
    """Return how much of a narrow gap each pixel is, (B,1,H,W), 0..1: room between an arm and the body, or fingers.

    Gaps are what a morphological closing fills, up to a fifteenth of the height wide. Their area is too small to matter
    in a mean error, yet the room shows there.
    """
    reach = max(1, round(true_alpha.shape[2] / 30))
    closed = -_dilated(-_dilated(true_alpha, reach), reach)
    return (closed - true_alpha).clamp(min=0)


def _dilated(x: Tensor, reach: int) -> Tensor:
    """Return the largest value within `reach` pixels along both axes; ten times as fast as max_pool2d on a CPU."""
    for axis in (2, 3):
        x, side = F.pad(x, (reach, reach, 0, 0) if axis == 3 else (0, 0, reach, reach), value=-torch.inf), 1
        while side <= 2 * reach:
            step, length = min(side, 2 * reach + 1 - side), x.shape[axis]
            x = torch.maximum(x.narrow(axis, 0, length - step), x.narrow(axis, step, length - step))
            side += step
    return x


def base_losses(
    alpha: Tensor, foreground: Tensor, error: Tensor, true_alpha: Tensor, true_foreground: Tensor
) -> Losses:
    """Compute (1), (2) and (3), the squared error of the error map against |alpha − true alpha|.

    Alpha gets no gradient from (3). Errors in narrow gaps count five times.
    """
    found = matte_losses(alpha, foreground, true_alpha, true_foreground)
    in_gaps = (find_gaps(true_alpha) * (forgive_overshoot(alpha, true_alpha) - true_alpha).abs()).mean()
    found = found._replace(alpha=found.alpha + _GAP_WEIGHT * in_gaps)
    wrong = (alpha.detach().clamp(0, 1) - true_alpha).abs()
    return found._replace(error=F.mse_loss(error, wrong))


# The stages are modules from a batch to its losses, so that DistributedDataParallel can wrap them.
_LINES = (176, 272, 368)  # of the base input in the joint stage, at random: live on a CPU, live on a GPU, for files


class BaseStage(nn.Module):
    """The base network alone, at the size of the batch.

    Args:
        network: The network to train.
        frozen_norms: Whether batch norms keep their statistics; otherwise those of ASPP and decoder learn them. The
            statistics of 16 pictures vary too much for a network that is already good (measured: its error doubles), so
            a trained network keeps its own.
    """

    def __init__(self, network: MattingNetwork, *, frozen_norms: bool) -> None:
        super().__init__()
        self.network, self.frozen_norms = network, frozen_norms
        if frozen_norms:
            scale_by_norms(network)

    def forward(self, sample: Sample) -> Tensor:
        """Return the losses, (6,), of a batch."""
        stacked = self.network.stack(sample.src, sample.plate, sample.confidence)
        maps = self.network.visible(_to_compute_format(stacked))
        if maps.requires_grad:
            maps.register_hook(_channels_last)
        found, residual, error = maps.float().split((1, 3, 1), 1)
        losses = base_losses(found, residual + sample.src, error, sample.alpha, sample.foreground)
        held = found.clamp(0, 1)
        flicker = ((held - held.roll(1, 0)).abs() * sample.still).mean()
        return torch.stack(losses._replace(flicker=_FLICKER_WEIGHT * flicker))

    def train(self, mode: bool = True) -> BaseStage:
        """Set the mode, except for the encoder's batch norms, which never train."""
        super().train(mode)
        _freeze_norms(self.network if self.frozen_norms else self.network.base_parts()[0])
        return self


class JointStage(nn.Module):
    """The refiner on full pictures, with the base network unless the recipe freezes it."""

    def __init__(self, network: MattingNetwork, recipe: Recipe) -> None:
        super().__init__()
        self.network = network
        scale_by_norms(network)
        network.selection = Selection("sampling", recipe.refined_pixels)
        self._frozen = recipe.frozen_base

    def forward(self, sample: Sample) -> Tensor:
        """Return the losses: (5) on the refined patches, plus (4) of the base if it is trained; see `BaseStage`."""
        src, plate, confidence, alpha, foreground, _ = sample
        lines = _LINES[int(torch.randint(len(_LINES), ()))]
        size = base_size_for_lines(src.shape[2], src.shape[3], lines)
        out = self.network(src, plate, confidence, base=size, clamp=False)
        found = refined_losses(out, alpha, foreground)
        if self._frozen:
            return found
        size = out.alpha_coarse.shape[2:]
        small = [F.interpolate(x, size, mode="bilinear", antialias=True) for x in (alpha, foreground)]
        coarse = (out.alpha_coarse, out.foreground_coarse, out.error_coarse)
        return found + torch.stack(base_losses(*(part.float() for part in coarse), *small))

    def train(self, mode: bool = True) -> JointStage:
        """Set the mode, except for batch norms, which never train: batches of full pictures are small."""
        super().train(mode)
        _freeze_norms(self)
        if self._frozen:
            for part in self.network.base_parts():
                part.eval()  # no dropout
        return self


def refined_losses(out: Output, alpha: Tensor, foreground: Tensor) -> Tensor:
    """Return the losses, (6,), per refined pixel; no others count.

    They are computed in the blocks of the pictures that hold refined patches, each with a pyramid of its own: those
    blocks are a part of the pictures, and full pictures took half of a step's time.

    Args:
        out: Unclamped.
        alpha: (B,1,H,W), the truth.
        foreground: (B,3,H,W), the truth.
    """
    refined = F.interpolate(out.refined.float(), alpha.shape[2:], mode="nearest")
    side = math.gcd(_BLOCK, math.gcd(*alpha.shape[2:]))
    chosen = F.max_pool2d(refined, side)[:, 0] > 0
    if not bool(chosen.any()):
        return torch.stack([out.alpha.sum() * 0] * len(Losses._fields))
    where, found, colors, alpha, foreground = (
        _cut_blocks(each.float(), side, chosen) for each in (refined, out.alpha, out.foreground, alpha, foreground)
    )
    fine = matte_losses(
        torch.lerp(alpha, found, where),  # the truth elsewhere: no loss there
        torch.lerp(foreground, colors, where),
        alpha,
        foreground,
    )
    return torch.stack(fine) / where.mean()


def _cut_blocks(x: Tensor, side: int, chosen: Tensor) -> Tensor:
    """Return the `chosen` blocks, bool (B,H/side,W/side), of `x` (B,C,H,W), (N,C,side,side)."""
    blocks: Tensor = x.unflatten(3, (-1, side)).unflatten(2, (-1, side)).permute(0, 2, 4, 1, 3, 5)
    return blocks[chosen]


def freeze_parts(network: MattingNetwork, recipe: Recipe) -> None:
    """Turn off the gradients of what is not trained.

    That is the refiner in the base stage, a frozen base in the joint one, and the encoder's first blocks if asked for.
    """
    for block in list(getattr(network.backbone, "features", ()))[: recipe.frozen_blocks]:
        block.requires_grad_(False)
    if recipe.stage == "base" and network.refiner is not None:
        network.refiner.requires_grad_(False)
    if recipe.stage == "joint" and recipe.frozen_base:
        for part in network.base_parts():
            part.requires_grad_(False)
        if isinstance(network, SlimMatting):  # hidden features are for the refiner only
            network.decoder.hidden.requires_grad_(True)


def _to_compute_format(pair: Tensor) -> Tensor:
    """Convert to the layers' dtype and memory format once; otherwise each layer would convert it again."""
    kind = pair.device.type
    return pair.to(
        torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else pair.dtype,
        memory_format=torch.channels_last,
    )


def _channels_last(gradient: Tensor) -> Tensor:
    return gradient.contiguous(memory_format=torch.channels_last)


def _freeze_norms(module: nn.Module) -> None:
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d | nn.SyncBatchNorm):
            part.eval()


def parameter_groups(network: MattingNetwork, recipe: Recipe) -> list[dict[str, object]]:
    """Return Adam's parameter groups with their peak rates."""
    found: list[dict[str, object]] = []
    for name, rate in RATES[recipe.stage].items():
        part = getattr(network, name, None)
        parameters = [p for p in part.parameters() if p.requires_grad] if part is not None else []
        if parameters:
            found.append({"params": parameters, "lr": rate * recipe.rate, "peak": rate * recipe.rate, "name": name})
    return found
