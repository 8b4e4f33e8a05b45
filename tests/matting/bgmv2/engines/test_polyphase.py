"""Convolutions over blocks of 2×2 pixels are those of the picture."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camdaemon.matting.bgmv2.engines.polyphase import to_polyphase

pytestmark = pytest.mark.usefixtures("one_thread")


def chance(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def blocks(x: Tensor) -> Tensor:
    """(B,C,2h,2w) → (B,4·C,h,w), a block's four pixels row by row, written out."""
    return torch.cat([x[:, :, down::2, right::2] for down in range(2) for right in range(2)], 1)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize(("small", "pictures"), [(0, (5,)), (4, (3, 3)), (2, ()), (0, (1, 2, 3))])
def test_it_is_the_convolution_of_the_picture(kernel, small, pictures):
    torch.manual_seed(2)
    convolution = nn.Conv2d(small + sum(pictures), 7, kernel)
    half = chance(2, small, 6, 9)
    whole = [chance(2, channels, 12, 18, seed=channels) for channels in pictures]
    with torch.inference_mode():
        large = half.repeat_interleave(2, 2).repeat_interleave(2, 3)
        wanted = convolution(torch.cat([large, *whole], 1))
        found = to_polyphase(convolution, small, pictures)(torch.cat([half, *(blocks(each) for each in whole)], 1))
    torch.testing.assert_close(found, F.pixel_unshuffle(wanted, 2), atol=1e-5, rtol=0)
    assert float(wanted.std()) > 0.1, "the test of the test"


@pytest.mark.parametrize("size", [(6, 9), (2, 2), (3, 11)], ids=str)
def test_padded_and_of_an_enlarged_map_all_but_the_border_is(size):
    torch.manual_seed(2)
    convolution = nn.Conv2d(7, 5, 3, padding=1)
    half, picture = chance(2, 4, *size), chance(2, 3, 2 * size[0], 2 * size[1])
    with torch.inference_mode():
        large = F.interpolate(half, scale_factor=2, mode="bilinear", align_corners=False)
        wanted = convolution(torch.cat([large, picture], 1))
        made = to_polyphase(convolution, 4, (1,) * 3, "bilinear")
        found = F.pixel_shuffle(made(torch.cat([half, F.pixel_unshuffle(picture, 2)], 1)), 2)
    assert found.shape == wanted.shape
    inner = slice(2, -2)
    torch.testing.assert_close(found[:, :, inner, inner], wanted[:, :, inner, inner], atol=1e-5, rtol=0)
    assert not torch.allclose(found, wanted, atol=1e-3), "the border is another"
