"""The CPU's own formulation of the network against the published one, and what it must refuse."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from camdaemon.errors import EngineError
from camdaemon.frames import pixels
from camdaemon.matting import Refinement
from camdaemon.matting.bgmv2.cpu import base as cpu_base
from camdaemon.matting.bgmv2.cpu import published as published_cpu
from camdaemon.matting.bgmv2.cpu.base import NetworkShape
from camdaemon.matting.bgmv2.cpu.hidden import SparseWindows
from camdaemon.matting.bgmv2.cpu.matting import CpuMatting
from camdaemon.matting.bgmv2.cpu.network import CpuNetwork
from camdaemon.matting.bgmv2.cpu.tile_windows import Index
from camdaemon.matting.bgmv2.sizes import choose_base_size
from camdaemon.model.folding import fold_batch_norms
from camdaemon.model.layout import SIDE, Selection
from camdaemon.model.network import MattingNetwork, Output
from camdaemon.model.published import BackgroundMattingV2
from tests.fakes import assert_keeps_the_contract
from tests.matting.bgmv2.in_torch import as_tensor, as_unit, engines_of
from tests.present import present

pytestmark = pytest.mark.usefixtures("one_thread")

FRAME = (96, 128)
Bytes = NDArray[np.uint8]


def random_network(kernel: int | None = 3, seed: int = 5) -> BackgroundMattingV2:
    torch.manual_seed(seed)
    made = BackgroundMattingV2(kernel_size=kernel).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        bias = present(made.decoder.conv4.bias)
        bias[:5] = torch.tensor([0.5, 0, 0, 0, 0.5])  # alpha and error away from the clamps
        if made.refiner is not None:
            present(made.refiner.conv4.bias)[:] = torch.tensor([0.6, 0.1, -0.1, 0.05])  # a refined patch is another one
    return made


@pytest.fixture(scope="module")
def networks() -> dict[int | None, BackgroundMattingV2]:
    """By the refiner's kernel, batch norms folded."""
    made = {kernel: random_network(kernel) for kernel in (None, 1, 3)}
    for network in made.values():
        fold_batch_norms(network)
        network.requires_grad_(False)
    return made


def picture(seed: int, frame: tuple[int, int] = FRAME) -> Bytes:
    """Bytes (1,3,H,W), as soft as a camera's picture."""
    rgb = np.random.default_rng(seed).integers(0, 256, (*frame, 3), np.uint8)
    soft = cv2.GaussianBlur(rgb, (0, 0), 3).astype(np.float32)
    return pixels.as_planes(np.clip(4 * (soft - 127.5) + 127.5, 0, 255).astype(np.uint8))


def base_of(frame: tuple[int, int], scale: float) -> tuple[int, int]:
    """What the CPU takes for a scale: of even sides."""
    return choose_base_size(Refinement(scale=scale), *frame, sides="even")


def on_cpu(network: BackgroundMattingV2, scale: float = 1.0, frame: tuple[int, int] = FRAME) -> CpuNetwork:
    return CpuNetwork(engines_of(network), NetworkShape(frame, base_of(frame, scale)))


def published(
    network: BackgroundMattingV2,
    src: Bytes,
    plate: Bytes,
    selection: Selection,
    scale: float,
) -> Output:
    network.selection = selection
    with torch.inference_mode():
        found: Output = network(as_unit(src), as_unit(plate), base=base_of((src.shape[2], src.shape[3]), scale))
    return found


def clear(network: BackgroundMattingV2, src: Bytes, plate: Bytes, mode: str, scale: float) -> Selection:
    """One whose choice hangs on no rounding: the limit lies in the widest gap between two predicted errors."""
    if mode == "full":
        return Selection("full")
    error = published(network, src, plate, Selection(pixels=0), scale).error_coarse
    error = torch.nn.functional.interpolate(error, [side // SIDE for side in src.shape[2:]], mode="bilinear")
    ranked = error.flatten().sort(descending=True).values
    assert float(ranked[-1]) > 0.05, "all of them count: what is nearly 0 is skipped on the CPU"
    gaps = (ranked[:-1] - ranked[1:])[50:-50]
    count = int(gaps.argmax()) + 51
    if mode == "sampling":
        return Selection("sampling", pixels=count * SIDE**2)
    return Selection("thresholding", threshold=float(ranked[count - 1] + ranked[count]) / 2)


def assert_near(found: Bytes, wanted: Tensor) -> None:
    """Within 2 of 255 in 99.9 % of the pixels, and within 6 everywhere."""
    assert found.dtype == np.uint8
    assert found.shape == wanted.shape
    away = (as_tensor(found).float() - 255 * wanted).abs()
    assert float((away > 2).float().mean()) <= 0.001
    assert float(away.max()) <= 6


@pytest.mark.parametrize("mode", ["sampling", "thresholding", "full"])
@pytest.mark.parametrize("scale", [1.0, 0.5, 1 / 3])
@pytest.mark.parametrize("kernel", [1, 3])
def test_it_is_the_published_matte(networks, kernel, scale, mode):
    network, src, plate = networks[kernel], picture(1), picture(2)
    selection = clear(network, src, plate, mode, scale)
    wanted = published(network, src, plate, selection, scale)
    share = float(wanted.refined.float().mean())
    assert share == 1 if mode == "full" else 0.05 < share < 0.95
    alpha, foreground, finite = on_cpu(network, scale)(src, plate, None, selection)
    assert finite is True
    assert_near(alpha, wanted.alpha)
    assert_near(foreground, wanted.foreground)
    assert float(pixels.unit(alpha).std()) > 0.01, "the test of the test"


@pytest.mark.parametrize("scale", [1.0, 0.25])
@pytest.mark.parametrize("mode", ["sampling", "thresholding", "full"])
def test_without_a_refiner_it_is_the_enlarged_coarse_matte(networks, mode, scale):
    network, src, plate = networks[None], picture(1), picture(2)
    wanted = published(network, src, plate, Selection(mode), scale)
    alpha, foreground, finite = on_cpu(network, scale)(src, plate, None, Selection(mode))
    assert finite is True
    assert_near(alpha, wanted.alpha)
    assert_near(foreground, wanted.foreground)


@pytest.mark.parametrize("selection", [Selection(pixels=0), Selection("thresholding", threshold=2.0)], ids=str)
def test_nothing_to_refine_is_the_enlarged_coarse_matte(networks, selection):
    """An empty room in good light: the network is sure of everything."""
    network, src, plate = networks[3], picture(1), picture(2)
    wanted = published(network, src, plate, selection, 0.5)
    alpha, foreground, finite = on_cpu(network, 0.5)(src, plate, None, selection)
    assert finite is True
    assert_near(alpha, wanted.alpha)
    assert_near(foreground, wanted.foreground)


@pytest.mark.parametrize("error", [0.0, -3.0, 1 / 65])
def test_a_network_that_expects_no_error_refines_nothing(error):
    network = random_network()
    with torch.no_grad():
        network.decoder.conv4.weight[4] = 0
        present(network.decoder.conv4.bias)[4] = error
    fold_batch_norms(network)
    network.requires_grad_(False)
    src, plate = picture(1), picture(2)
    wanted = published(network, src, plate, Selection(pixels=0), 0.5)
    alpha, _, _ = on_cpu(network, 0.5)(src, plate, None, Selection())
    assert_near(alpha, wanted.alpha)


def test_bytes_plane_by_plane_are_the_same_picture(networks):
    src, plate = picture(1), picture(2)
    first = on_cpu(networks[3])(src, plate, None, Selection("full"))
    other = on_cpu(networks[3])(np.ascontiguousarray(src), np.ascontiguousarray(plate), None, Selection("full"))
    assert np.array_equal(first[0], other[0])
    assert np.array_equal(first[1], other[1])


def test_the_plates_parts_are_prepared_again_for_another_plate_and_only_then(networks, monkeypatch):
    small = cpu_base.downscale
    calls: list[int] = []
    monkeypatch.setattr(published_cpu, "downscale", lambda *args: calls.append(1) or small(*args))
    network, src, plate, other = on_cpu(networks[3], 0.5), picture(1), picture(2), picture(3)

    def smaller(of: Bytes) -> int:
        calls.clear()
        network(src, of, None, Selection("full"))
        return len(calls)

    assert smaller(plate) == 2
    assert [smaller(plate), smaller(plate)] == [1, 1], "the frame's alone"
    assert smaller(other) == 2
    assert smaller(other.copy()) == 2
    assert smaller(plate) == 2, "the first one again"
    found = network(src, other, None, Selection("full"))
    fresh = on_cpu(networks[3], 0.5)(src, other, None, Selection("full"))
    assert np.array_equal(found[0], fresh[0]), "something of the old plate was left"
    assert np.array_equal(found[1], fresh[1])


def test_the_next_frame_does_not_change_the_last_matte(networks):
    network, plate = on_cpu(networks[3]), picture(3)
    alpha, foreground, _ = network(picture(1), plate, None, Selection("full"))
    kept = alpha.copy(), foreground.copy()
    network(picture(2), plate, None, Selection("full"))
    assert np.array_equal(alpha, kept[0])
    assert np.array_equal(foreground, kept[1])


# ---- as a matting


def saved(network: MattingNetwork, folder) -> str:
    save_file({name: each.contiguous() for name, each in network.state_dict().items()}, folder / "own.safetensors")
    return str(folder / "own.safetensors")


def matting(folder, network: MattingNetwork | None = None, **refine) -> CpuMatting:
    return CpuMatting(saved(network or random_network(), folder), Refinement(**refine), "torch", "float32")


@pytest.mark.parametrize("mode", ["sampling", "thresholding", "full"])
@pytest.mark.parametrize("kernel", [None, 3])
def test_keeps_the_contract_in_bytes(tmp_path, kernel, mode):
    assert_keeps_the_contract(matting(tmp_path, random_network(kernel), mode=mode), picture(1), picture(2))


def test_another_frame_size_and_the_first_again(tmp_path):
    made = matting(tmp_path, mode="full")
    first = made(picture(1), picture(2), None, 1)
    for seq, frame in ((2, (64, 100)), (3, (128, 96)), (4, (180, 320))):
        matte = made(picture(1, frame), picture(2, frame), None, seq)
        assert matte.seq == seq
        assert matte.alpha.shape == (1, 1, *frame)
        assert matte.foreground.shape == (1, 3, *frame)
        assert matte.alpha.dtype == matte.foreground.dtype == np.uint8
    again = made(picture(1), picture(2), None, 5)
    assert np.array_equal(first.alpha, again.alpha)
    assert np.array_equal(first.foreground, again.foreground)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["decoder.conv4.bias", "aspp.convs.0.0.weight", "refiner.conv4.bias"])
def test_weights_that_are_no_numbers_give_an_error_and_never_a_picture(name, value, tmp_path):
    network = random_network()
    network.state_dict()[name].view(-1)[0] = value
    made = matting(tmp_path, network)
    with pytest.raises(EngineError, match=r"frame 9\b.*finite.*--device cpu$"):
        made(picture(1), picture(2), None, 9)


@pytest.mark.parametrize("forgotten", ["all", "one"])
def test_a_mistake_about_what_the_refiner_looks_at_gives_an_error_and_never_a_picture(forgotten, tmp_path, monkeypatch):
    needed = SparseWindows.find_needed_blocks

    def too_few(self: SparseWindows, row: Index, column: Index) -> NDArray[np.bool_]:
        found = needed(self, row, column)
        assert int(found.sum()) > 1
        found.reshape(-1)[np.flatnonzero(found)[0 if forgotten == "one" else slice(None)]] = False
        return found

    monkeypatch.setattr(SparseWindows, "find_needed_blocks", too_few)
    with pytest.raises(EngineError, match=r"frame 9\b.*finite"):
        matting(tmp_path, mode="full", scale=0.5)(picture(1), picture(2), None, 9)


@pytest.mark.parametrize("kernel", [None, 3])
@pytest.mark.parametrize("frame", [(64, 128), (96, 96), (160, 128), (96, 160)], ids=str)
def test_a_plate_of_another_size_is_an_error(tmp_path, frame, kernel):
    with pytest.raises(EngineError, match=r"failed.*frame 3\b"):
        matting(tmp_path, random_network(kernel))(picture(1), picture(2, frame), None, 3)


@pytest.mark.parametrize("frame", [(98, 128), (96, 130)], ids=str)
def test_sides_that_are_no_multiples_of_4_are_an_error(tmp_path, frame):
    """As in the published formulation, which has no other frames."""
    with pytest.raises(EngineError, match=r"failed.*frame 3\b"):
        matting(tmp_path)(picture(1, frame), picture(2, frame), None, 3)
