"""Checkpoints: recognised, loaded strictly, and refused with the names of what is wrong."""

import hashlib
import json
import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from camdaemon.model.checkpoint import detect_architecture, load_network
from camdaemon.model.published import Backbone, BackgroundMattingV2

WEIGHTS = Path(__file__).parents[2] / "weights"


def _tensors(kernel_size: Any = 3) -> dict[str, Tensor]:
    return dict(BackgroundMattingV2("mobilenetv2", kernel_size).state_dict())


@pytest.mark.parametrize("layout", ["mobilenetv2", "mobilenetv2-kernel1", "resnet50", "resnet101"])
def test_has_every_tensor_of_the_published_layout(layout: str, maker: ModuleType) -> None:
    shapes = maker.shapes(layout)
    with torch.device("meta"):
        architecture = detect_architecture({name: torch.empty(shape) for name, shape in shapes.items()})
        ours = architecture.build().state_dict()
    assert architecture == (layout.removesuffix("-kernel1"), 1 if layout.endswith("-kernel1") else 3)
    assert {name: list(tensor.shape) for name, tensor in ours.items()} == shapes
    assert any(name.endswith("num_batches_tracked") for name in shapes)


@pytest.mark.parametrize(
    ("backbone", "kernel_size", "count"),
    [("mobilenetv2", 3, 5_006_839), ("resnet50", 3, 40_247_703), ("resnet101", 3, 59_239_831)],
)
def test_counts_of_table_4_of_the_paper(backbone: Backbone, kernel_size: Literal[3], count: int) -> None:
    with torch.device("meta"):
        network = BackgroundMattingV2(backbone, kernel_size)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("kernel_size", [None, 1, 3])
def test_comes_back_as_it_was_written(suffix: str, kernel_size: int | None, tmp_path: Path) -> None:
    tensors = _tensors(kernel_size)
    path = tmp_path / f"weights{suffix}"
    save_file(tensors, path) if suffix == ".safetensors" else torch.save(tensors, path)
    network = load_network(path, scale=0.5)
    assert detect_architecture(network.state_dict()) == ("mobilenetv2", kernel_size)
    assert not network.training
    assert network.scale == 0.5
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, tensors[name]), name


def test_float16_becomes_float32(tmp_path: Path) -> None:
    halved = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in _tensors().items()}
    save_file(halved, tmp_path / "half.safetensors")
    assert {parameter.dtype for parameter in load_network(tmp_path / "half.safetensors").parameters()} == {
        torch.float32
    }


def test_names_missing_unexpected_and_misshapen_tensors(tmp_path: Path) -> None:
    tensors = _tensors()
    del tensors["decoder.conv4.bias"]
    tensors["decoder.conv5.weight"] = torch.zeros(1)
    tensors["aspp.project.0.weight"] = torch.zeros(1, 2)
    save_file(tensors, tmp_path / "odd.safetensors")
    with pytest.raises(ValueError, match=r"fit mobilenetv2\b.*3x3") as caught:
        load_network(tmp_path / "odd.safetensors")
    for part in (
        r"1 missing.*decoder\.conv4\.bias",
        r"1 unexpected.*decoder\.conv5\.weight",
        r"aspp\.project\.0\.weight \(1, 2\).*\(256, 1280, 1, 1\)",
        r"odd\.safetensors",
    ):
        assert re.search(part, str(caught.value))


def test_half_a_refiner_is_an_error(tmp_path: Path) -> None:
    tensors = {**_tensors(None), "refiner.conv4.bias": torch.zeros(4)}
    save_file(tensors, tmp_path / "half.safetensors")
    with pytest.raises(ValueError, match=r"missing: refiner\.conv1\.weight, .*…"):
        load_network(tmp_path / "half.safetensors")


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("content", [b"", b"not a file of tensors at all", b"PK\x03\x04broken", b"\x80\x02."])
def test_broken_file(suffix: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="broken"):
        load_network(path)


def test_a_cut_off_file(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.pth", tmp_path / "cut.pth"
    torch.save(_tensors(None), whole)
    cut.write_bytes(whole.read_bytes()[:100_000])
    with pytest.raises(ValueError, match=r"cut\.pth.*PyTorch"):
        load_network(cut)


def test_foreign_contents(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "foreign.pth")
    with pytest.raises(ValueError, match=r"foreign\.pth.*other than tensors"):
        load_network(tmp_path / "foreign.pth")
    save_file({"layer.weight": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(ValueError, match=r"foreign\.safetensors.*backbone.*\b1 .*\(layer\.weight\)"):
        load_network(tmp_path / "foreign.safetensors")


def test_code_in_a_checkpoint_does_not_run(tmp_path: Path) -> None:
    torch.save({"backbone.features.0.0.weight": Path}, tmp_path / "code.pth")
    with pytest.raises(ValueError, match=r"code\.pth.*Python objects"):
        load_network(tmp_path / "code.pth")


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_network(tmp_path / "absent.safetensors")


def test_the_manifest_describes_the_weights_that_are_there() -> None:
    manifest = json.loads((WEIGHTS / "manifest.json").read_text("utf-8"))
    live, *others = manifest["defaults"].values()
    assert {*live.values(), *others} <= set(manifest["files"])
    assert [*manifest["defaults"], *live] == ["live", "files", "without_plate", "cpu", "cuda"]
    assert set(manifest["files"]) == {path.name for path in WEIGHTS.glob("*.safetensors")}
    for name, entry in manifest["files"].items():
        content = (WEIGHTS / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        assert len(content) == entry["bytes"]
        assert entry["licence"]
        refiner = entry["architecture"]["refiner"]
        network = load_network(WEIGHTS / name)
        assert detect_architecture(network.state_dict()) == (entry["architecture"]["backbone"], refiner)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", ["fifo.safetensors", "fifo.pth", "zero.pth", "zero.safetensors"])
def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.startswith("fifo"):
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(OSError, match="FIFO"):
        load_network(path)
