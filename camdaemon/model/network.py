"""The whole network: base and refiner (Lin et al. 2021, "Real-Time High-Resolution Background Matting")."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import mobilenetv2, resnet
from .aspp import ASPP
from .decoder import HIDDEN, Decoder
from .patches import SIDE, Selection
from .refiner import Coarse, KernelSize, Refiner, upsampled

Backbone = Literal["mobilenetv2", "resnet50", "resnet101"]
BACKBONES: tuple[Backbone, ...] = get_args(Backbone)

_ASPP_CHANNELS = 256
_CELL = 16  # pixels of the base input along one of the encoder's last map's


class Output(NamedTuple):
    """What the network found; dtype and device as the input's. Colours are gamma-encoded RGB, 0..1.

    alpha: (B,1,H,W).   foreground: (B,3,H,W), picture plus residual.   alpha_coarse, foreground_coarse, error_coarse:
    the base network's own, (B,1|3|1,H·scale,W·scale).   refined: bool (B,1,H/4,W/4), where the refiner worked.
    Everything is held to 0..1, unless `clamp=False` was asked for.
    """

    alpha: Tensor
    foreground: Tensor
    alpha_coarse: Tensor
    foreground_coarse: Tensor
    error_coarse: Tensor
    refined: Tensor


def base_size(height: int, width: int, scale: float) -> tuple[int, int]:
    """Height and width of the base network's input: floor(side · scale), at least 1."""
    # 1080 · (180 / 1080) may come out just below 180.
    return max(1, math.floor(height * scale + 1e-6)), max(1, math.floor(width * scale + 1e-6))


def base_by_lines(height: int, width: int, lines: int) -> tuple[int, int]:
    """Height and width of the base network's input whose shorter side is about `lines` pixels; hardly ever enlarged.

    So 1280x720 by 176 lines → (176, 320). Whole cells of the encoder: half a cell moves what the decoder sets beside
    each other, and a base input of 426x240 has twice the error of 432x240.
    """
    scale = min(1.0, lines / min(height, width))
    return _whole_cells(height * scale), _whole_cells(width * scale)


def _whole_cells(side: float) -> int:
    return max(1, round(side / _CELL)) * _CELL


class BackgroundMattingV2(nn.Module):
    """Finds the person in a picture whose plate is known (Lin et al. 2021 §3).

    kernel_size: of the refiner; None is a network without one, which enlarges the coarse matte bilinearly.
    scale: the base input's share of the frame, 0..1.   selection: what is refined. Both may be changed at any time.
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
        """The base network alone, at the size of its input: src, plate (B,3,h,w), 0..1, RGB; result not clamped."""
        x = self.coarse(torch.cat([src, plate], 1))
        alpha, residual, error, hidden = x.split((1, 3, 1, HIDDEN), 1)
        return Coarse(alpha, residual, error, F.relu(hidden))

    def coarse(self, pair: Tensor) -> Tensor:
        """Picture and plate (B,6,h,w), 0..1 → alpha, residual, error, hidden features (B,37,h,w), held to no range."""
        x, skips = self.backbone(pair)
        y: Tensor = self.decoder(self.aspp(x), skips)
        return y

    def visible(self, pair: Tensor) -> Tensor:
        """The first five maps of `coarse`, (B,5,h,w): for training."""
        x, skips = self.backbone(pair)
        return self.decoder.visible(self.aspp(x), skips)

    def forward(self, src: Tensor, plate: Tensor, *, base: tuple[int, int] | None = None, clamp: bool = True) -> Output:
        """src, plate: (B,3,H,W), 0..1, RGB, same float dtype, H and W multiples of 4; neither is changed.

        base: height and width of the base network's input; None: by `scale`, as published.   clamp=False returns what
        the two networks themselves gave, unbounded: for training, where a clamp would stop the gradient, and to see
        infinities. The refiner is shown, and the unrefined pixels of alpha are enlarged from, the clamped coarse alpha
        either way.
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
            upsampled(held, height, width) if self.refiner is None else self.refiner(src, plate, held, self.selection)
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
