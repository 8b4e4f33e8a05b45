"""Atrous spatial pyramid pooling of DeepLabV3 (Chen et al. 2017 §3.3), as used by Lin et al. 2021 §3.2."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_DILATIONS = (3, 6, 9)  # smaller than DeepLab's 6, 12, 18: the base network sees small pictures
_DROPOUT = 0.5


def _conv_bn_relu(inputs: int, outputs: int, dilation: int | None = None) -> list[nn.Module]:
    kernel, spread = (1, 1) if dilation is None else (3, dilation)
    conv = nn.Conv2d(inputs, outputs, kernel, padding=spread * (kernel // 2), dilation=spread, bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


class ASPP(nn.Module):
    """Context at four dilations and from the whole picture: (B,`inputs`,H,W) → (B,`outputs`,H,W), ≥ 0.

    In training mode the whole-picture branch cannot normalise a batch of one (one value per channel).
    """

    def __init__(self, inputs: int, outputs: int = 256) -> None:
        super().__init__()
        whole = nn.Sequential(nn.AdaptiveAvgPool2d(1), *_conv_bn_relu(inputs, outputs))
        self.convs = nn.ModuleList(
            [
                nn.Sequential(*_conv_bn_relu(inputs, outputs)),
                *(nn.Sequential(*_conv_bn_relu(inputs, outputs, dilation)) for dilation in _DILATIONS),
                whole,
            ]
        )
        self.project = nn.Sequential(*_conv_bn_relu(5 * outputs, outputs), nn.Dropout(_DROPOUT))

    def forward(self, x: Tensor) -> Tensor:
        """Return the projected features; see the class for shapes."""
        *near, whole = [conv(x) for conv in self.convs]
        everywhere = F.interpolate(whole, x.shape[2:], mode="bilinear", align_corners=False)
        y: Tensor = self.project(torch.cat([*near, everywhere], 1))
        return y
