"""MobileNetV2 (Sandler et al. 2018, Table 2) as an encoder: Lin et al. 2021 §3.2, the fast backbone.

It has no classifier and no last 1×1 convolution (320 → 1280). The group that would go from stride 16 to 32 keeps
stride 16 and is dilated instead (Chen et al. 2017 §3.1), so the output stride is 16.
Tensor names are those of torchvision, which the published checkpoints use.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

CHANNELS = 320
SKIP_CHANNELS = (32, 24, 16, 6)  # of the skips at 1/8, 1/4, 1/2, 1/1


class _Group(NamedTuple):
    """Blocks of one width.

    Attributes:
        expand: Expansion factor.
        channels: Output channels.
        blocks: Number of blocks.
        stride: Of the first block.
    """

    expand: int
    channels: int
    blocks: int
    stride: int


_GROUPS = (
    _Group(1, 16, 1, 1),
    _Group(6, 24, 2, 2),
    _Group(6, 32, 3, 2),
    _Group(6, 64, 4, 2),
    _Group(6, 96, 3, 1),
    _Group(6, 160, 3, 2),
    _Group(6, 320, 1, 1),
)
_LARGEST_STRIDE = 16
_SKIP_AFTER = (1, 3, 6)  # the last block at 1/2, 1/4 and 1/8


def _conv_bn_relu6(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, dilation: int = 1, groups: int = 1
) -> nn.Sequential:
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU6(inplace=True))


class InvertedResidual(nn.Module):
    """Expand with 1×1, filter each channel with 3×3, project with 1×1, no activation (Sandler et al. 2018 §3.3).

    (B,`inputs`,H,W) → (B,`outputs`,H/stride,W/stride), any float dtype; the input is added where both match.
    """

    def __init__(self, inputs: int, outputs: int, *, expand: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.adds_input = stride == 1 and inputs == outputs
        wide = inputs * expand
        widen = [_conv_bn_relu6(inputs, wide, 1)] if expand > 1 else []
        self.conv = nn.Sequential(
            *widen,
            _conv_bn_relu6(wide, wide, 3, stride=stride, dilation=dilation, groups=wide),
            nn.Conv2d(wide, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output; see the class for shapes."""
        y: Tensor = self.conv(x)
        return x + y if self.adds_input else y


class MobileNetV2Encoder(nn.Module):
    """Features of a picture and a plate stacked to six channels, gamma-encoded RGB, 0..1.

    Args:
        inputs: Channels; more than six for what else is known.
        blocks: How many of the encoder's blocks there are, the first convolution included; None: all 18.
    """

    def __init__(self, inputs: int = 6, blocks: int | None = None) -> None:
        super().__init__()
        layers: list[nn.Module] = [_conv_bn_relu6(inputs, 32, 3, stride=2)]
        inputs, stride, dilation = 32, 2, 1  # of the next block
        for group in _GROUPS:
            step, before = group.stride, dilation
            if stride * step > _LARGEST_STRIDE:
                step, dilation = 1, dilation * step
            stride *= step
            for number in range(group.blocks):
                first = number == 0
                layers.append(
                    InvertedResidual(
                        inputs,
                        group.channels,
                        expand=group.expand,
                        stride=step if first else 1,
                        dilation=before if first else dilation,
                    )
                )
                inputs = group.channels
        self.features = nn.Sequential(*layers[:blocks])

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Encode (B,6,H,W): features (B,320,H/16,W/16) and the skips at 1/8, 1/4, 1/2 and 1/1; sizes rounded up.

        With 14 blocks there are 96 channels of features.
        """
        skips = [x]
        for number, block in enumerate(self.features):
            x = block(x)
            if number in _SKIP_AFTER:
                skips.append(x)
        return x, skips[::-1]
