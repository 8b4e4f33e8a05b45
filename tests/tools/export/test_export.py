"""Each format runs in its own runtime and is compared with torch; what differs is not kept."""

from __future__ import annotations

import dataclasses
import importlib
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.matting.bgmv2.engines.graphs import graph_paths, record_int8
from camdaemon.matting.bgmv2.weights import find_weights
from camdaemon.tools.export.export import export
from camdaemon.tools.export.family import Arrays, Request
from camdaemon.tools.export.static import StaticNetwork
from tests.tools.export.conftest import LINES, SMALL
from tests.tools.export.plain import Plain, run_example

ROOT = Path(__file__).parents[3]


def need(*modules: str) -> None:
    for name in modules:
        pytest.importorskip(name, reason=f"{name} is not installed; type: pip install {name}")


def check_export(request: Request, clip: list[Any]) -> None:
    """Export, check what is there afterwards, and run the example on the card."""
    done = export(request)
    folder = request.output.parent
    assert {path.name for path in folder.iterdir()} == {path.name for path in (*done.files, done.card)}
    card = done.card.read_text("utf-8")
    assert request.output.name in card
    assert str(done).startswith(f"{request.output}: ")
    for path in done.files:
        found = path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                found = b"".join(archive.read(name) for name in archive.namelist())
        assert str(ROOT).encode() not in found, f"{path.name} names a folder of this machine"
        assert b"site-packages" not in found
    plate, frame, *_ = clip
    alpha = run_example(request, (frame, plate))
    assert alpha.shape == ((LINES, 144) if request.part == "base" else (SMALL.height, SMALL.width))
    assert 0.05 < (alpha > 128).mean() < 0.8, "a person is in the picture"
    assert (alpha[:10, :10] < 30).all(), "and not in its corner"


@pytest.mark.parametrize(
    ("part", "precision", "weights"), [("whole", "float16", "slim"), ("base", "float32", "published")]
)
def test_onnx(ask, clip, part, precision, weights):
    need("onnx", "onnxscript", "onnxruntime")
    check_export(ask("onnx", part=part, precision=precision, weights=find_weights(weights)), clip)


@pytest.mark.parametrize(("part", "precision"), [("base", "float16"), ("whole", "int8")])
def test_openvino(ask, clip, part, precision):
    need("openvino")
    request = ask("openvino", part=part, precision=precision)
    check_export(request, clip)
    assert (b"FakeQuantize" in request.output.read_bytes()) == (precision == "int8")


def test_openvino_joins_a_published_base_with_its_refiner(ask, tmp_path):
    """The features of its base are no hidden maps yet. A float base stands in for one in int8."""
    need("openvino")
    ov = importlib.import_module("openvino")

    from camdaemon.matting.bgmv2.engines.conversion import convert_base
    from camdaemon.matting.bgmv2.engines.dense import make_dense_base
    from camdaemon.model.checkpoint import load_network
    from camdaemon.model.folding import fold_batch_norms

    weights = tmp_path / "own.safetensors"
    weights.write_bytes(find_weights("published").read_bytes())
    network = load_network(weights)
    fold_batch_norms(network)
    ov.save_model(convert_base(make_dense_base(network)), graph_paths(weights, "int8")[0], compress_to_fp16=False)
    record_int8(weights)
    done = export(ask("openvino", precision="int8", weights=weights))
    assert max(done.difference.largest.values()) < 1e-3, "nothing is in int8 here"
    assert done.difference.alike > 0.99


@pytest.mark.parametrize(
    ("name", "part", "precision", "weights"),
    [("torch", "whole", "float32", "slim"), ("torchscript", "base", "float16", "published")],
)
def test_torch(ask, clip, name, part, precision, weights):
    check_export(ask(name, part=part, precision=precision, weights=find_weights(weights)), clip)


def test_int8_without_a_file_of_it_says_how_to_make_one(ask, tmp_path):
    need("openvino")
    weights = tmp_path / "own.safetensors"
    weights.write_bytes(find_weights("slim").read_bytes())
    with pytest.raises(ConfigError, match=r"own\.safetensors has no int8 .*Run: .*camdaemon\.tools\.quantize .*own"):
        export(ask("openvino", precision="int8", weights=weights))


# ---- what is wrong is not kept


class WrongRun(Plain):
    """Computes a little more than torch."""

    def run(self, static: StaticNetwork, path: Path, samples: Iterable[Arrays]) -> Iterator[Arrays]:
        for outputs in super().run(static, path, samples):
            yield {**outputs, "alpha": outputs["alpha"] + 0.002}


class WrongWeights(Plain):
    """Writes other weights, and beside them a second file."""

    def files(self, output: Path) -> list[Path]:
        return [output.with_suffix(".bin"), output]

    def write(self, static: StaticNetwork, path: Path) -> None:
        super().write(static, path)
        path.with_suffix(".bin").write_bytes(b"weights")
        next(self.network.parameters()).mul_(1.2)


class WrongOrder(Plain):
    """Takes BGR."""

    def run(self, static: StaticNetwork, path: Path, samples: Iterable[Arrays]) -> Iterator[Arrays]:
        yield from super().run(static, path, [{**each, "src": each["src"][:, ::-1].copy()} for each in samples])


class NoNumbers(Plain):
    """Gives NaN in one pixel."""

    def run(self, static: StaticNetwork, path: Path, samples: Iterable[Arrays]) -> Iterator[Arrays]:
        for outputs in super().run(static, path, samples):
            alpha = outputs["alpha"].copy()
            alpha[0, 0, 0, 0] = float("nan")
            yield {**outputs, "alpha": alpha}


class OtherPatches(Plain):
    """Refines the patches one further to the right."""

    def run(self, static: StaticNetwork, path: Path, samples: Iterable[Arrays]) -> Iterator[Arrays]:
        for outputs in super().run(static, path, samples):
            yield {**outputs, "refined": np.roll(outputs["refined"], 1, 3)}


class Broken(Plain):
    """Ends while it writes."""

    def write(self, static: StaticNetwork, path: Path) -> None:
        path.write_bytes(b"half of it")
        raise RuntimeError("no more operators")


@pytest.mark.parametrize(
    ("family", "said"),
    [
        (WrongRun, "alpha is 0.002 off"),
        (WrongWeights, "off, and 0.001 is allowed|other patches"),
        (WrongOrder, "off, and 0.001 is allowed|other patches"),
        (NoNumbers, "alpha is inf off"),
        (OtherPatches, "other patches"),
        (Broken, "no more operators"),
    ],
)
def test_an_export_with_wrong_numbers_is_not_kept(ask, family, said):
    request = ask("torch")
    with pytest.raises((CamdaemonError, RuntimeError), match=said):
        export(request, family)
    assert not list(request.output.parent.iterdir())


def test_what_was_there_stays_when_the_new_one_is_wrong(ask):
    request = ask("torch", force=True)
    request.output.parent.mkdir()
    request.output.write_text("old")
    with pytest.raises(CamdaemonError, match="not kept"):
        export(request, WrongRun)
    assert [path.name for path in request.output.parent.iterdir()] == [request.output.name]
    assert request.output.read_text() == "old"


# ---- what is refused at once


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("onnx", {"output": Path("network.xml")}, r"ONNX end in \.onnx\. Run with: --output network\.onnx"),
        (
            "onnx",
            {"precision": "int8"},
            "ONNX is not written with --precision int8. Run with: --precision float32 or float16",
        ),
        ("litert", {"part": "whole"}, "Run with: --part base"),
        ("torch", {"pixels": 8}, "at least 16 are refined. Run with: --pixels"),
        ("torch", {"pixels": 10**6}, "has 36864 pixels"),
    ],
)
def test_what_cannot_be(ask, name, changes, said):
    with pytest.raises(ConfigError, match=said):
        export(ask(name, **changes))


def test_nothing_is_overwritten_unasked_and_never_what_is_read(ask, tmp_path):
    request = ask("torch")
    request.output.parent.mkdir()
    request.output.with_name("network.pt2.md").write_text("notes of mine")
    with pytest.raises(ConfigError, match=r"network\.pt2\.md exists already"):
        export(request)
    weights = tmp_path / "own.pt2"
    weights.write_bytes(b"weights")
    with pytest.raises(ConfigError, match="while it is read"):
        export(dataclasses.replace(request, weights=weights, output=weights, force=True))


@pytest.mark.parametrize(("name", "module"), [("onnx", "onnx"), ("openvino", "openvino"), ("tensorrt", "tensorrt")])
def test_what_is_missing_is_named(ask, name, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=rf"{module} is needed: .*Run: \S+ -m pip install \S*"):
        export(ask(name))


def test_tensorrt_says_that_it_is_untested(ask):
    assert "Untested" in ask("tensorrt").format.note
