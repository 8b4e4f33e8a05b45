"""Which int8 network belongs to which weights, and how one is made."""

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

from camdaemon.matting.bgmv2.engines.dense import make_dense_base
from camdaemon.matting.bgmv2.engines.factory import BaseEngineFactory
from camdaemon.matting.bgmv2.engines.int8 import find_int8, int8_paths, record_int8
from camdaemon.model import SlimMatting, fold_batch_norms, load_network


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Weights with an int8 network beside them, and a manifest that knows something else, too."""
    made = tmp_path / "own.safetensors"
    for path in (made, *int8_paths(made)):
        path.write_bytes(path.name.encode())
    (tmp_path / "manifest.json").write_text('{"files": {"own.safetensors": {}}}')
    record_int8(made)
    return made


def test_it_is_found_beside_the_weights(weights: Path) -> None:
    assert find_int8(weights) == weights.with_name("own-int8.xml")
    assert json.loads(weights.with_name("manifest.json").read_text())["files"] == {"own.safetensors": {}}
    record_int8(weights)
    assert find_int8(weights) is not None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("own-int8.xml", "own-int8.xml has a wrong checksum"),
        ("own-int8.bin", "own-int8.bin has a wrong checksum"),
        ("own.safetensors", "made of other weights"),
        ("manifest.json", "Expecting value"),
    ],
)
def test_what_does_not_fit_is_skipped_and_logged(weights: Path, caplog: pytest.LogCaptureFixture, name, why) -> None:
    weights.with_name(name).write_bytes(b"another")
    with caplog.at_level(logging.INFO):
        assert find_int8(weights) is None
    assert why in caplog.text


def test_a_manifest_that_does_not_name_it_is_no_permission(weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    weights.with_name("manifest.json").write_text("{}")
    with caplog.at_level(logging.INFO):
        assert find_int8(weights) is None
    assert "manifest.json does not name it" in caplog.text


def test_weights_without_one_are_nothing_to_speak_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert find_int8(tmp_path / "own.safetensors") is None
    assert not caplog.text


# ---- making one


def run_tool(*given: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "camdaemon.tools.quantize", *map(str, given)]
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
    assert int8_paths(weights)[1].stat().st_size < 0.4 * weights.stat().st_size
    network = load_network(weights)
    fold_batch_norms(network)
    given = torch.rand(1, 7, 64, 96).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        engine = BaseEngineFactory(network, "openvino", "int8", xml).build((64, 96))
        assert engine.name == "openvino int8"
        wanted, made = make_dense_base(network, even=True)(given)[0][0].permute(1, 2, 0), engine(given).visible
    assert float((made - wanted).abs().mean() / wanted.std()) < 0.1
    assert "int8" in run_tool(weights, "--data", tmp_path, "--count", 2).stderr, "nothing is replaced unasked"
