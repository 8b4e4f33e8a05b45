"""Convolutions in polyphase form: on a picture of half the size whose channels are the pixels of 2×2 blocks (phases).

A map that was upsampled to twice its size need not be upsampled, and small kernels meet many channels instead of few,
which processors are fastest at. The results are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import nn

Upsampling = Literal["repeated", "bilinear"]


def to_polyphase(
    convolution: nn.Conv2d, small: int, pictures: Sequence[int], upsampling: Upsampling = "repeated"
) -> nn.Conv2d:
    """Convert `convolution` to polyphase form.

    With a padding of 1 and a "bilinear" map the outermost two rows and columns of pixels differ: upsampling repeats the
    small map's border, here there are zeros beyond it.

    Args:
        convolution: Kernel 1, or 3 with a padding of 0 or 1; stride 1, with a bias.
        small: Number of its first input channels that are an upsampled map of half the size, corners not aligned. The
            new convolution takes that map as it was before.
        pictures: Numbers of channels of the pictures that follow. The new convolution takes each as the channels of a
            block's four pixels, row by row; for pictures of one channel that is `torch.pixel_unshuffle`.
        upsampling: How the small map was upsampled.

    Returns:
        A convolution whose output channels are `torch.pixel_unshuffle` of those of `convolution`.
    """
    weight, kernel, padding = convolution.weight, convolution.kernel_size[0], int(convolution.padding[0])
    assert convolution.bias is not None
    outputs, side = weight.shape[0], (kernel + 2 + 2 * padding) // 2
    new = weight.new_zeros(outputs, 2, 2, small + 4 * sum(pictures), side, side)
    taps = [(p, q, a, b) for p in range(2) for q in range(2) for a in range(kernel) for b in range(kernel)]
    for p, q, a, b in taps:
        y, x = p + a - padding, q + b - padding  # the input pixel, counted from the block's first
        for down, tall in _upsampling_weights(y, upsampling):
            for right, wide in _upsampling_weights(x, upsampling):
                new[:, p, q, :small, down + padding, right + padding] += tall * wide * weight[:, :small, a, b]
        at = small
        for part in weight[:, small:, a, b].split(list(pictures), 1):
            first = small + 4 * (at - small) + (2 * (y % 2) + x % 2) * part.shape[1]
            new[:, p, q, first : first + part.shape[1], y // 2 + padding, x // 2 + padding] = part
            at += part.shape[1]
    made = nn.Conv2d(new.shape[3], 4 * outputs, side, padding=padding).requires_grad_(False)
    made.weight.copy_(new.flatten(0, 2))
    made.bias.copy_(convolution.bias.repeat_interleave(4))  # type: ignore[union-attr]
    return made


def _upsampling_weights(pixel: int, upsampling: Upsampling) -> list[tuple[int, float]]:
    """Return the pixels of the small map that an upsampled pixel is interpolated from, with their weights."""
    near, second = divmod(pixel, 2)
    if upsampling == "repeated":
        return [(near, 1.0)]
    return [(near, 0.75), (near + (1 if second else -1), 0.25)]
