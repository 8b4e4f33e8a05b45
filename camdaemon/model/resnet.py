"""ResNet-50 and ResNet-101 (He et al. 2016, Table 1) as encoders: Lin et al. 2021 §3.2, the accurate backbones.

They have no pooling and no classifier; the last group is dilated instead of strided (output stride 16).
The stride of a bottleneck sits on its 3×3 convolution ("v1.5"). Tensor names are those of torchvision.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

CHANNELS = 2048
SKIP_CHANNELS = (512, 256, 64, 6)  # 1/8, 1/4, 1/2, 1/1
BLOCKS: dict[int, tuple[int, int, int, int]] = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}

_WIDEN = 4


class Bottleneck(nn.Module):
    """Residual block: 1×1 to `width`, 3×3, 1×1 to 4·`width`, plus the input (He et al. 2016, figure 5).

    (B,`inputs`,H,W) → (B,4·`width`,H/stride,W/stride), any float dtype.
    """

    def __init__(self, inputs: int, width: int, *, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        outputs = width * _WIDEN
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output; see the class for shapes."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


def _group(inputs: int, width: int, blocks: int, *, stride: int, dilation: int) -> nn.Sequential:
    # The first block of the dilated group works on undilated features, so it is not dilated itself.
    first = Bottleneck(inputs, width, stride=stride)
    rest = (Bottleneck(width * _WIDEN, width, dilation=dilation) for _ in range(blocks - 1))
    return nn.Sequential(first, *rest)


class ResNetEncoder(nn.Module):
    """Encoder for a picture and a plate stacked to six channels, gamma-encoded RGB, 0..1."""

    def __init__(self, depth: Literal[50, 101]) -> None:
        super().__init__()
        blocks = BLOCKS[depth]
        self.conv1 = nn.Conv2d(6, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = _group(64, 64, blocks[0], stride=1, dilation=1)
        self.layer2 = _group(256, 128, blocks[1], stride=2, dilation=1)
        self.layer3 = _group(512, 256, blocks[2], stride=2, dilation=1)
        self.layer4 = _group(1024, 512, blocks[3], stride=1, dilation=2)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Encode (B,6,H,W): features (B,2048,H/16,W/16) and the skips at 1/8, 1/4, 1/2 and 1/1; sizes rounded up."""
        half = F.relu(self.bn1(self.conv1(x)), inplace=True)
        quarter = self.layer1(F.max_pool2d(half, 3, 2, 1))
        eighth = self.layer2(quarter)
        return self.layer4(self.layer3(eighth)), [eighth, quarter, half, x]
