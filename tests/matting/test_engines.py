"""What runs the base network: the same maps from each, the fastest of them chosen once, and none that fails."""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from camdaemon import levels
from camdaemon.errors import ConfigError
from camdaemon.matting import engines
from camdaemon.matting.engines import BaseEngine, BaseEngines, TorchBase, has_bfloat16
from camdaemon.matting.hidden import BLOCK, Everywhere, HiddenFeatures, Maps
from camdaemon.model import BackgroundMattingV2

pytestmark = pytest.mark.usefixtures("one_thread")

SIZES = [(72, 128), (96, 88)]
BFLOAT16 = 0.04  # of the maps' standard deviation, on average: eight bits through sixty layers


def pair(size: tuple[int, int], seed: int = 1) -> Tensor:
    made = np.random.default_rng(seed).integers(0, 256, (*size, 6), np.uint8)
    return levels.unit(levels.tensor(made)).contiguous(memory_format=torch.channels_last)


def maps(network: BackgroundMattingV2, engine: BaseEngine, size: tuple[int, int], seed: int = 1) -> Tensor:
    """All 37 maps: the five that are visible, and the hidden ones, made of the features everywhere."""
    made, given = HiddenFeatures(network.decoder, torch.float32, size), pair(size, seed)
    with torch.inference_mode():
        found = engine(given)
        assert found.visible.shape == (*size, 5)
        assert found.features.shape == (*(-(-side // 2) for side in size), 48)
        both = (255 * given[0]).round().byte().permute(1, 2, 0).numpy()
        pictures = (made.padded(np.ascontiguousarray(each)) for each in (both[..., :3], both[..., 3:]))
        shown = made(found, *pictures, torch.ones([-(-side // BLOCK) for side in size], dtype=bool))
        return torch.cat([found.visible.float(), shown.values[shown.place][..., :32]], 2)


def exact(network: BackgroundMattingV2, size: tuple[int, int], seed: int = 1) -> Tensor:
    with torch.inference_mode():
        found = network.coarse(pair(size, seed))[0].permute(1, 2, 0)
        return torch.cat([found[..., :5], found[..., 5:].relu()], 2)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_torch_in_float32_is_the_network_itself(network, size):
    engine = TorchBase(network, torch.float32, size)
    assert (engine.name, engine.dtype) == ("torch float32", torch.float32)
    assert float((maps(network, engine, size) - exact(network, size)).abs().max()) < 1e-5


def test_torch_in_bfloat16_is_near_and_leaves_the_network_alone(network):
    engine = TorchBase(network, torch.bfloat16, SIZES[0])
    assert (engine.name, engine.dtype) == ("torch bfloat16", torch.bfloat16)
    wanted = exact(network, SIZES[0])
    away = (maps(network, engine, SIZES[0]) - wanted).abs()
    assert 0 < float(away.mean()) < BFLOAT16 * float(wanted.std())
    assert {each.dtype for each in network.parameters()} == {torch.float32}


def test_what_an_engine_is_given_stays_as_it_is(network):
    given = pair(SIZES[0])
    for dtype in (torch.float32, torch.bfloat16):
        with torch.inference_mode():
            TorchBase(network, dtype, SIZES[0])(given)
        assert torch.equal(given, pair(SIZES[0]))


# ---- OpenVINO


@pytest.fixture(scope="module")
def converted(network) -> object:
    """The network, converted for real, which takes seconds."""
    pytest.importorskip("openvino", reason="OpenVINO is not installed; type: pip install 'camdaemon[openvino]'")
    from camdaemon.matting import openvino_engine

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*torch.jit", DeprecationWarning)  # how it reads a network of torch
        return openvino_engine._converted(Everywhere(network, even=True).eval())


@pytest.fixture
def conversions(network, converted, monkeypatch) -> list[Everywhere]:
    """The networks that were converted."""
    from camdaemon.matting import openvino_engine

    made: list[Everywhere] = []
    convert = openvino_engine._converted

    def counted(given: Everywhere) -> object:
        made.append(given)
        return converted.clone() if given.backbone is network.backbone else convert(given)

    monkeypatch.setattr(openvino_engine, "_converted", counted)
    return made


def kept() -> list[Path]:
    """Files of converted networks."""
    return sorted(Path(os.environ["XDG_CACHE_HOME"]).rglob("openvino/*"))


def test_openvino_gives_the_same_maps_at_two_sizes_of_one_conversion(network, conversions):
    bases = BaseEngines(network, "openvino", "float32")
    made = [bases.at(size) for size in SIZES]
    assert {each.name for each in made} == {"openvino float32"}
    assert {each.dtype for each in made} == {torch.float32}
    for seed in (1, 2):  # one after the other and again, so that neither has the other's buffers
        for engine, size in zip(made, SIZES, strict=True):
            assert float((maps(network, engine, size, seed) - exact(network, size, seed)).abs().max()) < 1e-3
    assert len(conversions) == 1
    assert sys.modules["openvino_telemetry"] is None, "nothing calls home"


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_the_next_start_converts_nothing_and_other_weights_are_another_network(network, conversions):
    first = maps(network, BaseEngines(network, "openvino", "float32").at(SIZES[0]), SIZES[0])
    assert [each.suffix for each in kept()] == [".bin", ".xml"]
    second = maps(network, BaseEngines(network, "openvino", "float32").at(SIZES[0]), SIZES[0])
    assert len(conversions) == 1
    assert float((first - second).abs().max()) < 1e-5
    other = deepcopy(network)
    with torch.no_grad():
        other.decoder.conv4.bias[0] += 1
    found = maps(other, BaseEngines(other, "openvino", "float32").at(SIZES[0]), SIZES[0])
    assert len(conversions) == 2
    assert float((found - exact(other, SIZES[0])).abs().max()) < 1e-3


@pytest.mark.parametrize("suffix", [".bin", ".xml"])
@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[: len(data) // 2]], ids=["empty", "cut"])
def test_a_kept_network_that_is_cut_is_made_anew(network, conversions, suffix, damage):
    BaseEngines(network, "openvino", "float32").at(SIZES[0])
    (broken,) = (each for each in kept() if each.suffix == suffix)
    broken.write_bytes(damage(broken.read_bytes()))
    for _ in range(2):  # the second time from what was made anew
        found = maps(network, BaseEngines(network, "openvino", "float32").at(SIZES[0]), SIZES[0])
        assert float((found - exact(network, SIZES[0])).abs().max()) < 1e-3
    assert len(conversions) == 2


def test_without_room_for_the_cache_it_works_all_the_same(network, conversions, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    found = maps(network, BaseEngines(network, "openvino", "float32").at(SIZES[0]), SIZES[0])
    assert float((found - exact(network, SIZES[0])).abs().max()) < 1e-3
    assert len(conversions) == 1


# ---- which one


@dataclass
class Machine:
    """A clock that only engines move. took: ms of each by name; raises: what one does instead, and when."""

    took: dict[str, float]
    raises: dict[str, Exception]
    now: float = 0.0
    made: list[tuple[str, tuple[int, int]]] | None = None

    def perf_counter(self) -> float:
        return self.now


class Stand:
    """An engine that takes its time on the machine's clock."""

    def __init__(self, machine: Machine, name: str, dtype: torch.dtype, size: tuple[int, int] = (0, 0)) -> None:
        if f"make {name}" in machine.raises:
            raise machine.raises[f"make {name}"]
        machine.made.append((name, size))
        self.name, self.dtype, self.runs, self._machine = name, dtype, 0, machine

    def __call__(self, given: Tensor) -> Maps:
        assert given.shape[:2] == (1, 6)
        assert given.is_contiguous(memory_format=torch.channels_last)
        self.runs += 1
        if self.name in self._machine.raises:
            raise self._machine.raises[self.name]
        self._machine.now += self._machine.took[self.name] / 1e3 * (5 if self.runs == 1 else 1)  # the first is slow
        height, width = given.shape[2:]
        return Maps(torch.zeros(height, width, 5), torch.zeros(height // 2, width // 2, 48))


@pytest.fixture
def machine(monkeypatch) -> Machine:
    """torch float32 takes 30 ms, torch bfloat16 20; OpenVINO is not installed."""
    made = Machine({"torch float32": 30.0, "torch bfloat16": 20.0}, {}, made=[])
    monkeypatch.setattr(engines, "time", made)
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    monkeypatch.setattr(engines, "has_bfloat16", lambda: True)
    monkeypatch.setattr(
        engines,
        "TorchBase",
        lambda network, dtype, size: Stand(made, f"torch {str(dtype).removeprefix('torch.')}", dtype),
    )
    return made


@pytest.mark.parametrize("times", [(30.0, 20.0), (20.0, 30.0)])
def test_the_fastest_is_chosen(network, machine, times, caplog):
    machine.took = dict(zip(("torch float32", "torch bfloat16"), times, strict=True))
    with caplog.at_level(logging.INFO):
        chosen = BaseEngines(network, "auto", "auto").at((90, 160))
    assert chosen.name == min(machine.took, key=machine.took.__getitem__)
    for name, took in machine.took.items():
        assert f"{name}: {took:.1f} ms for 160x90" in caplog.text, "the slow first run does not count"


def test_the_second_size_uses_the_first_ones_kind_without_measuring(network, machine):
    bases = BaseEngines(network, "auto", "auto")
    assert bases.at((90, 160)).name == "torch bfloat16"
    machine.made.clear()
    machine.took = {"torch float32": 1.0, "torch bfloat16": 900.0}
    before = machine.now
    second = bases.at((180, 320))
    assert second.name == "torch bfloat16"
    assert [name for name, _ in machine.made] == ["torch bfloat16"]
    assert (second.runs, machine.now) == (0, before)


@pytest.mark.parametrize(
    ("precision", "name"), [("float32", "torch float32"), ("bfloat16", "torch bfloat16"), ("auto", "torch bfloat16")]
)
def test_the_precision_is_obeyed(network, machine, precision, name):
    assert BaseEngines(network, "torch", precision).at((90, 160)).name == name


def test_a_processor_without_bfloat16_is_not_asked_for_it(network, machine, monkeypatch):
    """It would do it, in twenty times the time: seconds of each start, and of each frame if OpenVINO called it that."""
    with_openvino(monkeypatch, machine)
    monkeypatch.setattr(engines, "has_bfloat16", lambda: False)
    assert BaseEngines(network, "auto", "auto").at((90, 160)).name == "openvino float32"
    assert {name for name, _ in machine.made} == {"torch float32", "openvino float32"}
    with pytest.raises(ConfigError, match=r"precision bfloat16: this processor .* try --precision auto$"):
        BaseEngines(network, "auto", "bfloat16")


def test_openvino_does_not_call_float32_bfloat16(network, converted):
    made = BaseEngines(network, "openvino", "auto")
    if has_bfloat16():
        pytest.skip("this processor has bfloat16")
    assert made.at(SIZES[0]).name == "openvino float32"
    from camdaemon.matting.openvino_engine import OpenVino

    with pytest.raises(RuntimeError, match="no bfloat16"):
        OpenVino(network).at(SIZES[0], torch.bfloat16)


@pytest.mark.parametrize("when", ["torch bfloat16", "make torch bfloat16"])
@pytest.mark.parametrize("error", [RuntimeError("this processor has no bfloat16"), OSError("libtbb.so is missing")])
def test_one_that_fails_is_left_out(network, machine, when, error, caplog):
    machine.raises[when] = error
    bases = BaseEngines(network, "auto", "auto")
    with caplog.at_level(logging.INFO):
        assert bases.at((90, 160)).name == "torch float32"
    assert str(error) in caplog.text
    assert bases.at((45, 80)).name == "torch float32", "and is not tried again"


def test_when_all_fail_it_is_an_error(network, machine):
    machine.raises = {name: RuntimeError(f"{name} is broken") for name in machine.took}
    with pytest.raises(RuntimeError, match=r"no engine runs the network: torch \w+ is broken"):
        BaseEngines(network, "auto", "auto").at((90, 160))
    assert {name for name, _ in machine.made} == set(machine.took), "both were tried"


def test_openvino_that_is_not_installed_says_what_to_type(network, machine):
    with pytest.raises(ConfigError, match=re.escape("pip install 'camdaemon[openvino]', or: --engine torch")) as wrong:
        BaseEngines(network, "openvino", "auto")
    assert wrong.value.exit_code == 2


def with_openvino(monkeypatch, machine: Machine) -> None:
    """OpenVINO, installed; 5 ms."""
    machine.took["openvino float32"] = machine.took["openvino bfloat16"] = 5.0

    class OpenVino:
        def __init__(self, network: BackgroundMattingV2) -> None:
            if "make openvino" in machine.raises:
                raise machine.raises["make openvino"]

        def at(self, size: tuple[int, int], dtype: torch.dtype) -> Stand:
            return Stand(machine, f"openvino {str(dtype).removeprefix('torch.')}", dtype, size)

    monkeypatch.setattr(engines, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "camdaemon.matting.openvino_engine", SimpleNamespace(OpenVino=OpenVino))


def test_openvino_is_measured_with_the_others(network, machine, monkeypatch):
    with_openvino(monkeypatch, machine)
    bases = BaseEngines(network, "auto", "float32")
    assert bases.at((90, 160)).name == "openvino float32"
    assert bases.at((45, 80)).name == "openvino float32"
    assert [each for each in machine.made if each[0] == "openvino float32"] == [
        ("openvino float32", (90, 160)),
        ("openvino float32", (45, 80)),
    ]


def test_an_openvino_that_fails_leaves_torch(network, machine, monkeypatch):
    with_openvino(monkeypatch, machine)
    machine.raises = {"openvino float32": RuntimeError("no kernel"), "make openvino bfloat16": RuntimeError("no AMX")}
    assert BaseEngines(network, "auto", "auto").at((90, 160)).name == "torch bfloat16"


@pytest.mark.parametrize("error", [ImportError("libopenvino.so: cannot open shared object file"), RuntimeError("no")])
def test_an_openvino_that_does_not_even_load_leaves_torch(network, machine, monkeypatch, error):
    with_openvino(monkeypatch, machine)
    machine.raises = {"make openvino": error}
    assert BaseEngines(network, "auto", "auto").at((90, 160)).name == "torch bfloat16"
