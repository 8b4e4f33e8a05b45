"""Convolutions of a picture as convolutions of a smaller one whose pixels are its blocks of 2×2 ("phases").

What was enlarged to twice its size need not be enlarged for that, and small kernels meet many channels instead of few,
which is what processors are made for. The results are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import nn

Enlargement = Literal["repeated", "bilinear"]


def phased(
    convolution: nn.Conv2d, small: int, pictures: Sequence[int], enlargement: Enlargement = "repeated"
) -> nn.Conv2d:
    """`convolution` (kernel 1, or 3 with a padding of 0 or 1; stride 1, with a bias) in phases.

    small: how many of its first channels are a map of half the size that was enlarged, corners not aligned; they are
    given as that map.   pictures: how many channels those that follow have; each is given as the channels of a block's
    four pixels, row by row. The result's channels are `torch.pixel_unshuffle`'s of the convolution's; so are those of
    pictures of one channel.

    With a padding of 1 and a "bilinear" map the outermost two rows and columns of pixels are wrong: enlarging repeats
    what is at the small map's border, and here it is black beyond.
    """
    weight, kernel, padding = convolution.weight, convolution.kernel_size[0], int(convolution.padding[0])
    assert convolution.bias is not None
    outputs, side = weight.shape[0], (kernel + 2 + 2 * padding) // 2
    new = weight.new_zeros(outputs, 2, 2, small + 4 * sum(pictures), side, side)
    every = [(p, q, a, b) for p in range(2) for q in range(2) for a in range(kernel) for b in range(kernel)]
    for p, q, a, b in every:
        y, x = p + a - padding, q + b - padding  # the pixel that is looked at, counted from the block's first
        for down, tall in _shares(y, enlargement):
            for right, wide in _shares(x, enlargement):
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


def _shares(pixel: int, enlargement: Enlargement) -> list[tuple[int, float]]:
    """Of which pixels of the small map, and how much of each, a pixel of the enlarged one is."""
    near, second = divmod(pixel, 2)
    if enlargement == "repeated":
        return [(near, 1.0)]
    return [(near, 0.75), (near + (1 if second else -1), 0.25)]
