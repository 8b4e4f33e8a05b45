"""The refiner over tiles against the published formulation, patch by patch and over the whole frame."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from camdaemon.frames import pixels
from camdaemon.matting.bgmv2.cpu import tiles
from camdaemon.matting.bgmv2.cpu.hidden import BLOCK, SparseFeatures, SparseWindows
from camdaemon.matting.bgmv2.cpu.tiles import Mask, RefinedPatches, TiledRefiner, TileInputs
from camdaemon.matting.bgmv2.engines.torch_engine import TorchWindows
from camdaemon.matting.bgmv2.engines.windows import TileRefiner
from camdaemon.model.folding import fold_batch_norms
from camdaemon.model.layout import SIDE, Selection
from camdaemon.model.refiner import Coarse, Refiner
from tests.matting.bgmv2.in_torch import as_unit
from tests.present import present

pytestmark = pytest.mark.usefixtures("one_thread")

Bytes = NDArray[np.uint8]
Pair = tuple[int, int]  # height, width
FRAMES: list[Pair] = [(100, 76), (128, 96), (76, 132), (16, 16), (4, 20)]
RATIOS = [1 / 4, 1 / 2, 1 / 3, 1 / 6, 1.0, 0.37, 0.81]
BOUND = 1e-4


def refiner(kernel: int, seed: int = 7) -> Refiner:
    """Random weights and norms, folded as everywhere where a network is only run."""
    torch.manual_seed(seed)
    made = Refiner(kernel).eval()  # type: ignore[arg-type]
    for norm in (each for each in made.modules() if isinstance(each, torch.nn.BatchNorm2d)):
        torch.nn.init.normal_(norm.running_mean, std=0.1)  # type: ignore[arg-type]
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.normal_(norm.bias, std=0.3)  # what lies outside of the picture is not zero after a convolution
    fold_batch_norms(made)
    return made.requires_grad_(False)


def tiled_refiner(given: Refiner, frame: Pair, dtype: torch.dtype = torch.float32) -> TiledRefiner:
    with torch.inference_mode():
        return TiledRefiner(TorchWindows(TileRefiner(given), dtype), given.kernel_size, frame)


def pictures(frame: Pair, seed: int = 3) -> tuple[Bytes, Bytes]:
    rng = np.random.default_rng(seed)
    first, second = (pixels.as_planes(rng.integers(0, 256, (*frame, 3), np.uint8)) for _ in range(2))
    return first, second


def maps(base: Pair, seed: int = 4) -> Tensor:
    """(h,w,37) as the base network gives them: alpha, error and hidden features beyond their ranges too."""
    return torch.randn(*base, 37, generator=torch.Generator().manual_seed(seed))


def clamped(coarse: Tensor) -> Coarse:
    x = coarse.permute(2, 0, 1)[None]
    return Coarse(x[:, :1], x[:, 1:4], x[:, 4:5], x[:, 5:].relu()).clamped()


def shown(coarse: Tensor, needed: Mask) -> SparseFeatures:
    """What the refiner is shown of `coarse`, (h,w,37): where it is `needed`, by blocks; else NaN."""
    held = clamped(coarse)
    values = torch.cat([held.hidden, held.alpha, held.residual], 1)[0].permute(1, 2, 0).numpy()
    known = needed.repeat(BLOCK, 0).repeat(BLOCK, 1)[: len(values), : values.shape[1]]
    values = np.where(known[..., None], values, np.float32(np.nan))
    return SparseFeatures(values.reshape(-1, values.shape[2]), np.arange(known.size).reshape(known.shape))


def whole(kernel: int, src: Bytes, plate: Bytes, coarse: Tensor) -> NDArray[np.float32]:
    """(H,W,4) of the published formulation, everything refined."""
    found = refiner(kernel)(as_unit(src), as_unit(plate), clamped(coarse), Selection("full"))
    return torch.cat([found.alpha, found.residual], 1)[0].permute(1, 2, 0).numpy()


def tiled(
    kernel: int, src: Bytes, plate: Bytes, coarse: Tensor, chosen: Mask, dtype: torch.dtype = torch.float32
) -> RefinedPatches:
    return refined(tiled_refiner(refiner(kernel), src.shape[2:], dtype), coarse, src, plate, chosen)


def refined(made: TiledRefiner, coarse: Tensor, src: Bytes, plate: Bytes, chosen: Mask) -> RefinedPatches:
    return made(present(gathered(made, coarse, src, plate, chosen)))


def gathered(
    made: TiledRefiner, coarse: Tensor, src: Bytes, plate: Bytes, chosen: Mask, *, copy: bool = True
) -> TileInputs | None:
    found, base = made.select_tiles(chosen), (coarse.shape[0], coarse.shape[1])
    windows = SparseWindows(made.build_axes(base), base)
    features = shown(coarse, windows.find_needed_blocks(found.row, found.column))
    upsample = partial(windows.upsample, features)
    return made.gather(found, upsample, made.pad(pixels.interleave(src)), made.pad(pixels.interleave(plate)), copy=copy)


def places(frame: Pair, which: str) -> Mask:
    """(H/4,W/4)."""
    rows, columns = (side // SIDE for side in frame)
    chosen = np.zeros((rows, columns), bool)
    match which:
        case "all":
            chosen[:] = True
        case "one":
            chosen[rows // 2, columns // 3] = True
        case "corners":
            chosen[:: max(1, rows - 1), :: max(1, columns - 1)] = True
        case "borders":
            chosen[0], chosen[-1], chosen[:, 0], chosen[:, -1] = True, True, True, True
        case "some":
            chosen = np.random.default_rng(8).random((rows, columns)) < 0.2
    return chosen


def assert_found(fine: RefinedPatches, chosen: Mask, expected: NDArray[np.float32], bound: float = BOUND) -> None:
    assert fine.values.shape == (int(chosen.sum()), SIDE, SIDE, 4)
    assert fine.values.dtype == np.float32
    found = list(zip(fine.row.tolist(), fine.column.tolist(), strict=True))
    assert sorted(found) == [tuple(place) for place in np.argwhere(chosen).tolist()]
    for (row, column), values in zip(found, fine.values, strict=True):
        wanted = expected[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
        assert float(np.abs(values - wanted).max()) < bound, f"patch in row {row}, column {column}"


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("frame", FRAMES, ids=str)
def test_every_patch_is_the_published_one(frame: Pair, ratio: float, kernel: int) -> None:
    src, plate = pictures(frame)
    coarse = maps((max(1, int(frame[0] * ratio)), max(1, int(frame[1] * ratio))))
    expected = whole(kernel, src, plate, coarse)
    assert float(expected.std()) > 0.02, "the test of the test: the refiner says something"
    chosen = places(frame, "all")
    assert_found(tiled(kernel, src, plate, coarse, chosen), chosen, expected)


@pytest.mark.parametrize("base", [(1, 1), (13, 31), (31, 9), (100, 76), (120, 90)], ids=str)
def test_coarse_maps_of_any_shape(base: Pair) -> None:
    """Also one pixel, one of another shape than the frame, and one larger than it."""
    src, plate = pictures((100, 76))
    coarse, chosen = maps(base), places((100, 76), "all")
    assert_found(tiled(3, src, plate, coarse, chosen), chosen, whole(3, src, plate, coarse))


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("which", ["one", "corners", "borders", "some", "all"])
def test_just_the_chosen_patches_come(which: str, kernel: int) -> None:
    frame = (100, 76)
    src, plate = pictures(frame)
    coarse, chosen = maps((25, 19)), places(frame, which)
    assert_found(tiled(kernel, src, plate, coarse, chosen), chosen, whole(kernel, src, plate, coarse))


@pytest.mark.parametrize("kernel", [1, 3])
def test_where_no_patch_is_chosen_there_is_nothing_to_refine(kernel: int) -> None:
    frame = (100, 76)
    made = tiled_refiner(refiner(kernel), frame)
    assert gathered(made, maps((25, 19)), *pictures(frame), places(frame, "none")) is None


@pytest.mark.parametrize("kernel", [1, 3])
def test_patch_by_patch_it_is_the_same(kernel: int) -> None:
    """Against the published way of cutting windows out, where that itself chose."""
    frame = (100, 76)
    src, plate = pictures(frame)
    coarse = maps((33, 25))
    selection = Selection("thresholding", threshold=0.5)
    found = refiner(kernel)(as_unit(src), as_unit(plate), clamped(coarse), selection)
    chosen = found.refined[0, 0].numpy()
    assert 0 < int(chosen.sum()) < chosen.size
    expected = torch.cat([found.alpha, found.residual], 1)[0].permute(1, 2, 0).numpy()
    assert_found(tiled(kernel, src, plate, coarse, chosen), chosen, expected)


@pytest.mark.parametrize("at_once", [1, 3, 35, 36])
def test_more_tiles_than_fit_at_once(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are 7 times 5."""
    monkeypatch.setattr(tiles, "_TILES_AT_ONCE", at_once)
    src, plate = pictures((100, 76))
    coarse = maps((25, 19))
    expected = whole(3, src, plate, coarse)
    for which in ("all", "some"):
        chosen = places((100, 76), which)
        assert_found(tiled(3, src, plate, coarse, chosen), chosen, expected)
        made = tiled_refiner(refiner(3), (100, 76))
        lazily = present(gathered(made, coarse, src, plate, chosen, copy=False))
        assert lazily.refined == [], "nothing is done before its time"
        assert_found(made(lazily), chosen, expected)


@pytest.mark.parametrize(("most", "early"), [(1, 11), (4, 8), (12, 0)])
def test_of_very_many_tiles_the_first_are_refined_at_once(most: int, early: int, monkeypatch) -> None:
    monkeypatch.setattr(tiles, "_TILES_AT_ONCE", 3)
    monkeypatch.setattr(tiles, "_MOST_KEPT", most)
    src, plate = pictures((100, 76))
    coarse, chosen = maps((25, 19)), places((100, 76), "all")
    made = tiled_refiner(refiner(3), (100, 76))
    given = present(gathered(made, coarse, src, plate, chosen))
    assert len(given.refined) == early
    assert_found(made(given), chosen, whole(3, src, plate, coarse))


def test_a_chosen_patch_does_not_depend_on_what_else_is_chosen() -> None:
    src, plate = pictures((128, 96))
    coarse = maps((32, 24))
    alone, all_ = (tiled(3, src, plate, coarse, places((128, 96), which)) for which in ("one", "all"))
    same = (all_.row == alone.row[0]) & (all_.column == alone.column[0])
    assert float(np.abs(all_.values[same] - alone.values).max()) < 1e-6


def test_what_it_is_given_stays_as_it_is() -> None:
    src, plate = pictures((100, 76))
    coarse, chosen = maps((25, 19)), places((100, 76), "some")
    before = src.copy(), plate.copy(), coarse.numpy().copy(), chosen.copy()
    own = refiner(3)
    weights = {name: each.clone() for name, each in own.state_dict().items()}
    refined(tiled_refiner(own, (100, 76), torch.bfloat16), coarse, src, plate, chosen)
    now = src, plate, coarse.numpy(), chosen
    assert all(np.array_equal(*both) for both in zip(before, now, strict=True))
    for name, each in own.state_dict().items():
        assert each.dtype == torch.float32
        assert torch.equal(each, weights[name]), "it works on a copy of the refiner"


def test_bfloat16_is_near() -> None:
    """Eight bits of a number: a hundredth of what the maps' range is, on average."""
    src, plate = pictures((100, 76))
    coarse, chosen = maps((25, 19)), places((100, 76), "all")
    exact, rough = (tiled(3, src, plate, coarse, chosen, dtype) for dtype in (torch.float32, torch.bfloat16))
    difference = np.abs(exact.values - rough.values)
    assert 0 < difference.mean() < 0.01
    assert difference.max() < 0.1
