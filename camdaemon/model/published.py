"""The published network (Lin et al. 2021, "Real-Time High-Resolution Background Matting")."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camdaemon.model import mobilenetv2, resnet
from camdaemon.model.aspp import ASPP
from camdaemon.model.decoder import Decoder
from camdaemon.model.layout import HIDDEN, Selection
from camdaemon.model.network import MattingNetwork
from camdaemon.model.refiner import Coarse, KernelSize, Refiner

Backbone = Literal["mobilenetv2", "resnet50", "resnet101"]
BACKBONES: tuple[Backbone, ...] = get_args(Backbone)

_ASPP_CHANNELS = 256


class BackgroundMattingV2(MattingNetwork):
    """Finds the person in a picture whose plate is known (Lin et al. 2021 §3).

    Args:
        backbone: The encoder.
        kernel_size: Of the refiner; None: no refiner, the coarse matte is upsampled bilinearly.
        scale: Side of the base input divided by that of the frame, 0..1. May be changed at any time.
        selection: Which patches are refined. May be changed at any time.
    """

    doubts, inputs = False, 6

    def __init__(
        self,
        backbone: Backbone = "mobilenetv2",
        kernel_size: KernelSize | None = 3,
        *,
        scale: float = 0.25,
        selection: Selection | None = None,
    ) -> None:
        super().__init__(scale, selection)
        self.backbone: nn.Module
        match backbone:
            case "mobilenetv2":
                self.backbone = mobilenetv2.MobileNetV2Encoder()
                channels, skips = mobilenetv2.CHANNELS, mobilenetv2.SKIP_CHANNELS
            case "resnet50" | "resnet101":
                self.backbone = resnet.ResNetEncoder(50 if backbone == "resnet50" else 101)
                channels, skips = resnet.CHANNELS, resnet.SKIP_CHANNELS
            case _:
                raise ValueError(f"no backbone is called {backbone!r}; there are {', '.join(BACKBONES)}")
        self.aspp = ASPP(channels, _ASPP_CHANNELS)
        self.decoder = Decoder(_ASPP_CHANNELS, skips)
        self.refiner = None if kernel_size is None else Refiner(kernel_size)

    def stack(self, src: Tensor, plate: Tensor, confidence: Tensor) -> Tensor:
        """See `MattingNetwork`. The plate is believed, whatever its confidence."""
        return torch.cat([src, plate], 1)

    def base(self, x: Tensor) -> Coarse:
        """See `MattingNetwork`."""
        alpha, residual, error, hidden = self.coarse(x).split((1, 3, 1, HIDDEN), 1)
        return Coarse(alpha, residual, error, F.relu(hidden))

    def coarse(self, pair: Tensor) -> Tensor:
        """Run the base network on picture and plate (B,6,h,w), 0..1.

        Returns:
            Alpha, residual, error and hidden features, (B,37,h,w), unbounded.
        """
        x, skips = self.backbone(pair)
        y: Tensor = self.decoder(self.aspp(x), skips)
        return y

    def visible(self, pair: Tensor) -> Tensor:
        """See `MattingNetwork`: the first five maps of `coarse`."""
        x, skips = self.backbone(pair)
        return self.decoder.visible(self.aspp(x), skips)
