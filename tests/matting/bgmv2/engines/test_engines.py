"""What runs the network: the same maps from each."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from camdaemon.matting.bgmv2.cpu.hidden import BLOCK, HiddenFeatures
from camdaemon.matting.bgmv2.engines import openvino_engine
from camdaemon.matting.bgmv2.engines.conversion import Models, convert
from camdaemon.matting.bgmv2.engines.engine import Runtime
from camdaemon.matting.bgmv2.engines.openvino_engine import GraphSource, OpenVinoRuntime
from camdaemon.matting.bgmv2.engines.torch_engine import TorchRuntime
from camdaemon.matting.bgmv2.engines.windows import (
    describe,
    list_hidden_windows,
    list_refiner_windows,
    make_hidden,
    make_refiner,
)
from camdaemon.model.folding import fold_batch_norms
from camdaemon.model.network import MattingNetwork
from camdaemon.model.published import BackgroundMattingV2
from camdaemon.model.slim import SlimMatting

pytestmark = pytest.mark.usefixtures("one_thread")

SIZES = [(72, 128), (96, 88)]
BFLOAT16 = 0.04  # of the maps' standard deviation, on average: eight bits through sixty layers


def pictures(size: tuple[int, int], seed: int = 1) -> NDArray[np.uint8]:
    """Picture and plate, (h,w,6)."""
    return np.random.default_rng(seed).integers(0, 256, (*size, 6), np.uint8)


def pair(size: tuple[int, int], seed: int = 1) -> NDArray[np.float32]:
    return pictures(size, seed)[None] * np.float32(1 / 255)


def maps(network: BackgroundMattingV2, runtime: Runtime, size: tuple[int, int], seed: int = 1) -> NDArray[np.float32]:
    """All 37 maps: the five that are visible, and the hidden ones, made of the features everywhere."""
    found = runtime.build_base(size)(pair(size, seed))
    assert found.visible.shape == (*size, 5)
    assert found.features.shape == (size[0] // 2, size[1] // 2, 48)
    assert found.visible.dtype == found.features.dtype == np.float32
    made, both = HiddenFeatures(runtime.build_hidden(exact=False), size), pictures(size, seed)
    first, second = (made.pad(np.ascontiguousarray(each)) for each in (both[..., :3], both[..., 3:]))
    shown = made(found, first, second, np.ones([-(-side // BLOCK) for side in size], bool))
    return np.concatenate([found.visible, shown.values[shown.place][..., :32]], 2)


def exact(network: BackgroundMattingV2, size: tuple[int, int], seed: int = 1) -> NDArray[np.float32]:
    with torch.inference_mode():
        found = network.coarse(torch.from_numpy(pair(size, seed)).permute(0, 3, 1, 2))[0].permute(1, 2, 0)
        return torch.cat([found[..., :5], found[..., 5:].relu()], 2).numpy()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_torch_in_float32_is_the_network_itself(network, size):
    runtime = TorchRuntime(network, "float32")
    assert runtime.name == runtime.build_base(size).name == "torch float32"
    assert float(np.abs(maps(network, runtime, size) - exact(network, size)).max()) < 1e-5


def test_torch_in_bfloat16_is_near_and_leaves_the_network_alone(network):
    runtime = TorchRuntime(network, "bfloat16")
    assert runtime.name == "torch bfloat16"
    wanted = exact(network, SIZES[0])
    away = np.abs(maps(network, runtime, SIZES[0]) - wanted)
    assert 0 < float(away.mean()) < BFLOAT16 * float(wanted.std())
    assert {each.dtype for each in network.parameters()} == {torch.float32}


def test_torch_computes_with_the_threads_that_engines_are_to_use(network, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    TorchRuntime(network, "float32")
    assert torch.get_num_threads() == 2


# ---- OpenVINO


@pytest.fixture(scope="module")
def converted(network) -> Models:
    """The network, converted for real, which takes seconds."""
    return convert(network)


@pytest.fixture
def runtime(network, converted: Models) -> OpenVinoRuntime:
    return OpenVinoRuntime(GraphSource(describe(network), "mark", {}, dict(converted)), "float32")


def test_openvino_gives_the_same_maps_at_two_sizes_of_one_conversion(network, runtime):
    for seed in (1, 2):  # one after the other and again, so that neither has the other's buffers
        for size in SIZES:
            assert float(np.abs(maps(network, runtime, size, seed) - exact(network, size, seed)).max()) < 1e-3
    assert runtime.name == runtime.build_base(SIZES[0]).name == "openvino float32"
    assert sys.modules["openvino_telemetry"] is None, "nothing calls home"


@pytest.mark.parametrize("kind", ["torch", "openvino"])
def test_what_an_engine_is_given_stays_as_it_is_and_so_does_what_it_returned(network, runtime, kind):
    engine = (runtime if kind == "openvino" else TorchRuntime(network, "float32")).build_base(SIZES[0])
    given = pair(SIZES[0])
    first = engine(given)
    kept = [each.copy() for each in first]
    engine(pair(SIZES[0], 2))
    assert np.array_equal(given, pair(SIZES[0]))
    assert all(np.array_equal(*both) for both in zip(first, kept, strict=True))


@pytest.mark.parametrize("count", [1, 31, 32, 33, 70])
@pytest.mark.parametrize("are_exact", [False, True])
@pytest.mark.parametrize("part", ["refiner", "hidden"])
def test_any_number_of_windows_is_what_the_module_in_torch_makes_of_it(network, runtime, part, are_exact, count):
    shapes = list_refiner_windows(describe(network)) if part == "refiner" else list_hidden_windows()
    windows = draw_windows(shapes, count, floats=[1] if part == "refiner" else [0, 1], are_exact=are_exact)
    module = make_refiner(network) if part == "refiner" else make_hidden(network)
    with torch.inference_mode():
        wanted: Tensor = module(*(torch.from_numpy(each) for each in windows))
    for kind in (runtime, TorchRuntime(network, "float32")):
        build = kind.build_refiner if part == "refiner" else kind.build_hidden
        engine = build(exact=are_exact)
        found = engine(*windows)
        kept = found.copy()
        engine(*(each[::-1].copy() for each in windows))
        assert np.array_equal(found, kept), "what it returned stays as it is"
        np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5, rtol=0)


def draw_windows(
    shapes: list[tuple[int, int, int]], count: int, floats: list[int], *, are_exact: bool
) -> list[NDArray[np.uint8 | np.float32]]:
    """Two pictures, of floats where `are_exact` says so, and maps."""
    rng = np.random.default_rng(count)
    made: list[NDArray[np.uint8 | np.float32]] = []
    for number, shape in enumerate(shapes):
        if number >= 2:
            made.append(rng.standard_normal((count, *shape), np.float32))
        elif are_exact and number in floats:
            made.append(rng.random((count, *shape), np.float32) * np.float32(255))
        else:
            made.append(rng.integers(0, 256, (count, *shape), np.uint8))
    return made


@pytest.mark.parametrize("kernel", [None, 1])
def test_networks_with_other_refiners_or_none_have_graphs_too(kernel):
    torch.manual_seed(3)
    network: MattingNetwork = BackgroundMattingV2(kernel_size=kernel).eval()
    fold_batch_norms(network)
    made = convert(network.requires_grad_(False))
    assert list(made) == (["base"] if kernel is None else ["base", "refiner", "hidden"])
    if kernel == 1:
        runtime = OpenVinoRuntime(GraphSource(describe(network), "mark", {}, made), "float32")
        windows = draw_windows(list_refiner_windows(describe(network)), 3, [], are_exact=False)
        with torch.inference_mode():
            wanted = make_refiner(network)(*(torch.from_numpy(each) for each in windows)).numpy()
        np.testing.assert_allclose(runtime.build_refiner(exact=False)(*windows), wanted, atol=1e-5, rtol=0)


def test_the_slim_network_has_graphs_too():
    torch.manual_seed(3)
    network = SlimMatting().eval()
    fold_batch_norms(network)
    made = convert(network.requires_grad_(False))
    assert list(made) == ["base", "refiner"]
    runtime = OpenVinoRuntime(GraphSource(describe(network), "mark", {}, made), "float32")
    given = np.random.default_rng(1).random((1, 48, 64, 7), np.float32)
    found = runtime.build_base((48, 64))(given)
    with torch.inference_mode():
        wanted = network.maps(torch.from_numpy(given).permute(0, 3, 1, 2))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other[0].permute(1, 2, 0), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("offered", "flags", "has"),
    [
        (["FP32", "BF16"], {"avx512_bf16"}, True),
        (["FP32", "BF16"], {"amx_bf16", "avx512f"}, True),
        (["FP32", "BF16"], {"avx512f"}, False),
        (["FP32"], {"avx512_bf16"}, False),
    ],
)
def test_bfloat16_is_what_openvino_offers_and_the_processor_has(offered, flags, has, monkeypatch):
    """OpenVINO emulates it where there is AVX-512 without it, in many times the time."""

    class Core:
        def get_property(self, device: str, name: str) -> list[str]:
            assert (device, name) == ("CPU", "OPTIMIZATION_CAPABILITIES")
            return offered

    monkeypatch.setattr(openvino_engine, "read_flags", lambda: frozenset(flags))
    assert openvino_engine.has_bfloat16(Core()) is has
