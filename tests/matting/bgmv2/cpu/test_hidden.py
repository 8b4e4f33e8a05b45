"""Hidden features by blocks are the published ones where they are needed, and NaN everywhere else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from camdaemon.frames import pixels
from camdaemon.matting.bgmv2.cpu import hidden
from camdaemon.matting.bgmv2.cpu.hidden import BLOCK, HiddenFeatures, SparseFeatures
from camdaemon.matting.bgmv2.engines.dense import BaseMaps, DenseBase, has_even_sides
from camdaemon.model import HIDDEN, BackgroundMattingV2

pytestmark = pytest.mark.usefixtures("one_thread")

SIZES = [(48, 80), (36, 64), (45, 77), (17, 9), (16, 16), (7, 5)]


def pictures(size: tuple[int, int]) -> list[np.ndarray]:
    chance = np.random.default_rng(1)
    return [chance.integers(0, 256, (*size, 3), np.uint8) for _ in range(2)]


def last(x: Tensor) -> Tensor:
    return x[0].permute(1, 2, 0)


def found_and_wanted(
    network: BackgroundMattingV2, size: tuple[int, int], needed: Tensor
) -> tuple[SparseFeatures, Tensor]:
    """What is shown; and all of it, (h,w,36), as published."""
    both = pictures(size)
    given = pixels.unit(pixels.tensor(np.concatenate(both, 2)))
    with torch.inference_mode():
        maps = BaseMaps(*(last(each) for each in DenseBase(network, even=has_even_sides(size)).eval()(given)))
        made = HiddenFeatures(network.decoder, torch.float32, size)
        first, second = (made.pad(each) for each in both)
        found = made(maps, first, second, needed)
        coarse = network.base(given).clamped()
    return found, last(torch.cat([coarse.hidden, coarse.alpha, coarse.residual], 1))


def blocks_of(size: tuple[int, int]) -> tuple[int, int]:
    return -(-size[0] // BLOCK), -(-size[1] // BLOCK)


def pixels_of(needed: Tensor, size: tuple[int, int]) -> Tensor:
    return needed.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)[: size[0], : size[1]]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_everywhere_it_is_the_published_network(network, size):
    found, wanted = found_and_wanted(network, size, torch.ones(blocks_of(size), dtype=torch.bool))
    assert found.place.shape == size
    torch.testing.assert_close(found.values[found.place], wanted, atol=1e-4, rtol=0)
    assert float(wanted[..., :HIDDEN].std()) > 0.01, "the test of the test"


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_where_it_is_not_needed_it_is_not_known(network, size, share):
    needed = torch.rand(blocks_of(size), generator=torch.Generator().manual_seed(2)) < share
    found, wanted = found_and_wanted(network, size, needed)
    values, known = found.values[found.place], pixels_of(needed, size)
    assert bool(values[~known].isnan().all())
    torch.testing.assert_close(values[known], wanted[known], atol=1e-4, rtol=0)


def test_more_blocks_than_fit_at_once(network, monkeypatch):
    monkeypatch.setattr(hidden, "_BLOCKS_AT_ONCE", 7)
    found, wanted = found_and_wanted(network, SIZES[0], torch.ones(blocks_of(SIZES[0]), dtype=torch.bool))
    torch.testing.assert_close(found.values[found.place], wanted, atol=1e-4, rtol=0)


def test_bfloat16_is_near(network):
    """On any processor: those that lack it imitate it."""
    size, both = SIZES[0], pictures(SIZES[0])
    given = pixels.unit(pixels.tensor(np.concatenate(both, 2)))
    found = []
    with torch.inference_mode():
        maps = BaseMaps(*(last(each) for each in DenseBase(network, even=True).eval()(given)))
        for dtype in (torch.float32, torch.bfloat16):
            made = HiddenFeatures(network.decoder, dtype, size)
            first, second = (made.pad(each) for each in both)
            shown = made(maps, first, second, torch.ones(blocks_of(size), dtype=torch.bool))
            assert shown.values.dtype == dtype
            found.append(shown.values[shown.place].float())
    away = (found[0] - found[1]).abs()
    assert 0 < float(away.mean()) < 0.01 * float(found[0].std())


@pytest.mark.parametrize("size", [(48, 80), (4, 4), (6, 4), (4, 34), (64, 6)], ids=str)
def test_an_even_input_gives_the_same_maps_to_its_very_border(network, size):
    given = pixels.unit(pixels.tensor(np.concatenate(pictures(size), 2)))
    assert has_even_sides(size)
    with torch.inference_mode():
        coarse = network.coarse(given)[:, :5]
        found, _ = DenseBase(network, even=True).eval()(given)
        other, _ = DenseBase(network, even=False).eval()(given)
    torch.testing.assert_close(other, coarse, atol=1e-5, rtol=0)
    torch.testing.assert_close(found, coarse, atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [(2, 64), (45, 64), (64, 45), (3, 3)], ids=str)
def test_others_have_no_polyphase_form(size):
    assert not has_even_sides(size)
