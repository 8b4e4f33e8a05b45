"""What runs the base network: the same maps from each."""

from __future__ import annotations

import os
import sys
import warnings
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from camdaemon.frames import pixels
from camdaemon.matting.bgmv2.cpu.hidden import BLOCK, HiddenFeatures
from camdaemon.matting.bgmv2.engines.dense import DenseBase
from camdaemon.matting.bgmv2.engines.factory import BaseEngine, BaseEngineFactory, has_bfloat16
from camdaemon.matting.bgmv2.engines.torch_engine import TorchEngineFactory
from camdaemon.model import BackgroundMattingV2

pytestmark = pytest.mark.usefixtures("one_thread")

SIZES = [(72, 128), (96, 88)]
BFLOAT16 = 0.04  # of the maps' standard deviation, on average: eight bits through sixty layers


def pair(size: tuple[int, int], seed: int = 1) -> Tensor:
    made = np.random.default_rng(seed).integers(0, 256, (*size, 6), np.uint8)
    return pixels.unit(pixels.tensor(made)).contiguous(memory_format=torch.channels_last)


def maps(network: BackgroundMattingV2, engine: BaseEngine, size: tuple[int, int], seed: int = 1) -> Tensor:
    """All 37 maps: the five that are visible, and the hidden ones, made of the features everywhere."""
    made, given = HiddenFeatures(network.decoder, torch.float32, size), pair(size, seed)
    with torch.inference_mode():
        found = engine(given)
        assert found.visible.shape == (*size, 5)
        assert found.features.shape == (*(-(-side // 2) for side in size), 48)
        both = (255 * given[0]).round().byte().permute(1, 2, 0).numpy()
        first, second = (made.pad(np.ascontiguousarray(each)) for each in (both[..., :3], both[..., 3:]))
        shown = made(found, first, second, torch.ones([-(-side // BLOCK) for side in size], dtype=torch.bool))
        return torch.cat([found.visible.float(), shown.values[shown.place][..., :32]], 2)


def exact(network: BackgroundMattingV2, size: tuple[int, int], seed: int = 1) -> Tensor:
    with torch.inference_mode():
        found = network.coarse(pair(size, seed))[0].permute(1, 2, 0)
        return torch.cat([found[..., :5], found[..., 5:].relu()], 2)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_torch_in_float32_is_the_network_itself(network, size):
    engine = TorchEngineFactory(network, torch.float32).build(size)
    assert (engine.name, engine.dtype) == ("torch float32", torch.float32)
    assert float((maps(network, engine, size) - exact(network, size)).abs().max()) < 1e-5


def test_torch_in_bfloat16_is_near_and_leaves_the_network_alone(network):
    engine = TorchEngineFactory(network, torch.bfloat16).build(SIZES[0])
    assert (engine.name, engine.dtype) == ("torch bfloat16", torch.bfloat16)
    wanted = exact(network, SIZES[0])
    away = (maps(network, engine, SIZES[0]) - wanted).abs()
    assert 0 < float(away.mean()) < BFLOAT16 * float(wanted.std())
    assert {each.dtype for each in network.parameters()} == {torch.float32}


def test_what_an_engine_is_given_stays_as_it_is(network):
    given = pair(SIZES[0])
    for dtype in (torch.float32, torch.bfloat16):
        with torch.inference_mode():
            TorchEngineFactory(network, dtype).build(SIZES[0])(given)
        assert torch.equal(given, pair(SIZES[0]))


# ---- OpenVINO


@pytest.fixture(scope="module")
def converted(network) -> object:
    """The network, converted for real, which takes seconds."""
    pytest.importorskip("openvino", reason="OpenVINO is not installed; type: pip install 'camdaemon[openvino]'")
    from camdaemon.matting.bgmv2.engines import openvino_engine

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*torch.jit", DeprecationWarning)  # how it reads a network of torch
        return openvino_engine.convert(DenseBase(network, even=True).eval())


@pytest.fixture
def conversions(network, converted, monkeypatch) -> list[DenseBase]:
    """The networks that were converted."""
    from camdaemon.matting.bgmv2.engines import openvino_engine

    made: list[DenseBase] = []
    convert = openvino_engine.convert

    def counted(given: DenseBase) -> object:
        made.append(given)
        return converted.clone() if given.backbone is network.backbone else convert(given)

    monkeypatch.setattr(openvino_engine, "convert", counted)
    return made


def kept() -> list[Path]:
    """Files of converted networks."""
    return sorted(Path(os.environ["XDG_CACHE_HOME"]).rglob("openvino/*"))


def test_openvino_gives_the_same_maps_at_two_sizes_of_one_conversion(network, conversions):
    bases = BaseEngineFactory(network, "openvino", "float32")
    made = [bases.build(size) for size in SIZES]
    assert {each.name for each in made} == {"openvino float32"}
    assert {each.dtype for each in made} == {torch.float32}
    for seed in (1, 2):  # one after the other and again, so that neither has the other's buffers
        for engine, size in zip(made, SIZES, strict=True):
            assert float((maps(network, engine, size, seed) - exact(network, size, seed)).abs().max()) < 1e-3
    assert len(conversions) == 1
    assert sys.modules["openvino_telemetry"] is None, "nothing calls home"


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_the_next_start_converts_nothing_and_other_weights_are_another_network(network, conversions):
    first = maps(network, BaseEngineFactory(network, "openvino", "float32").build(SIZES[0]), SIZES[0])
    assert [each.suffix for each in kept()] == [".bin", ".xml"]
    second = maps(network, BaseEngineFactory(network, "openvino", "float32").build(SIZES[0]), SIZES[0])
    assert len(conversions) == 1
    assert float((first - second).abs().max()) < 1e-5
    other = deepcopy(network)
    with torch.no_grad():
        other.decoder.conv4.bias[0] += 1
    found = maps(other, BaseEngineFactory(other, "openvino", "float32").build(SIZES[0]), SIZES[0])
    assert len(conversions) == 2
    assert float((found - exact(other, SIZES[0])).abs().max()) < 1e-3


@pytest.mark.parametrize("suffix", [".bin", ".xml"])
@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[: len(data) // 2]], ids=["empty", "cut"])
def test_a_cached_network_that_is_cut_is_converted_again(network, conversions, suffix, damage):
    BaseEngineFactory(network, "openvino", "float32").build(SIZES[0])
    (broken,) = (each for each in kept() if each.suffix == suffix)
    broken.write_bytes(damage(broken.read_bytes()))
    for _ in range(2):  # the second time from what was made anew
        found = maps(network, BaseEngineFactory(network, "openvino", "float32").build(SIZES[0]), SIZES[0])
        assert float((found - exact(network, SIZES[0])).abs().max()) < 1e-3
    assert len(conversions) == 2


def test_without_room_for_the_cache_it_works_all_the_same(network, conversions, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    found = maps(network, BaseEngineFactory(network, "openvino", "float32").build(SIZES[0]), SIZES[0])
    assert float((found - exact(network, SIZES[0])).abs().max()) < 1e-3
    assert len(conversions) == 1


def test_openvino_does_not_call_float32_bfloat16(network, converted):
    made = BaseEngineFactory(network, "openvino", "auto")
    if has_bfloat16():
        pytest.skip("this processor has bfloat16")
    assert made.build(SIZES[0]).name == "openvino float32"
    from camdaemon.matting.bgmv2.engines.openvino_engine import OpenVinoEngineFactory

    with pytest.raises(RuntimeError, match="no bfloat16"):
        OpenVinoEngineFactory(network).build(SIZES[0], torch.bfloat16)
