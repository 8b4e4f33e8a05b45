"""The whole network: base and refiner (Lin et al. 2021, "Real-Time High-Resolution Background Matting")."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camdaemon.model import mobilenetv2, resnet
from camdaemon.model.aspp import ASPP
from camdaemon.model.decoder import HIDDEN, Decoder
from camdaemon.model.patches import SIDE, Selection
from camdaemon.model.refiner import Coarse, KernelSize, Refiner, upsample

Backbone = Literal["mobilenetv2", "resnet50", "resnet101"]
BACKBONES: tuple[Backbone, ...] = get_args(Backbone)

_ASPP_CHANNELS = 256
_CELL = 16  # pixels of the base input along one pixel of the encoder's last map


class Output(NamedTuple):
    """The network's result; dtype and device of the input. Everything is clamped to 0..1 unless `clamp=False`.

    Attributes:
        alpha: (B,1,H,W).
        foreground: (B,3,H,W), gamma-encoded RGB: picture plus residual.
        alpha_coarse: (B,1,H·scale,W·scale), of the base network.
        foreground_coarse: (B,3,H·scale,W·scale), of the base network.
        error_coarse: (B,1,H·scale,W·scale), where the base network expects alpha to be wrong.
        refined: bool (B,1,H/4,W/4), where the refiner worked.
    """

    alpha: Tensor
    foreground: Tensor
    alpha_coarse: Tensor
    foreground_coarse: Tensor
    error_coarse: Tensor
    refined: Tensor


def base_size(height: int, width: int, scale: float) -> tuple[int, int]:
    """Return height and width of the base network's input: floor(side · scale), at least 1."""
    # 1080 · (180 / 1080) may come out just below 180.
    return max(1, math.floor(height * scale + 1e-6)), max(1, math.floor(width * scale + 1e-6))


def base_size_for_lines(height: int, width: int, lines: int) -> tuple[int, int]:
    """Return height and width of a base input whose shorter side is about `lines` pixels.

    1280x720 with 176 lines gives (176, 320). The input is never larger than the frame, except by rounding: sides are
    whole cells of the encoder. Half a cell shifts the maps that the decoder concatenates, and a base input of 426x240
    has twice the error of 432x240.
    """
    scale = min(1.0, lines / min(height, width))
    return _round_to_cells(height * scale), _round_to_cells(width * scale)


def _round_to_cells(side: float) -> int:
    return max(1, round(side / _CELL)) * _CELL


class BackgroundMattingV2(nn.Module):
    """Finds the person in a picture whose plate is known (Lin et al. 2021 §3).

    Args:
        backbone: The encoder.
        kernel_size: Of the refiner; None: no refiner, the coarse matte is upsampled bilinearly.
        scale: Side of the base input divided by that of the frame, 0..1. May be changed at any time.
        selection: Which patches are refined. May be changed at any time.
    """

    def __init__(
        self,
        backbone: Backbone = "mobilenetv2",
        kernel_size: KernelSize | None = 3,
        *,
        scale: float = 0.25,
        selection: Selection | None = None,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.selection = selection or Selection()
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

    def base(self, src: Tensor, plate: Tensor) -> Coarse:
        """Run the base network at the size of its input: src, plate (B,3,h,w), RGB, 0..1. Not clamped."""
        x = self.coarse(torch.cat([src, plate], 1))
        alpha, residual, error, hidden = x.split((1, 3, 1, HIDDEN), 1)
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
        """Return the first five maps of `coarse`, (B,5,h,w); for training."""
        x, skips = self.backbone(pair)
        return self.decoder.visible(self.aspp(x), skips)

    def forward(self, src: Tensor, plate: Tensor, *, base: tuple[int, int] | None = None, clamp: bool = True) -> Output:
        """Matte a batch of pictures.

        Args:
            src: (B,3,H,W), RGB, 0..1, H and W multiples of 4; not changed.
            plate: The empty room, same shape and dtype; not changed.
            base: Height and width of the base network's input; None: by `scale`, as published.
            clamp: False returns the unbounded results of both networks: for training, where a clamp would stop the
                gradient, and to detect infinities. The refiner gets the clamped coarse alpha in either case, and
                unrefined pixels are upsampled from it.

        Raises:
            ValueError: The shapes differ, or a side is not a multiple of 4.
        """
        height, width = src.shape[2:]
        if src.shape != plate.shape or height % SIDE or width % SIDE:
            raise ValueError(
                f"picture {tuple(src.shape)} and plate {tuple(plate.shape)} must be of one shape, (B, 3, H, W), "
                f"with H and W multiples of {SIDE}"
            )
        size = base or base_size(height, width, self.scale)
        small, small_plate = (F.interpolate(x, size, mode="bilinear", align_corners=False) for x in (src, plate))
        coarse = self.base(small, small_plate)
        held = coarse.clamped()
        found = (
            upsample(held, height, width) if self.refiner is None else self.refiner(src, plate, held, self.selection)
        )
        out = Output(
            found.alpha, found.residual + src, coarse.alpha, coarse.residual + small, coarse.error, found.refined
        )
        if not clamp:
            return out
        return out._replace(
            alpha=out.alpha.clamp(0, 1),
            foreground=out.foreground.clamp(0, 1),
            alpha_coarse=held.alpha,
            error_coarse=held.error,
            foreground_coarse=out.foreground_coarse.clamp(0, 1),
        )
