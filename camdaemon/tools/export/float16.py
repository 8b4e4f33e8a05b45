"""A network in float16, but for its first blocks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from camdaemon.model.mobilenetv2 import MobileNetV2Encoder
from camdaemon.model.network import MattingNetwork

FIRST = 2  # blocks


def to_float16(network: MattingNetwork, first: int = FIRST) -> None:
    """Let `network`, batch norms folded, compute in float16, in place, but for its first blocks.

    Its base input stays float32, too. Both see how little picture and plate differ.
    """
    encoder = network.backbone
    parent = encoder.features if isinstance(encoder, MobileNetV2Encoder) else encoder
    names = [str(number) for number in range(first)] if parent is not encoder else ["conv1"]
    kept = {name: getattr(parent, name) for name in names}
    for name in names:
        setattr(parent, name, nn.Identity())
    network.half()
    for name, block in kept.items():
        setattr(parent, name, _InFloat32(block))
    network.backbone = _ToFloat16(encoder)


class _InFloat32(nn.Module):
    """Computes `block` in float32, whatever is around it: (B,C,H,W) of any float dtype to float16."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.block(x.float())
        return y.half()


class _ToFloat16(nn.Module):
    """An encoder that takes float32; features and skips are float16."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        features, skips = self.encoder(x)
        return features, [each.to(torch.float16) for each in skips]
