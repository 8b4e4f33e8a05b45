"""Which engine runs the base network: the fastest is chosen once, and none that fails."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from camdaemon.errors import ConfigError
from camdaemon.matting.bgmv2.engines import cache, factory
from camdaemon.matting.bgmv2.engines.dense import BaseMaps
from camdaemon.matting.bgmv2.engines.factory import BaseEngineFactory
from camdaemon.model import BackgroundMattingV2

pytestmark = pytest.mark.usefixtures("one_thread")


@dataclass
class Machine:
    """A clock that only engines move. took: ms of each by name; raises: what one does instead, and when."""

    took: dict[str, float]
    raises: dict[str, Exception]
    now: float = 0.0
    made: list[tuple[str, tuple[int, int]]] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)

    def perf_counter(self) -> float:
        return self.now


class Stand:
    """An engine that takes its time on the machine's clock."""

    def __init__(self, machine: Machine, name: str, dtype: torch.dtype, size: tuple[int, int] = (0, 0)) -> None:
        if f"make {name}" in machine.raises:
            raise machine.raises[f"make {name}"]
        machine.made.append((name, size))
        self.name, self.dtype, self.runs, self._machine = name, dtype, 0, machine

    def __call__(self, given: Tensor) -> BaseMaps:
        assert given.shape[:2] == (1, 6)
        assert given.is_contiguous(memory_format=torch.channels_last)
        self.runs += 1
        if self.name in self._machine.raises:
            raise self._machine.raises[self.name]
        self._machine.now += self._machine.took[self.name] / 1e3 * (5 if self.runs == 1 else 1)  # the first is slow
        height, width = given.shape[2:]
        return BaseMaps(torch.zeros(height, width, 5), torch.zeros(height // 2, width // 2, 48))


@pytest.fixture
def machine(monkeypatch) -> Machine:
    """torch float32 takes 30 ms, torch bfloat16 20; OpenVINO is not installed."""
    made = Machine({"torch float32": 30.0, "torch bfloat16": 20.0}, {}, made=[])
    monkeypatch.setattr(factory, "time", made)
    monkeypatch.setattr(factory, "find_spec", lambda name: None)
    monkeypatch.setattr(factory, "has_bfloat16", lambda: True)
    monkeypatch.setattr(
        factory,
        "TorchEngineFactory",
        lambda network, dtype: SimpleNamespace(
            build=lambda size: Stand(made, f"torch {str(dtype).removeprefix('torch.')}", dtype)
        ),
    )
    return made


@pytest.mark.parametrize("times", [(30.0, 20.0), (20.0, 30.0)])
def test_the_fastest_is_chosen(network, machine, times, caplog):
    machine.took = dict(zip(("torch float32", "torch bfloat16"), times, strict=True))
    with caplog.at_level(logging.INFO):
        chosen = BaseEngineFactory(network, "auto", "auto").build((90, 160))
    assert chosen.name == min(machine.took, key=machine.took.__getitem__)
    for name, took in machine.took.items():
        assert re.search(rf"{name}\b.* {took:.1f} ms.*160x90", caplog.text), "the slow first run does not count"


def test_the_second_size_uses_the_first_ones_kind_without_measuring(network, machine):
    bases = BaseEngineFactory(network, "auto", "auto")
    assert bases.build((90, 160)).name == "torch bfloat16"
    machine.made.clear()
    machine.took = {"torch float32": 1.0, "torch bfloat16": 900.0}
    before = machine.now
    second = bases.build((180, 320))
    assert second.name == "torch bfloat16"
    assert [name for name, _ in machine.made] == ["torch bfloat16"]
    assert isinstance(second, Stand)
    assert (second.runs, machine.now) == (0, before)


@pytest.mark.parametrize(
    ("precision", "name"), [("float32", "torch float32"), ("bfloat16", "torch bfloat16"), ("auto", "torch bfloat16")]
)
def test_the_precision_is_obeyed(network, machine, precision, name):
    assert BaseEngineFactory(network, "torch", precision).build((90, 160)).name == name


def test_a_processor_without_bfloat16_is_not_asked_for_it(network, machine, monkeypatch):
    """It would do it, in twenty times the time: seconds of each start, and of each frame if OpenVINO called it that."""
    with_openvino(monkeypatch, machine)
    monkeypatch.setattr(factory, "has_bfloat16", lambda: False)
    assert BaseEngineFactory(network, "auto", "auto").build((90, 160)).name == "openvino float32"
    assert {name for name, _ in machine.made} == {"torch float32", "openvino float32"}
    with pytest.raises(ConfigError, match=r"bfloat16.*processor.*--precision auto$"):
        BaseEngineFactory(network, "auto", "bfloat16")


@pytest.mark.parametrize("when", ["torch bfloat16", "make torch bfloat16"])
@pytest.mark.parametrize("error", [RuntimeError("this processor has no bfloat16"), OSError("libtbb.so is missing")])
def test_one_that_fails_is_left_out(network, machine, when, error, caplog):
    machine.raises[when] = error
    bases = BaseEngineFactory(network, "auto", "auto")
    with caplog.at_level(logging.INFO):
        assert bases.build((90, 160)).name == "torch float32"
    assert str(error) in caplog.text
    assert bases.build((45, 80)).name == "torch float32", "and is not tried again"


def test_when_all_fail_it_is_an_error(network, machine):
    machine.raises = {name: RuntimeError(f"{name} is broken") for name in machine.took}
    with pytest.raises(RuntimeError, match=r"no engine.*torch \w+ is broken"):
        BaseEngineFactory(network, "auto", "auto").build((90, 160))
    assert {name for name, _ in machine.made} == set(machine.took), "both were tried"


def test_openvino_that_is_not_installed_says_what_to_type(network, machine):
    with pytest.raises(ConfigError, match=re.escape("pip install 'camdaemon[openvino]'") + ".*--engine torch") as wrong:
        BaseEngineFactory(network, "openvino", "auto")
    assert wrong.value.exit_code == 2


def with_openvino(monkeypatch, machine: Machine) -> None:
    """OpenVINO, installed; 5 ms, in int8 4, on a GPU 3."""
    machine.took["openvino float32"] = machine.took["openvino bfloat16"] = 5.0
    machine.took |= {"openvino int8": 4.0, "openvino GPU": 3.0}

    class OpenVinoEngineFactory:
        def __init__(self, network: BackgroundMattingV2, int8: Path | None) -> None:
            if "make openvino" in machine.raises:
                raise machine.raises["make openvino"]

        def list_devices(self) -> list[str]:
            return machine.devices

        def build_int8(self, size: tuple[int, int], dtype: torch.dtype) -> Stand:
            return Stand(machine, "openvino int8", dtype, size)

        def build_on(self, device: str, size: tuple[int, int], dtype: torch.dtype) -> Stand:
            return Stand(machine, f"openvino {device}", dtype, size)

        def build(self, size: tuple[int, int], dtype: torch.dtype) -> Stand:
            return Stand(machine, f"openvino {str(dtype).removeprefix('torch.')}", dtype, size)

    monkeypatch.setattr(factory, "find_spec", lambda name: object())
    monkeypatch.setitem(
        sys.modules,
        "camdaemon.matting.bgmv2.engines.openvino_engine",
        SimpleNamespace(OpenVinoEngineFactory=OpenVinoEngineFactory),
    )


def test_openvino_is_measured_with_the_others(network, machine, monkeypatch):
    with_openvino(monkeypatch, machine)
    bases = BaseEngineFactory(network, "auto", "float32")
    assert bases.build((90, 160)).name == "openvino float32"
    assert bases.build((45, 80)).name == "openvino float32"
    assert [each for each in machine.made if each[0] == "openvino float32"] == [
        ("openvino float32", (90, 160)),
        ("openvino float32", (45, 80)),
    ]


def test_an_openvino_that_fails_leaves_torch(network, machine, monkeypatch):
    with_openvino(monkeypatch, machine)
    machine.raises = {"openvino float32": RuntimeError("no kernel"), "make openvino bfloat16": RuntimeError("no AMX")}
    assert BaseEngineFactory(network, "auto", "auto").build((90, 160)).name == "torch bfloat16"


INT8 = Path("weights-int8.xml")


def test_int8_is_measured_with_the_others_where_the_weights_have_it(network, machine, monkeypatch):
    with_openvino(monkeypatch, machine)
    engine = BaseEngineFactory(network, "auto", "auto", INT8).build((90, 160))
    assert (engine.name, engine.dtype) == ("openvino int8", torch.bfloat16), "what is not int8 is as fast as it can be"
    assert BaseEngineFactory(network, "auto", "auto").build((90, 160)).name.startswith("openvino float32")
    machine.took["openvino int8"] = 6.0
    assert BaseEngineFactory(network, "auto", "auto", INT8).build((45, 80)).name == "openvino float32"
    assert BaseEngineFactory(network, "openvino", "int8", INT8).build((45, 80)).name == "openvino int8", "asked for"
    assert BaseEngineFactory(network, "auto", "float32", INT8).build((45, 80)).name == "openvino float32"


def test_int8_that_cannot_be_had_says_why(network, machine, monkeypatch):
    with pytest.raises(ConfigError, match=r"OpenVINO is not installed.*--precision auto$"):
        BaseEngineFactory(network, "auto", "int8", INT8)
    with_openvino(monkeypatch, machine)
    with pytest.raises(ConfigError, match=r"int8: these weights have no int8 file.*--precision auto$"):
        BaseEngineFactory(network, "auto", "int8")
    with pytest.raises(ConfigError, match=r"int8: it is OpenVINO's.*--engine auto"):
        BaseEngineFactory(network, "torch", "int8", INT8)


def test_a_device_is_chosen_where_it_is_faster(network, machine, monkeypatch):
    with_openvino(monkeypatch, machine)
    machine.devices = ["GPU"]
    assert BaseEngineFactory(network, "auto", "auto", INT8).build((90, 160)).name == "openvino GPU"
    machine.took["openvino GPU"] = 6.0
    assert BaseEngineFactory(network, "auto", "auto", INT8).build((45, 80)).name == "openvino int8"
    machine.raises["openvino GPU"] = RuntimeError("its maps differ")
    assert BaseEngineFactory(network, "auto", "auto", INT8).build((90, 160)).name == "openvino int8"
    assert BaseEngineFactory(network, "openvino", "auto").build((90, 160)).name == "openvino float32", "on the CPU"


@pytest.mark.parametrize("error", [ImportError("libopenvino.so: cannot open shared object file"), RuntimeError("no")])
def test_an_openvino_that_does_not_even_load_leaves_torch(network, machine, monkeypatch, error):
    with_openvino(monkeypatch, machine)
    machine.raises = {"make openvino": error}
    assert BaseEngineFactory(network, "auto", "auto").build((90, 160)).name == "torch bfloat16"


# ---- remembered


def test_the_next_start_takes_the_fastest_without_measuring(network, machine, caplog):
    BaseEngineFactory(network, "auto", "auto").build((90, 160))
    machine.made.clear()
    machine.took = {"torch float32": 1.0, "torch bfloat16": 900.0}
    engine = BaseEngineFactory(network, "auto", "auto").build((90, 160))
    assert isinstance(engine, Stand)
    assert (engine.name, engine.runs) == ("torch bfloat16", 1), "once, to see that it runs"
    assert [name for name, _ in machine.made] == ["torch bfloat16"]


def test_the_fastest_is_cached_for_this_size_these_engines_and_a_week(network, machine, monkeypatch):
    def measures(size: tuple[int, int], precision: str = "auto") -> bool:
        machine.made.clear()
        BaseEngineFactory(network, "auto", precision).build(size)
        return len(machine.made) > 1

    assert measures((90, 160))
    assert not measures((90, 160))
    assert measures((45, 80)), "another size"
    assert not measures((90, 160)), "beside the first"
    with_openvino(monkeypatch, machine)
    assert measures((45, 80)), "another engine"
    assert not measures((45, 80))
    later = time.time() + 8 * 86400
    monkeypatch.setattr(cache, "time", SimpleNamespace(time=lambda: later))
    assert measures((45, 80)), "another week"
    assert not measures((45, 80))


def test_a_cached_engine_that_fails_by_now_is_measured_again(network, machine):
    BaseEngineFactory(network, "auto", "auto").build((90, 160))
    machine.raises["torch bfloat16"] = RuntimeError("libgomp is gone")
    assert BaseEngineFactory(network, "auto", "auto").build((90, 160)).name == "torch float32"
    machine.raises.clear()
    assert BaseEngineFactory(network, "auto", "auto").build((90, 160)).name == "torch float32", "and that is cached"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"MARK": 1}', '{"MARK": ["torch bfloat16", "x"]}', '{"MARK": ["tensorflow", 9e9]}']
)
def test_a_file_of_something_else_is_no_memory(network, machine, text):
    BaseEngineFactory(network, "auto", "auto").build((90, 160))
    kept = cache.cache_file()
    (mark,) = json.loads(kept.read_text())
    kept.write_text(text.replace("MARK", mark))
    machine.took = {"torch float32": 1.0, "torch bfloat16": 900.0}
    assert BaseEngineFactory(network, "auto", "auto").build((90, 160)).name == "torch float32"


def test_where_nothing_can_be_kept_each_start_measures(network, machine, monkeypatch, caplog):
    cache.cache_file().parent.parent.mkdir(parents=True)
    cache.cache_file().parent.write_text("in the way")
    with caplog.at_level(logging.INFO):
        assert BaseEngineFactory(network, "auto", "auto").build((90, 160)).name == "torch bfloat16"
    assert "not cached" in caplog.text
