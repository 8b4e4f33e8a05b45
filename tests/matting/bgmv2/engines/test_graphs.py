"""Which graphs belong to which weights, and how they are made."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from camdaemon.matting.bgmv2.engines.conversion import convert
from camdaemon.matting.bgmv2.engines.dense import make_dense_base
from camdaemon.matting.bgmv2.engines.graphs import (
    GraphFiles,
    checksum,
    find_graphs,
    find_int8,
    graph_paths,
    list_parts,
    record_graphs,
    record_int8,
)
from camdaemon.matting.bgmv2.engines.opening import open_engines
from camdaemon.matting.bgmv2.weights import find_weights
from camdaemon.model.checkpoint import load_network
from camdaemon.model.folding import fold_batch_norms
from camdaemon.model.layout import NetworkLayout
from camdaemon.model.slim import SlimMatting
from camdaemon.tools.graphs import find_factors, keep_halves
from tests.present import present

PUBLISHED, SLIM = NetworkLayout(doubts=False, kernel=3), NetworkLayout(doubts=True, kernel=3)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Weights with all graphs beside them, and a manifest that knows something else, too."""
    made = tmp_path / "own.safetensors"
    of_parts = [path for part in (*list_parts(PUBLISHED), "int8") for path in graph_paths(made, part)]
    for path in (made, *of_parts):
        path.write_bytes(path.name.encode())
    (tmp_path / "manifest.json").write_text('{"files": {"own.safetensors": {}}}')
    record_graphs(made, PUBLISHED, checksum(made))
    record_int8(made)
    return made


def graphs_of(weights: Path) -> GraphFiles | None:
    return find_graphs(weights, checksum(weights))


def test_they_are_found_beside_the_weights(weights: Path) -> None:
    found = present(graphs_of(weights))
    assert found.layout == PUBLISHED
    assert found.mark == checksum(weights)
    assert {part: path.name for part, path in found.paths.items()} == {
        "base": "own.xml", "refiner": "own-refiner.xml", "hidden": "own-hidden.xml"
    }  # fmt: skip
    assert find_int8(weights) == weights.with_name("own-int8.xml")
    assert json.loads(weights.with_name("manifest.json").read_text())["files"] == {"own.safetensors": {}}
    record_graphs(weights, PUBLISHED, checksum(weights))
    assert graphs_of(weights) is not None
    assert find_int8(weights) is not None, "nothing else is forgotten"


def test_which_there_are_hangs_on_the_network() -> None:
    assert list_parts(PUBLISHED) == ["base", "refiner", "hidden"]
    assert list_parts(SLIM) == ["base", "refiner"]
    assert list_parts(NetworkLayout(doubts=False, kernel=None)) == ["base"]


@pytest.mark.parametrize(
    ("name", "why", "lost"),
    [
        ("own-int8.xml", "own-int8.xml has a wrong checksum", {"int8"}),
        ("own-int8.bin", "own-int8.bin has a wrong checksum", {"int8"}),
        ("own.xml", "own.xml has a wrong checksum", {"graphs"}),
        ("own-refiner.bin", "own-refiner.bin has a wrong checksum", {"graphs"}),
        ("own-hidden.xml", "own-hidden.xml has a wrong checksum", {"graphs"}),
        ("own.safetensors", "made of other weights", {"graphs", "int8"}),
        ("manifest.json", "Expecting value", {"graphs", "int8"}),
    ],
)
def test_what_does_not_fit_is_skipped_and_logged(
    weights: Path, caplog: pytest.LogCaptureFixture, name: str, why: str, lost: set[str]
) -> None:
    weights.with_name(name).write_bytes(b"another")
    with caplog.at_level(logging.INFO):
        found = {"graphs": graphs_of(weights), "int8": find_int8(weights)}
    assert {what for what, each in found.items() if each is None} == lost
    assert why in caplog.text


def test_one_that_is_missing_is_none_at_all(weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    weights.with_name("own-refiner.xml").unlink()
    with caplog.at_level(logging.INFO):
        assert graphs_of(weights) is None
    assert "own-refiner.xml" in caplog.text


@pytest.mark.parametrize("text", ["{}", '{"graphs": {"own.safetensors": 1}, "int8": []}'])
def test_a_manifest_that_does_not_name_them_is_no_permission(
    weights: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    weights.with_name("manifest.json").write_text(text)
    with caplog.at_level(logging.INFO):
        assert graphs_of(weights) is find_int8(weights) is None
    assert caplog.text.count("manifest.json does not name it") == 2


def test_a_network_that_is_not_described_is_none(weights: Path) -> None:
    path = weights.with_name("manifest.json")
    manifest = json.loads(path.read_text())
    manifest["graphs"]["own.safetensors"]["network"] = {"doubts": True, "color": "red"}
    path.write_text(json.dumps(manifest))
    assert graphs_of(weights) is None


def test_weights_without_any_are_nothing_to_speak_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "own.safetensors").write_bytes(b"weights")
    with caplog.at_level(logging.INFO):
        assert graphs_of(tmp_path / "own.safetensors") is find_int8(tmp_path / "own.safetensors") is None
    assert not caplog.text


@pytest.mark.parametrize(("name", "layout"), [("slim", SLIM), ("published", PUBLISHED)])
def test_the_weights_that_come_with_camdaemon_have_theirs(name: str, layout: NetworkLayout) -> None:
    """Made of these very weights: type `python -m camdaemon.tools.graphs --force FILE` after a change of them."""
    assert present(graphs_of(find_weights(name))).layout == layout


# ---- making one


def run_tool(*given: object, tool: str = "quantize") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", f"camdaemon.tools.{tool}", *map(str, given)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_without_nncf_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nncf.py").write_text("raise ImportError('No module named nncf')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    found = run_tool(tmp_path / "own.safetensors", "--data", tmp_path)
    assert found.returncode == 2
    assert "pip install nncf openvino" in found.stderr


@pytest.mark.usefixtures("one_thread")
def test_the_tool_makes_one_that_computes_nearly_the_same(tmp_path: Path) -> None:
    pytest.importorskip("nncf", reason="NNCF is not installed; type: pip install nncf openvino")
    torch.manual_seed(1)
    weights = tmp_path / "own.safetensors"
    save_file(SlimMatting().state_dict(), weights)
    rng = np.random.default_rng(1)
    for folder, name in (("people", "one.jpg"), ("people", "one.png"), ("plates", "room.jpg")):
        (tmp_path / folder).mkdir(exist_ok=True)
        picture = cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (320, 240))
        cv2.imwrite(str(tmp_path / folder / name), picture[..., 0] if name.endswith("png") else picture)
    found = run_tool(weights, "--data", tmp_path, "--count", 2)
    assert found.returncode == 0, found.stderr
    xml = find_int8(weights)
    assert xml is not None
    assert graph_paths(weights, "int8")[1].stat().st_size < 0.4 * weights.stat().st_size
    network = load_network(weights)
    fold_batch_norms(network)
    given = torch.rand(1, 7, 64, 96)
    engine = open_engines(weights, "openvino", "int8").build((64, 96))
    assert engine.name == "openvino int8"
    made = engine(given.permute(0, 2, 3, 1).contiguous().numpy()).visible
    with torch.inference_mode():
        wanted = make_dense_base(network)(given)[0][0].permute(1, 2, 0).numpy()
    assert float(np.abs(made - wanted).mean() / wanted.std()) < 0.1
    assert "int8" in run_tool(weights, "--data", tmp_path, "--count", 2).stderr, "nothing is replaced unasked"


def test_the_tool_writes_the_graphs_of_any_weights(tmp_path: Path) -> None:
    torch.manual_seed(1)
    weights = tmp_path / "own.safetensors"
    save_file(SlimMatting().state_dict(), weights)
    found = run_tool(weights, tool="graphs")
    assert found.returncode == 0, found.stderr
    assert present(graphs_of(weights)).layout == SLIM
    assert "own.xml" in run_tool(weights, tool="graphs").stderr, "nothing is replaced unasked"
    assert run_tool(weights, "--force", tool="graphs").returncode == 0


@pytest.mark.usefixtures("one_thread")
def test_weights_in_halves_compute_the_same_to_the_bit(tmp_path: Path) -> None:
    import openvino as ov  # type: ignore[import-untyped, import-not-found, unused-ignore]

    network = load_network(find_weights("slim"))
    factors = find_factors(network)
    fold_batch_norms(network)
    whole = convert(network.requires_grad_(False))["base"]
    halved = whole.clone()
    keep_halves(halved, factors)
    given = np.random.default_rng(0).random((1, 96, 160, 7), np.float32)
    sizes, found = [], []
    for name, model in (("whole", whole), ("halved", halved)):
        ov.save_model(model, tmp_path / f"{name}.xml", compress_to_fp16=False)
        sizes.append((tmp_path / f"{name}.bin").stat().st_size)
        read = ov.Core().read_model(tmp_path / f"{name}.xml")
        read.reshape([1, 96, 160, 7])
        found.append(ov.Core().compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([given]))
    assert sizes[1] < 0.6 * sizes[0]
    assert np.array_equal(found[0][0], found[1][0])
    assert np.array_equal(found[0][1], found[1][1])
    assert np.abs(found[0][0]).max() > 0.01, "the test of the test"


def test_the_tool_says_what_is_wrong_with_the_weights(tmp_path: Path) -> None:
    found = run_tool(tmp_path / "own.safetensors", tool="graphs")
    assert found.returncode == 2
    assert "cannot read the weights" in found.stderr
