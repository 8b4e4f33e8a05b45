"""Batch norms that keep their statistics, as a part of the convolutions before them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batch_norms(network: nn.Module) -> None:
    """Fold every batch norm of `network`, in place: same results to rounding, half the kernels.

    Fold in float32. Afterwards the network can neither be trained nor load a checkpoint.

    Raises:
        ValueError: The network is in training mode.
    """
    if network.training:
        raise ValueError("batch norms fold only in evaluation mode; call network.eval() first")
    for parent, name, norm_name in list(find_pairs(network)):
        setattr(parent, name, fuse_conv_bn_eval(getattr(parent, name), getattr(parent, norm_name)))
        setattr(parent, norm_name, nn.Identity())


def scale_by_norms(network: nn.Module) -> None:
    """Let the convolutions of `network` apply the batch norms after them, in place, for training with fixed statistics.

    The convolution's weights are scaled instead of its result: the same function, the same gradients and the same
    tensors in a checkpoint, without a pass over every map in either direction.
    """
    for parent, name, norm_name in list(find_pairs(network)):
        conv, norm = getattr(parent, name), getattr(parent, norm_name)
        conv.forward = _NormedConvolution(conv, norm)
        norm.forward = _return_same


class _NormedConvolution:
    """A convolution, then a batch norm with fixed statistics, as one convolution."""

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
        self._conv, self._norm = conv, norm

    def __call__(self, x: Tensor) -> Tensor:
        conv, norm = self._conv, self._norm
        mean, variance = norm.running_mean, norm.running_var
        assert mean is not None
        assert variance is not None
        scale = norm.weight * (variance + norm.eps).rsqrt()
        bias = norm.bias - mean * scale if conv.bias is None else norm.bias + (conv.bias - mean) * scale
        weight = conv.weight * scale.view(-1, 1, 1, 1)
        return F.conv2d(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)


def _return_same(x: Tensor) -> Tensor:
    return x


def find_pairs(network: nn.Module) -> Iterator[tuple[nn.Module, str, str]]:
    """Yield the parent and the names of every convolution that a batch norm follows, and of that norm."""
    for parent in list(network.modules()):
        for (name, conv), (norm_name, norm) in pairwise(list(parent.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                yield parent, name, norm_name
