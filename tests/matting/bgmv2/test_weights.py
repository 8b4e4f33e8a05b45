"""Which weights a name means, for what and on which device, and that those that come with camdaemon are intact."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from camdaemon.errors import ConfigError
from camdaemon.frames import kinds
from camdaemon.matting.bgmv2 import weights
from camdaemon.matting.bgmv2.weights import USES, find_weights, load_weights

DEFAULTS = {"live": {"cpu": "a", "cuda": "b"}, "files": "c", "without_plate": "slim.safetensors"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The weights' folder of a checkout, empty."""
    (tmp_path / "camdaemon" / "matting" / "bgmv2").mkdir(parents=True)
    monkeypatch.setattr(weights, "__file__", str(tmp_path / "camdaemon" / "matting" / "bgmv2" / "weights.py"))
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(name.encode())
    files = {name: {"sha256": hashlib.sha256(name.encode()).hexdigest()} for name in names}
    (folder / "manifest.json").write_text(json.dumps({"defaults": DEFAULTS, "files": files}))


def test_the_manifest_decides_by_purpose_and_device(folder: Path) -> None:
    fill(folder, "a", "b", "c", "slim.safetensors")
    assert [find_weights("default", *use).name for use in USES] == ["a", "b", "c", "slim.safetensors"]
    assert find_weights("default", "files", "cuda").name == "c"
    assert find_weights("slim", "files") == folder / "slim.safetensors"
    assert find_weights("a") == Path("a"), "no name of ours, so it is a path"


def test_every_purpose_has_weights_that_load() -> None:
    assert {len(list(load_weights("default", *use).parameters())) > 0 for use in USES} == {True}
    assert find_weights("published").suffix == ".safetensors"


@pytest.mark.parametrize("name", kinds.WEIGHTS)
def test_a_name_is_one_of_ours(name: str, folder: Path) -> None:
    with pytest.raises(ConfigError, match=rf"{name} weights.*/_weights .*manifest\.json.*--weights FILE$"):
        find_weights(name)


def test_weights_that_do_not_come_with_camdaemon_are_an_error_for_people(folder: Path) -> None:
    fill(folder, "a")
    with pytest.raises(ConfigError, match=r"without weights slim\. Run with: --weights default$"):
        find_weights("slim")


def test_damage_is_found(folder: Path) -> None:
    installed = folder.parent / "camdaemon" / "_weights"
    installed.mkdir()
    for each in (folder, installed):  # the installed ones come first
        fill(each, "a")
        (each / "a").write_bytes(b"")
        with pytest.raises(ConfigError, match=f"{each.name}/a .*damaged.*--weights FILE$"):
            find_weights("default")
