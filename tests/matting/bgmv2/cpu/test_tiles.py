"""The refiner over tiles against the published formulation, patch by patch and over the whole frame."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from camdaemon.frames import pixels
from camdaemon.matting.bgmv2.cpu import tiles
from camdaemon.matting.bgmv2.cpu.hidden import BLOCK, SparseFeatures, SparseWindows
from camdaemon.matting.bgmv2.cpu.tiles import RefinedPatches, TiledRefiner, TileInputs
from camdaemon.model import SIDE, Coarse, Refiner, Selection, fold_batch_norms
from tests.present import present

pytestmark = pytest.mark.usefixtures("one_thread")

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


def pictures(frame: Pair, seed: int = 3) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    first, second = (pixels.tensor(rng.integers(0, 256, (*frame, 3), np.uint8)) for _ in range(2))
    return first, second


def maps(base: Pair, seed: int = 4) -> Tensor:
    """(h,w,37) as the base network gives them: alpha, error and hidden features beyond their ranges too."""
    return torch.randn(*base, 37, generator=torch.Generator().manual_seed(seed))


def clamped(coarse: Tensor) -> Coarse:
    x = coarse.permute(2, 0, 1)[None]
    return Coarse(x[:, :1], x[:, 1:4], x[:, 4:5], x[:, 5:].relu()).clamped()


def shown(coarse: Tensor, needed: Tensor, dtype=torch.float32) -> SparseFeatures:
    """What the refiner is shown of `coarse`, (h,w,37): where it is `needed`, bool, by blocks; else NaN."""
    held = clamped(coarse)
    values = torch.cat([held.hidden, held.alpha, held.residual], 1)[0].permute(1, 2, 0)
    known = needed.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)[: len(values), : values.shape[1]]
    values = torch.where(known[..., None], values, torch.nan)
    place = torch.arange(known.numel()).view_as(known)
    return SparseFeatures(values.reshape(-1, values.shape[2]).to(dtype), place)


def whole(kernel: int, src: Tensor, plate: Tensor, coarse: Tensor) -> Tensor:
    """(H,W,4) of the published formulation, everything refined."""
    found = refiner(kernel)(pixels.unit(src), pixels.unit(plate), clamped(coarse), Selection("full"))
    return torch.cat([found.alpha, found.residual], 1)[0].permute(1, 2, 0)


def tiled(
    kernel: int, src: Tensor, plate: Tensor, coarse: Tensor, chosen: Tensor, dtype=torch.float32
) -> RefinedPatches:
    height, width = src.shape[-2:]
    made = TiledRefiner(refiner(kernel), dtype, (height, width))
    with torch.inference_mode():
        return refined(made, coarse, src, plate, chosen, dtype)


def refined(made: TiledRefiner, coarse: Tensor, src: Tensor, plate: Tensor, chosen: Tensor, dtype) -> RefinedPatches:
    return made(present(gathered(made, coarse, src, plate, chosen, dtype)))


def gathered(
    made: TiledRefiner, coarse: Tensor, src: Tensor, plate: Tensor, chosen: Tensor, dtype
) -> TileInputs | None:
    found, base = made.select_tiles(chosen), (coarse.shape[0], coarse.shape[1])
    windows = SparseWindows(made.build_axes(base), base)
    features = shown(coarse, windows.find_needed_blocks(found.row, found.column), dtype)
    return made.gather(
        found,
        partial(windows.upsample, features),
        made.pad(pixels.array(src)),
        made.pad(pixels.array(plate)),
    )


def places(frame: Pair, which: str) -> Tensor:
    """bool (H/4,W/4)."""
    rows, columns = (side // SIDE for side in frame)
    chosen = torch.zeros(rows, columns, dtype=torch.bool)
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
            chosen = torch.rand(rows, columns, generator=torch.Generator().manual_seed(8)) < 0.2
    return chosen


def assert_found(fine: RefinedPatches, chosen: Tensor, expected: Tensor, bound: float = BOUND) -> None:
    assert fine.values.shape == (int(chosen.sum()), SIDE, SIDE, 4)
    assert fine.values.dtype == torch.float32
    found = list(zip(fine.row.tolist(), fine.column.tolist(), strict=True))
    assert sorted(found) == [tuple(place) for place in chosen.nonzero().tolist()]
    for (row, column), values in zip(found, fine.values, strict=True):
        wanted = expected[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
        assert float((values - wanted).abs().max()) < bound, f"patch in row {row}, column {column}"


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
    made = TiledRefiner(refiner(kernel), torch.float32, frame)
    with torch.inference_mode():
        assert gathered(made, maps((25, 19)), *pictures(frame), places(frame, "none"), torch.float32) is None


@pytest.mark.parametrize("kernel", [1, 3])
def test_patch_by_patch_it_is_the_same(kernel: int) -> None:
    """Against the published way of cutting windows out, where that itself chose."""
    frame = (100, 76)
    src, plate = pictures(frame)
    coarse = maps((33, 25))
    selection = Selection("thresholding", threshold=0.5)
    found = refiner(kernel)(pixels.unit(src), pixels.unit(plate), clamped(coarse), selection)
    chosen = found.refined[0, 0]
    assert 0 < int(chosen.sum()) < chosen.numel()
    expected = torch.cat([found.alpha, found.residual], 1)[0].permute(1, 2, 0)
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


def test_a_chosen_patch_does_not_depend_on_what_else_is_chosen() -> None:
    src, plate = pictures((128, 96))
    coarse = maps((32, 24))
    alone, all_ = (tiled(3, src, plate, coarse, places((128, 96), which)) for which in ("one", "all"))
    same = (all_.row == alone.row[0]) & (all_.column == alone.column[0])
    assert float((all_.values[same] - alone.values).abs().max()) < 1e-6


def test_what_it_is_given_stays_as_it_is() -> None:
    src, plate = pictures((100, 76))
    coarse, chosen = maps((25, 19)), places((100, 76), "some")
    given = (src, plate, coarse, chosen)
    before = [each.clone() for each in given]
    own = refiner(3)
    weights = {name: each.clone() for name, each in own.state_dict().items()}
    made = TiledRefiner(own, torch.bfloat16, (100, 76))
    refined(made, coarse, src, plate, chosen, torch.bfloat16)
    assert all(torch.equal(old, now) for old, now in zip(before, given, strict=True))
    for name, each in own.state_dict().items():
        assert each.dtype == torch.float32
        assert torch.equal(each, weights[name]), "it works on a copy of the refiner"


def test_bfloat16_is_near() -> None:
    """Eight bits of a number: a hundredth of what the maps' range is, on average."""
    src, plate = pictures((100, 76))
    coarse, chosen = maps((25, 19)), places((100, 76), "all")
    exact, rough = (tiled(3, src, plate, coarse, chosen, dtype) for dtype in (torch.float32, torch.bfloat16))
    difference = (exact.values - rough.values).abs()
    assert 0 < difference.mean() < 0.01
    assert difference.max() < 0.1
