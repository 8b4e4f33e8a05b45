"""Hidden features by blocks are the published ones where they are needed, and NaN everywhere else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from camdaemon.matting.bgmv2.cpu import hidden
from camdaemon.matting.bgmv2.cpu.hidden import BLOCK, HiddenFeatures, SparseFeatures
from camdaemon.matting.bgmv2.engines.dense import DenseBase
from camdaemon.matting.bgmv2.engines.engine import BaseMaps
from camdaemon.matting.bgmv2.engines.torch_engine import TorchWindows
from camdaemon.matting.bgmv2.engines.windows import make_hidden
from camdaemon.model.layout import HIDDEN
from camdaemon.model.published import BackgroundMattingV2
from tests.matting.bgmv2.in_torch import as_unit

pytestmark = pytest.mark.usefixtures("one_thread")

# Of even sides: the CPU's base inputs are rounded to them since graphs have no other form.
SIZES = [(48, 80), (36, 64), (46, 78), (18, 10), (16, 16), (8, 6)]
Mask = NDArray[np.bool_]


def pictures(size: tuple[int, int]) -> list[np.ndarray]:
    chance = np.random.default_rng(1)
    return [chance.integers(0, 256, (*size, 3), np.uint8) for _ in range(2)]


def pair_of(both: list[np.ndarray]) -> Tensor:
    """(1,6,h,w), 0..1."""
    return as_unit(np.concatenate(both, 2)).permute(2, 0, 1)[None]


def last(x: Tensor) -> NDArray[np.float32]:
    return x[0].permute(1, 2, 0).contiguous().numpy()


def features_of(network: BackgroundMattingV2, size: tuple[int, int], dtype: torch.dtype) -> HiddenFeatures:
    return HiddenFeatures(TorchWindows(make_hidden(network), dtype), size)


def found_and_wanted(
    network: BackgroundMattingV2, size: tuple[int, int], needed: Mask
) -> tuple[SparseFeatures, NDArray[np.float32]]:
    """What is shown; and all of it, (h,w,36), as published."""
    both = pictures(size)
    with torch.inference_mode():
        maps = BaseMaps(*(last(each) for each in DenseBase(network).eval()(pair_of(both))))
        coarse = network.base(pair_of(both)).clamped()
    made = features_of(network, size, torch.float32)
    first, second = (made.pad(each) for each in both)
    found = made(maps, first, second, needed)
    return found, last(torch.cat([coarse.hidden, coarse.alpha, coarse.residual], 1))


def blocks_of(size: tuple[int, int]) -> tuple[int, int]:
    return -(-size[0] // BLOCK), -(-size[1] // BLOCK)


def pixels_of(needed: Mask, size: tuple[int, int]) -> Mask:
    return needed.repeat(BLOCK, 0).repeat(BLOCK, 1)[: size[0], : size[1]]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_everywhere_it_is_the_published_network(network, size):
    found, wanted = found_and_wanted(network, size, np.ones(blocks_of(size), bool))
    assert found.place.shape == size
    np.testing.assert_allclose(found.values[found.place], wanted, atol=1e-4, rtol=0)
    assert float(wanted[..., :HIDDEN].std()) > 0.01, "the test of the test"


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_where_it_is_not_needed_it_is_not_known(network, size, share):
    needed = np.random.default_rng(2).random(blocks_of(size)) < share
    found, wanted = found_and_wanted(network, size, needed)
    values, known = found.values[found.place], pixels_of(needed, size)
    assert bool(np.isnan(values[~known]).all())
    np.testing.assert_allclose(values[known], wanted[known], atol=1e-4, rtol=0)


def test_more_blocks_than_fit_at_once(network, monkeypatch):
    monkeypatch.setattr(hidden, "_BLOCKS_AT_ONCE", 7)
    found, wanted = found_and_wanted(network, SIZES[0], np.ones(blocks_of(SIZES[0]), bool))
    np.testing.assert_allclose(found.values[found.place], wanted, atol=1e-4, rtol=0)


def test_bfloat16_is_near(network):
    """On any processor: those that lack it imitate it."""
    size, both = SIZES[0], pictures(SIZES[0])
    with torch.inference_mode():
        maps = BaseMaps(*(last(each) for each in DenseBase(network).eval()(pair_of(both))))
    found = []
    for dtype in (torch.float32, torch.bfloat16):
        made = features_of(network, size, dtype)
        first, second = (made.pad(each) for each in both)
        shown = made(maps, first, second, np.ones(blocks_of(size), bool))
        assert shown.values.dtype == np.float32
        found.append(shown.values[shown.place])
    away = np.abs(found[0] - found[1])
    assert 0 < float(away.mean()) < 0.01 * float(found[0].std())


@pytest.mark.parametrize("size", [(48, 80), (4, 4), (6, 4), (4, 34), (64, 6)], ids=str)
def test_an_even_input_gives_the_same_maps_to_its_very_border(network, size):
    given = pair_of(pictures(size))
    with torch.inference_mode():
        coarse = network.coarse(given)[:, :5]
        found, _ = DenseBase(network).eval()(given)
    torch.testing.assert_close(found, coarse, atol=1e-4, rtol=0)
