"""Published checkpoints become safetensors, or a message that says why not."""

import os
import re
import stat
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from safetensors import safe_open
from typer.testing import CliRunner

from camdaemon.cli.tools import weights_import
from camdaemon.errors import ConfigError
from camdaemon.model.checkpoint import load_network
from camdaemon.model.published import BackgroundMattingV2
from camdaemon.tools.weights_import import import_weights


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as it is published, with random weights."""
    torch.manual_seed(2)
    path = tmp_path_factory.mktemp("weights") / "pytorch_mobilenetv2.pth"
    torch.save(BackgroundMattingV2("mobilenetv2", 3).state_dict(), path)
    return path


@pytest.mark.parametrize("float32", [False, True])
def test_a_checkpoint_is_converted(published: Path, tmp_path: Path, float32: bool) -> None:
    done = import_weights(published, tmp_path / "new" / "w.safetensors", float32=float32, replace=False)
    assert done.architecture == ("mobilenetv2", 3)
    assert done.parameters == sum(each.numel() for each in load_network(published).parameters())
    before, after = load_network(published).state_dict(), load_network(done.path).state_dict()
    for name, tensor in before.items():
        assert torch.allclose(tensor.float(), after[name].float(), atol=0 if float32 else 1e-3)
    with safe_open(done.path, "pt") as file:
        assert file.metadata()["backbone"] == "mobilenetv2"
        assert file.get_tensor("decoder.conv4.bias").dtype == (torch.float32 if float32 else torch.float16)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["w.safetensors"]


def run(*arguments: object) -> str:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(weights_import)
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    if result.exception:
        raise result.exception
    return result.output


def test_the_command_says_what_it_is_and_how_to_use_it(published: Path) -> None:
    said = run(published, "--force")
    target = published.with_suffix(".safetensors")
    assert re.search(r"mobilenetv2.*3x3.*5\.0 million.*float16", said)
    assert said.rstrip().endswith(f"camdaemon run --weights {target}")
    with pytest.raises(ConfigError, match=r"\.safetensors.*exists.*--force$"):
        run(published)
    with pytest.raises(ConfigError, match=r"--output .*w\.safetensors$"):
        run(published, "--output", "w.pth")


def test_a_checkpoint_is_not_replaced_by_its_own_conversion(published: Path, tmp_path: Path) -> None:
    """Float16 would lose half of its digits."""
    run(published, "--output", tmp_path / "w.safetensors", "--float32")
    before = (tmp_path / "w.safetensors").read_bytes()
    with pytest.raises(ConfigError, match=r"w\.safetensors.*is read"):
        run(tmp_path / "w.safetensors", "--force")
    assert (tmp_path / "w.safetensors").read_bytes() == before


def refused(source: Path, message: str, target: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        import_weights(source, target, float32=False, replace=False)
    assert not target.exists()
    assert not [path for path in target.parent.iterdir() if path.name.startswith(".")]


def test_foreign_files_are_refused(published: Path, tmp_path: Path) -> None:
    target = tmp_path / "w.safetensors"
    refused(tmp_path / "none.pth", "read .*none.pth", target)
    (tmp_path / "text.pth").write_text("hello")
    refused(tmp_path / "text.pth", r"text\.pth.*PyTorch.*pytorch_mobilenetv2\.pth$", target)
    torch.save({"layer.weight": torch.zeros(1)}, tmp_path / "other.pth")
    refused(tmp_path / "other.pth", r"backbone.*\b1 .*layer\.weight.*pytorch_mobilenetv2\.pth$", target)
    tensors = torch.load(published, weights_only=True)
    del tensors["decoder.conv4.bias"]
    torch.save(tensors, tmp_path / "lacking.pth")
    refused(tmp_path / "lacking.pth", r"1 missing: decoder\.conv4\.bias", target)


def test_a_torchscript_program_is_named_as_such(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(torch.nn.Linear(1, 1)).save(str(tmp_path / "torchscript.pth"))
        refused(tmp_path / "torchscript.pth", r"TorchScript.*pytorch_\*\.pth", tmp_path / "w.safetensors")


@pytest.mark.parametrize(("value", "message"), [(float("nan"), "damaged"), (1e6, "too large.*--float32")])
def test_values_that_would_be_lost_are_refused(published: Path, tmp_path: Path, value: float, message: str) -> None:
    tensors = torch.load(published, weights_only=True)
    tensors["decoder.conv4.bias"][0] = value
    torch.save(tensors, tmp_path / "odd.pth")
    refused(tmp_path / "odd.pth", message, tmp_path / "w.safetensors")


def wrapped(tensors: dict[str, Any], prefix: str, *keys: str) -> dict[str, Any]:
    """As a training program writes them: under a prefix, and in a dictionary with other things."""
    whole: dict[str, Any] = {prefix + name: tensor for name, tensor in tensors.items()}
    for key in reversed(keys):
        whole = {"epoch": 7, key: whole, "optimizer": {"param_groups": [{"lr": 0.1}]}}
    return whole


@pytest.mark.parametrize(
    ("prefix", "keys"),
    [
        ("module.", ()),
        ("", ("state_dict",)),
        ("module.", ("state_dict",)),
        ("model.", ("model_state_dict",)),
        ("module._orig_mod.", ("model",)),
        ("", ("network", "state_dict")),
    ],
)
def test_what_training_programs_put_around_the_weights_is_taken_away(
    published: Path, tmp_path: Path, prefix: str, keys: tuple[str, ...]
) -> None:
    tensors = torch.load(published, weights_only=True)
    torch.save(wrapped(tensors, prefix, *keys), tmp_path / "trained.pth")
    done = import_weights(tmp_path / "trained.pth", None, float32=True, replace=False)
    after = load_network(done.path).state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in load_network(published).state_dict().items())


def test_a_prefix_on_some_names_only_stays(published: Path, tmp_path: Path) -> None:
    tensors = torch.load(published, weights_only=True)
    tensors["module.decoder.conv4.bias"] = tensors.pop("decoder.conv4.bias")
    torch.save(tensors, tmp_path / "odd.pth")
    refused(tmp_path / "odd.pth", r"missing: decoder\.conv4\.bias.*unexpected: module\.", tmp_path / "w.safetensors")


def test_others_may_read_what_is_written(published: Path, tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        done = import_weights(published, tmp_path / "w.safetensors", float32=False, replace=False)
    finally:
        os.umask(before)
    assert stat.S_IMODE(done.path.stat().st_mode) == 0o644


@pytest.mark.parametrize("name", ["cut.pth", "zeros.pth", "empty.pth", "cut.safetensors", "code.pth"])
def test_a_damaged_file_is_told_in_our_words(published: Path, tmp_path: Path, name: str) -> None:
    path, data = tmp_path / name, published.read_bytes()
    if name == "code.pth":
        torch.save({"network": Path("a.pth"), "tensors": torch.zeros(1)}, path)
    else:
        path.write_bytes({"cut": data[: len(data) // 2], "zeros": bytes(1000), "empty": b""}[path.stem])
    with pytest.raises(ConfigError) as wrong:
        import_weights(path, tmp_path / "w.safetensors", float32=False, replace=False)
    assert re.search("objects" if name == "code.pth" else "damaged", str(wrong.value))
    assert not re.search(r"weights_only|torch\.load|Pytorch\w*Reader|header|pickle|Errno", str(wrong.value))
