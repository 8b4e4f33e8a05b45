"""Arithmetic of maps in torch, on any device; see `maps`. Imported only where pictures are tensors."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


class TensorMaps:
    """`Maps` as tensors (1,1,H,W), of pictures in torch."""

    def find_largest(self, change: Tensor) -> Tensor:
        """See `Maps`."""
        return change.abs().amax(1, keepdim=True)

    def as_picture(self, x: Tensor) -> Tensor:
        """See `Maps`."""
        return x

    def mean_blocks(self, x: Tensor, side: int) -> Tensor:
        """See `Maps`."""
        return F.avg_pool2d(x, side)

    def exceeds(self, x: Tensor, limit: float) -> Tensor:
        """See `Maps`."""
        return (x > limit).to(x.dtype)

    def dilate(self, x: Tensor, radius: int) -> Tensor:
        """See `Maps`."""
        side = 2 * radius + 1  # a square, as a row and a column
        return F.max_pool2d(F.max_pool2d(x, (1, side), 1, (0, radius)), (side, 1), 1, (radius, 0))

    def erode(self, x: Tensor, radius: int) -> Tensor:
        """See `Maps`."""
        return -self.dilate(-x, radius)

    def enlarge(self, x: Tensor, like: Tensor) -> Tensor:
        """See `Maps`."""
        return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=False)

    def smooth(self, x: Tensor) -> Tensor:
        """See `Maps`."""
        return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)

    def maximum(self, x: Tensor, y: Tensor) -> Tensor:
        """See `Maps`."""
        return torch.maximum(x, y)

    def minimum(self, x: Tensor, y: Tensor) -> Tensor:
        """See `Maps`."""
        return torch.minimum(x, y)

    def is_finite(self, x: Tensor) -> bool:
        """See `Maps`."""
        return bool(x.sum(dtype=torch.float32).isfinite())
