"""A slim base network that is told how far to trust the plate: seven channels, a quarter of the published one's time.

    picture, plate, confidence (B,7,h,w)
      → the first blocks of MobileNetV2 (Sandler et al. 2018), to 96 channels at 1/16
      → context: 1×1 convolution times a gate from the whole picture (after LR-ASPP, Howard et al. 2019 §6.4)
      → dense 3×3 decoder at 1/8, 1/4 and 1/2; at 1/2 the input's own pixels join in as four phases
      → 1/2: five visible maps in four phases (Shi et al. 2016), and hidden features for the refiner

Thin dense convolutions are as fast on processors without dot products of bytes as separable ones of fewer operations.
Nothing is ever computed at the full size of the base input.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camdaemon.model.decoder import resize_and_concat
from camdaemon.model.layout import SLIM_HIDDEN, VISIBLE, Selection
from camdaemon.model.mobilenetv2 import MobileNetV2Encoder
from camdaemon.model.network import MattingNetwork, hide_unknown
from camdaemon.model.refiner import Coarse, Refiner

INPUTS = 7
_BLOCKS = 14  # of MobileNetV2
_ENCODED = 96  # channels at 1/16
_SKIPS = (32, 24, 16)  # channels at 1/8, 1/4, 1/2
_CONTEXT = 128
_WIDTHS = (64, 32, 24)  # of the decoder
_REFINER_WIDTHS = (16, 12, 8)
_PHASES = 4


class Context(nn.Module):
    """(B,96,h,w) → (B,128,h,w), ≥ 0: a 1×1 convolution, weighed channel by channel by what the whole picture shows."""

    def __init__(self) -> None:
        super().__init__()
        self.lift = nn.Sequential(nn.Conv2d(_ENCODED, _CONTEXT, 1, bias=False), nn.BatchNorm2d(_CONTEXT), nn.ReLU())
        self.gate = nn.Conv2d(_ENCODED, _CONTEXT, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the weighed features; see the class for shapes."""
        y: Tensor = self.lift(x) * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()
        return y


def _conv_bn_relu(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


class SlimDecoder(nn.Module):
    """From 1/16 to 1/2: upsample bilinearly to the skip's size, concatenate, 3×3 convolution; three times."""

    def __init__(self) -> None:
        super().__init__()
        eighth, quarter, half = _SKIPS
        self.d1 = _conv_bn_relu(_CONTEXT + eighth, _WIDTHS[0])
        self.d2 = _conv_bn_relu(_WIDTHS[0] + quarter, _WIDTHS[1])
        self.d3 = _conv_bn_relu(_WIDTHS[1] + half + _PHASES * INPUTS, _WIDTHS[2])
        self.last = nn.Conv2d(_WIDTHS[2], _PHASES * VISIBLE, 3, padding=1)
        self.hidden = nn.Conv2d(_WIDTHS[2], SLIM_HIDDEN, 1)

    def forward(self, x: Tensor, skips: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Decode context (B,128,h/16,w/16) and skips at 1/8, 1/4, 1/2 and 1/1, the last being the input itself.

        Returns:
            Visible maps (B,5,h,w), unbounded, and hidden features (B,12,h/2,w/2), ≥ 0.
        """
        eighth, quarter, half, full = skips
        x = self.d2(resize_and_concat(self.d1(resize_and_concat(x, eighth)), quarter))
        x = self.d3(torch.cat([resize_and_concat(x, half), F.pixel_unshuffle(full, 2)], 1))
        return F.pixel_shuffle(self.last(x), 2), F.relu(self.hidden(x))


class SlimMatting(MattingNetwork):
    """The slim network: its base network's input is a multiple of 16 in both directions.

    Args:
        refined: Whether it has a refiner.
        scale: Side of the base input divided by that of the frame, 0..1. May be changed at any time.
        selection: Which patches are refined. May be changed at any time.
    """

    doubts, inputs = True, INPUTS

    def __init__(self, *, refined: bool = True, scale: float = 0.25, selection: Selection | None = None) -> None:
        super().__init__(scale, selection)
        self.backbone = MobileNetV2Encoder(INPUTS, _BLOCKS)
        self.context = Context()
        self.decoder = SlimDecoder()
        self.refiner = make_slim_refiner() if refined else None

    def stack(self, src: Tensor, plate: Tensor, confidence: Tensor) -> Tensor:
        """See `MattingNetwork`. Where nothing is known the plate is gray."""
        return torch.cat([src, hide_unknown(plate, confidence), confidence.expand_as(src[:, :1])], 1)

    def base(self, x: Tensor) -> Coarse:
        """See `MattingNetwork`. Hidden features are half as large as the other maps."""
        visible, hidden = self.maps(x)
        alpha, residual, error = visible.split((1, 3, 1), 1)
        return Coarse(alpha, residual, error, hidden)

    def visible(self, x: Tensor) -> Tensor:
        """See `MattingNetwork`."""
        return self.maps(x)[0]

    def maps(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Run the base network on (B,7,h,w).

        Returns:
            Alpha, residual (3) and predicted error, (B,5,h,w), unbounded; hidden features, (B,12,h/2,w/2), ≥ 0.
        """
        encoded, skips = self.backbone(x)
        visible, hidden = self.decoder(self.context(encoded), skips)
        return visible, hidden


def make_slim_refiner() -> Refiner:
    """Make a refiner of half the published one's operations, which sees the confidence too."""
    return Refiner(3, hidden=SLIM_HIDDEN, confidence=True, widths=_REFINER_WIDTHS)
