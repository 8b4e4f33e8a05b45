"""Convolutions of a picture as convolutions of a smaller one whose pixels are its blocks of 2×2 ("phases").

What was repeated to twice its size is not repeated for that, and small kernels meet many channels instead of few, which
is what processors are made for. The results are the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn


def phased(convolution: nn.Conv2d, repeated: int, pictures: Sequence[int]) -> nn.Conv2d:
    """`convolution` (kernel 1 or 3, not padded, stride 1, with a bias) in phases: (B,·,h,w) for (B,·,2h,2w).

    repeated: how many of its first channels are a map of half the size whose pixels are repeated 2×2; they are given as
    that map.   pictures: how many channels those that follow have; they are given as the channels of a block's four
    pixels, row by row, first those of the first picture. So is the result.
    """
    weight, kernel = convolution.weight, convolution.kernel_size[0]
    assert convolution.bias is not None
    outputs, side = weight.shape[0], (kernel + 2) // 2
    new = weight.new_zeros(2, 2, outputs, repeated + 4 * sum(pictures), side, side)
    every = [(p, q, a, b) for p in range(2) for q in range(2) for a in range(kernel) for b in range(kernel)]
    for p, q, a, b in every:
        (down, y), (right, x) = divmod(p + a, 2), divmod(q + b, 2)
        new[p, q, :, :repeated, down, right] += weight[:, :repeated, a, b]
        at = repeated
        for part in weight[:, repeated:, a, b].split(list(pictures), 1):
            first = repeated + 4 * (at - repeated) + (2 * y + x) * part.shape[1]
            new[p, q, :, first : first + part.shape[1], down, right] = part
            at += part.shape[1]
    made = nn.Conv2d(new.shape[3], 4 * outputs, side).requires_grad_(False)
    made.weight.copy_(new.flatten(0, 2))
    made.bias.copy_(convolution.bias.repeat(4))  # type: ignore[union-attr]
    return made
