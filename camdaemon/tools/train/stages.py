"""The two stages as modules from a batch to its losses, so that DistributedDataParallel can wrap them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camdaemon.model import BackgroundMattingV2, Selection, base_size_for_lines

from .losses import Losses, base_losses, matte_losses
from .recipe import RATES, Recipe

_LINES = (176, 272, 368)  # joint: of the base input, live on a CPU, live on a GPU, and for files; at random


class BaseStage(nn.Module):
    """The base network alone, at the size of the batch.

    frozen_norms: batch norms keep their statistics; else those of ASPP and decoder learn them. A batch of 16 has too
    varied statistics for a network that is already good (measured: its error doubles), so those that go on keep them.
    """

    def __init__(self, network: BackgroundMattingV2, *, frozen_norms: bool) -> None:
        super().__init__()
        self.network, self.frozen_norms = network, frozen_norms

    def forward(self, src: Tensor, plate: Tensor, alpha: Tensor, foreground: Tensor) -> Tensor:
        """A batch as in `scenes.Sample` → the four losses, (4,)."""
        maps = self.network.visible(_suited(torch.cat([src, plate], 1)))
        if maps.requires_grad:
            maps.register_hook(_channels_last)
        found, residual, error = maps.float().split((1, 3, 1), 1)
        return torch.stack(base_losses(found, residual + src, error, alpha, foreground))

    def train(self, mode: bool = True) -> BaseStage:
        """As usual, but the encoder's batch norms never train."""
        super().train(mode)
        _hold_norms(self.network if self.frozen_norms else self.network.backbone)
        return self


class JointStage(nn.Module):
    """Refiner on full pictures; the base learns along unless frozen."""

    def __init__(self, network: BackgroundMattingV2, recipe: Recipe) -> None:
        super().__init__()
        self.network = network
        network.selection = Selection("sampling", recipe.refined_pixels)
        self._frozen = recipe.frozen_base

    def forward(self, src: Tensor, plate: Tensor, alpha: Tensor, foreground: Tensor) -> Tensor:
        """See `BaseStage`. (5) on the refined patches, plus (4) of the base where it learns."""
        lines = _LINES[int(torch.randint(len(_LINES), ()))]
        out = self.network(src, plate, base=base_size_for_lines(src.shape[2], src.shape[3], lines), clamp=False)
        where = F.interpolate(out.refined.float(), alpha.shape[2:], mode="nearest")
        share = where.mean().clamp(min=1e-3)
        fine = matte_losses(
            torch.lerp(alpha, out.alpha.float(), where),  # right elsewhere: no loss there
            torch.lerp(foreground, out.foreground.float(), where),
            alpha,
            foreground,
        )
        found = torch.stack(Losses(*(part / share for part in fine)))
        if self._frozen:
            return found
        size = out.alpha_coarse.shape[2:]
        small = [F.interpolate(x, size, mode="bilinear", antialias=True) for x in (alpha, foreground)]
        coarse = (out.alpha_coarse, out.foreground_coarse, out.error_coarse)
        return found + torch.stack(base_losses(*(part.float() for part in coarse), *small))

    def train(self, mode: bool = True) -> JointStage:
        """As usual, but no batch norm trains: pictures are few at full size."""
        super().train(mode)
        _hold_norms(self)
        if self._frozen:
            for part in _base(self.network):
                part.eval()  # its dropout
        return self


def hold_still(network: BackgroundMattingV2, recipe: Recipe) -> None:
    """No gradients for what does not learn: the refiner in the base stage, the base in a joint one that freezes it."""
    if recipe.stage == "base" and network.refiner is not None:
        network.refiner.requires_grad_(False)
    if recipe.stage == "joint" and recipe.frozen_base:
        for part in _base(network):
            part.requires_grad_(False)


def _base(network: BackgroundMattingV2) -> tuple[nn.Module, ...]:
    return network.backbone, network.aspp, network.decoder


def _suited(pair: Tensor) -> Tensor:
    """As the layers compute; or each would copy and convert it for itself, and what it stands beside, too."""
    kind = pair.device.type
    return pair.to(
        torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else pair.dtype,
        memory_format=torch.channels_last,
    )


def _channels_last(gradient: Tensor) -> Tensor:
    return gradient.contiguous(memory_format=torch.channels_last)


def _hold_norms(module: nn.Module) -> None:
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.eval()


def groups(network: BackgroundMattingV2, recipe: Recipe) -> list[dict[str, object]]:
    """Adam's parameter groups with their peak rates."""
    found: list[dict[str, object]] = []
    for name, rate in RATES[recipe.stage].items():
        part = getattr(network, name)
        parameters = [p for p in part.parameters() if p.requires_grad] if part is not None else []
        if parameters:
            found.append({"params": parameters, "lr": rate * recipe.rate, "peak": rate * recipe.rate, "name": name})
    return found
