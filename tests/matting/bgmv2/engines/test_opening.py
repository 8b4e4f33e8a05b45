"""Which engines there are for a file of weights, and what is said where there is none."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from camdaemon.errors import ConfigError
from camdaemon.matting.bgmv2.engines import conversion, opening, openvino_devices, openvino_engine, torch_engine
from camdaemon.matting.bgmv2.engines.factory import EngineFactory
from camdaemon.matting.bgmv2.engines.opening import open_engines
from camdaemon.matting.bgmv2.weights import find_weights, load_file
from camdaemon.model.folding import fold_batch_norms
from camdaemon.model.layout import NetworkLayout
from camdaemon.model.slim import SlimMatting

pytestmark = pytest.mark.usefixtures("one_thread")

SIZE = (48, 64)


def names_of(engines: EngineFactory) -> list[str]:
    return [each.name for each in engines._runtimes]


@pytest.fixture
def missing(monkeypatch) -> set[str]:
    """Packages that are not installed: none yet."""
    made = set[str]()
    monkeypatch.setattr(opening, "find_spec", lambda name: None if name in made else object())
    return made


@pytest.fixture(autouse=True)
def has_bfloat16(monkeypatch) -> None:
    for module in (openvino_engine, torch_engine):
        monkeypatch.setattr(module, "has_bfloat16", lambda *_: True)
    monkeypatch.setattr(openvino_devices, "list_usable", lambda core: ["GPU"])


CHOICES = [
    ("auto", "auto", ["openvino float32", "openvino bfloat16", "openvino int8", "openvino GPU"]),
    ("openvino", "auto", ["openvino float32", "openvino bfloat16", "openvino int8"]),
    ("auto", "float32", ["openvino float32"]),
    ("openvino", "bfloat16", ["openvino bfloat16"]),
    ("auto", "int8", ["openvino int8"]),
    ("torch", "auto", ["torch float32", "torch bfloat16"]),
    ("torch", "float32", ["torch float32"]),
]


@pytest.mark.parametrize(("engine", "precision", "found"), CHOICES)
def test_what_is_asked_for_is_offered_and_devices_where_the_choice_is_ours(engine, precision, found):
    assert names_of(open_engines(find_weights("slim"), engine, precision)) == found


def test_weights_without_int8_are_not_offered_in_it():
    assert "openvino int8" not in names_of(open_engines(find_weights("published"), "auto", "auto"))
    with pytest.raises(ConfigError, match=r"int8: these weights have no int8 file.*--precision auto$"):
        open_engines(find_weights("published"), "auto", "int8")
    with pytest.raises(ConfigError, match=r"int8: it is OpenVINO's.*--engine auto"):
        open_engines(find_weights("slim"), "torch", "int8")


@pytest.mark.parametrize("engine", ["auto", "openvino", "torch"])
def test_a_processor_without_bfloat16_is_not_asked_for_it(engine, monkeypatch):
    """It would do it, in twenty times the time: seconds of each start, and of each frame if OpenVINO called it that."""
    for module in (openvino_engine, torch_engine):
        monkeypatch.setattr(module, "has_bfloat16", lambda *_: False)
    found = open_engines(find_weights("published"), engine, "auto")
    assert not [name for name in names_of(found) if "bfloat16" in name]
    with pytest.raises(ConfigError, match=r"bfloat16.*processor.*--precision auto$"):
        open_engines(find_weights("published"), engine, "bfloat16")


# ---- what is not installed


NO_OPENVINO = "OpenVINO is not installed. Run: pip install openvino"


def test_without_openvino_torch_runs_it(missing):
    missing.add("openvino")
    assert names_of(open_engines(find_weights("slim"), "auto", "float32")) == ["torch float32"]


@pytest.mark.parametrize(
    ("gone", "engine", "precision", "says"),
    [
        (
            {"openvino"},
            "openvino",
            "auto",
            "OpenVINO is not installed. Run: pip install openvino, or run with: --engine torch",
        ),
        (
            {"openvino"},
            "auto",
            "int8",
            "OpenVINO is not installed. Run: pip install openvino, or run with: --precision auto",
        ),
        (
            {"openvino", "torch"},
            "auto",
            "auto",
            f"{NO_OPENVINO}, or: pip install 'camdaemon[torch]'",
        ),
        (
            {"torch"},
            "torch",
            "auto",
            "torch is not installed. Run: pip install 'camdaemon[torch]', or run with: --engine auto",
        ),
    ],
)
def test_what_is_not_installed_is_said_with_what_to_type(missing, gone, engine, precision, says):
    missing |= gone
    with pytest.raises(ConfigError, match=f"^{re.escape(says)}$") as wrong:
        open_engines(find_weights("slim"), engine, precision)
    assert wrong.value.exit_code == 2


@pytest.mark.parametrize("error", [ImportError("libopenvino.so: cannot open shared object file"), RuntimeError("no")])
def test_an_openvino_that_does_not_even_load_leaves_torch(missing, monkeypatch, error):
    def refuse(*_: object) -> Any:
        raise error

    monkeypatch.setattr(openvino_engine, "GraphSource", SimpleNamespace(of_files=refuse))
    assert names_of(open_engines(find_weights("slim"), "auto", "float32")) == ["torch float32"]
    missing.add("torch")
    with pytest.raises(ConfigError, match=f"OpenVINO does not load: {error}"):
        open_engines(find_weights("slim"), "auto", "float32")


def test_torch_takes_over_where_openvino_runs_nothing(monkeypatch):
    def refuse(self: object, size: tuple[int, int]) -> Any:
        raise RuntimeError("no kernel")

    monkeypatch.setattr(openvino_engine.OpenVinoRuntime, "build_base", refuse)
    assert open_engines(find_weights("slim"), "auto", "float32").build(SIZE).name == "torch float32"
    with pytest.raises(RuntimeError, match="no kernel"):
        open_engines(find_weights("slim"), "openvino", "float32").build(SIZE)


# ---- weights without graphs


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Weights of somebody's own, without graphs."""
    torch.manual_seed(2)
    save_file(SlimMatting().state_dict(), tmp_path / "own.safetensors")
    return tmp_path / "own.safetensors"


@pytest.fixture
def conversions(monkeypatch) -> list[object]:
    """The networks that were converted."""
    made: list[object] = []
    convert = conversion.convert
    monkeypatch.setattr(conversion, "convert", lambda network: made.append(network) or convert(network))
    return made


def kept() -> list[Path]:
    """Files of converted networks."""
    return sorted(Path(os.environ["XDG_CACHE_HOME"]).rglob("openvino/*/*"))


def assert_it_is_the_network(weights: Path) -> None:
    network = load_file(weights)
    fold_batch_norms(network)
    given = np.random.default_rng(1).random((1, *SIZE, 7), np.float32)
    engines = open_engines(weights, "openvino", "float32")
    assert engines.layout == NetworkLayout(doubts=True, kernel=3)
    found = engines.build(SIZE)(given)
    engines.build_refiner()
    assert isinstance(network, SlimMatting)
    with torch.inference_mode():
        wanted = network.maps(torch.from_numpy(given).permute(0, 3, 1, 2))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other[0].permute(1, 2, 0), atol=1e-4, rtol=0)


def test_they_are_converted_once_and_other_weights_are_another_network(own, conversions, missing):
    assert_it_is_the_network(own)
    assert [each.suffix for each in kept()] == [".json", ".bin", ".xml", ".bin", ".xml"]
    missing.add("torch")  # the next start does without
    assert_it_is_the_network(own)
    own.rename(own.with_name("renamed.safetensors"))
    assert_it_is_the_network(own.with_name("renamed.safetensors"))
    assert len(conversions) == 1
    missing.clear()
    torch.manual_seed(3)
    save_file(SlimMatting().state_dict(), own)
    assert_it_is_the_network(own)
    assert len(conversions) == 2


@pytest.mark.parametrize("suffix", [".bin", ".xml", ".json"])
@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[: len(data) // 2]], ids=["empty", "cut"])
def test_a_cached_network_that_is_cut_is_converted_again(own, conversions, suffix, damage):
    assert_it_is_the_network(own)
    broken = next(each for each in kept() if each.suffix == suffix)
    broken.write_bytes(damage(broken.read_bytes()))
    for _ in range(2):  # the second time from what was made anew
        assert_it_is_the_network(own)
    assert len(conversions) == 2


def test_without_room_for_the_cache_it_works_all_the_same(own, conversions, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert_it_is_the_network(own)
    assert len(conversions) == 1


def test_without_torch_they_cannot_be_converted(own, missing):
    missing.add("torch")
    says = r"own\.safetensors needs torch once, to convert it\. Run: pip install 'camdaemon\[torch\]', or run with: "
    with pytest.raises(ConfigError, match=says):
        open_engines(own, "auto", "auto")


def test_openvino_says_nothing_over_the_network():
    open_engines(find_weights("slim"), "openvino", "float32")
    assert sys.modules["openvino_telemetry"] is None
