"""Convolutions over blocks of 2×2 pixels are those of the picture."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from camdaemon.matting.phases import phased

pytestmark = pytest.mark.usefixtures("one_thread")


def chance(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def blocks(x: Tensor) -> Tensor:
    """(B,C,2h,2w) → (B,4·C,h,w), a block's four pixels row by row, written out."""
    return torch.cat([x[:, :, down::2, right::2] for down in range(2) for right in range(2)], 1)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize(("repeated", "pictures"), [(0, (5,)), (4, (3, 3)), (2, ()), (0, (1, 2, 3))])
def test_it_is_the_convolution_of_the_picture(kernel, repeated, pictures):
    torch.manual_seed(2)
    convolution = nn.Conv2d(repeated + sum(pictures), 7, kernel)
    half = chance(2, repeated, 6, 9)
    whole = [chance(2, channels, 12, 18, seed=channels) for channels in pictures]
    with torch.inference_mode():
        wanted = convolution(torch.cat([half.repeat_interleave(2, 2).repeat_interleave(2, 3), *whole], 1))
        found = phased(convolution, repeated, pictures)(torch.cat([half, *(blocks(each) for each in whole)], 1))
        side = wanted.shape[2] // 2
    assert found.shape == (2, 28, side, wanted.shape[3] // 2)
    torch.testing.assert_close(found, blocks(wanted), atol=1e-5, rtol=0)
    assert float(wanted.std()) > 0.1, "the test of the test"
