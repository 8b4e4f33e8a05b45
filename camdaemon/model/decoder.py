"""The decoder of the base network (Lin et al. 2021 §3.2): back to the base input's size, skip by skip."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HIDDEN = 32
OUTPUTS = 1 + 3 + 1 + HIDDEN  # alpha, foreground residual, error, hidden features for the refiner
VISIBLE = OUTPUTS - HIDDEN
_WIDTHS = (128, 64, 48)


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=False)


def resized_beside(x: Tensor, skip: Tensor) -> Tensor:
    """`x` enlarged to the size of `skip`, and `skip` itself, beside each other."""
    return torch.cat([_resized(x, skip), skip], 1)


class Decoder(nn.Module):
    """Four steps of: resize to the skip's size, bilinearly; set beside it; 3×3 convolution.

    `skip_channels` are those of the skips at 1/8, 1/4, 1/2 and 1/1 (the last is the six-channel input itself).
    """

    def __init__(self, inputs: int, skip_channels: Sequence[int]) -> None:
        super().__init__()
        eighth, quarter, half, full = skip_channels
        self.conv1 = nn.Conv2d(inputs + eighth, _WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(_WIDTHS[0])
        self.conv2 = nn.Conv2d(_WIDTHS[0] + quarter, _WIDTHS[1], 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(_WIDTHS[1])
        self.conv3 = nn.Conv2d(_WIDTHS[1] + half, _WIDTHS[2], 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(_WIDTHS[2])
        self.conv4 = nn.Conv2d(_WIDTHS[2] + full, OUTPUTS, 3, padding=1)

    def forward(self, x: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """(B,inputs,H/16,W/16) and the four skips → (B,37,H,W), unbounded, no activation at the end."""
        y: Tensor = self.conv4(resized_beside(self.to_half(x, skips), skips[3]))
        return y

    def visible(self, x: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """The first five maps of `forward`, (B,5,H,W): all that the base stage of training looks at.

        Backwards it takes a third of the time: few maps, and no gradient of two things side by side to take apart.
        """
        x, full = _resized(self.to_half(x, skips), skips[3]), skips[3]
        weight, bias = self.conv4.weight[:VISIBLE], self.conv4.bias
        assert bias is not None
        near = F.conv2d(full, weight[:, x.shape[1] :], padding=1)
        return F.conv2d(x, weight[:, : x.shape[1]], bias[:VISIBLE], padding=1) + near

    def some_of_last(self, maps: slice, padding: int) -> nn.Conv2d:
        """The last convolution for some of its maps alone, for networks that are only run: its weights are copied."""
        whole = self.conv4
        assert whole.bias is not None
        weight, bias = whole.weight[maps].clone(), whole.bias[maps].clone()
        made = nn.Conv2d(whole.in_channels, len(bias), 3, padding=padding)
        made.weight, made.bias = (nn.Parameter(each, requires_grad=False) for each in (weight, bias))
        return made

    def to_half(self, x: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """(B,48,H/2,W/2), ≥ 0: all but the last step."""
        eighth, quarter, half, _ = skips
        x = F.relu(self.bn1(self.conv1(resized_beside(x, eighth))), inplace=True)
        x = F.relu(self.bn2(self.conv2(resized_beside(x, quarter))), inplace=True)
        return F.relu(self.bn3(self.conv3(resized_beside(x, half))), inplace=True)
