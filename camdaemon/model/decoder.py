"""The decoder of the base network (Lin et al. 2021 §3.2): upsampling to the base input's size, skip by skip."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camdaemon.model.layout import HIDDEN, VISIBLE

OUTPUTS = VISIBLE + HIDDEN  # alpha, foreground residual, error, hidden features for the refiner
_WIDTHS = (128, 64, 48)


def _resize(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=False)


def resize_and_concat(x: Tensor, skip: Tensor) -> Tensor:
    """Upsample `x` bilinearly to the size of `skip` and concatenate both along the channels."""
    return torch.cat([_resize(x, skip), skip], 1)


class Decoder(nn.Module):
    """Four steps of: bilinear upsampling to the skip's size, concatenation with the skip, 3×3 convolution.

    Args:
        inputs: Channels of the encoder's features after ASPP.
        skip_channels: Channels of the skips at 1/8, 1/4, 1/2 and 1/1; the last skip is the six-channel input itself.
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
        """Decode (B,inputs,H/16,W/16) and the four skips to (B,37,H,W), unbounded, without a last activation."""
        y: Tensor = self.conv4(resize_and_concat(self.to_half(x, skips), skips[3]))
        return y

    def visible(self, x: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """Compute the first five maps of `forward`, (B,5,H,W): all that the base stage of training uses.

        The backward pass takes a third of the time: fewer maps, and no gradient of a concatenation to split.
        """
        x, full = _resize(self.to_half(x, skips), skips[3]), skips[3]
        weight, bias = self.conv4.weight[:VISIBLE], self.conv4.bias
        assert bias is not None
        near = F.conv2d(full, weight[:, x.shape[1] :], padding=1)
        return F.conv2d(x, weight[:, : x.shape[1]], bias[:VISIBLE], padding=1) + near

    def slice_last_conv(self, maps: slice, padding: int) -> nn.Conv2d:
        """Copy the last convolution, restricted to the output maps `maps`; for inference only."""
        whole = self.conv4
        assert whole.bias is not None
        weight, bias = whole.weight[maps].clone(), whole.bias[maps].clone()
        made = nn.Conv2d(whole.in_channels, len(bias), 3, padding=padding)
        made.weight, made.bias = (nn.Parameter(each, requires_grad=False) for each in (weight, bias))
        return made

    def to_half(self, x: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """Run all steps but the last: (B,48,H/2,W/2), ≥ 0."""
        eighth, quarter, half, _ = skips
        x = F.relu(self.bn1(self.conv1(resize_and_concat(x, eighth))), inplace=True)
        x = F.relu(self.bn2(self.conv2(resize_and_concat(x, quarter))), inplace=True)
        return F.relu(self.bn3(self.conv3(resize_and_concat(x, half))), inplace=True)
