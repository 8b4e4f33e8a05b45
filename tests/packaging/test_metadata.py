"""What an index shows: links and pictures of the README lead somewhere, or are not there."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ADDRESS = "https://example.org/camdaemon"


@pytest.fixture
def hook(monkeypatch):
    """The build's hook, loaded without hatchling, which only builds have."""
    interface = ModuleType("hatchling.metadata.plugin.interface")
    interface.__dict__["MetadataHookInterface"] = type("MetadataHookInterface", (), {})
    for name in ("hatchling", "hatchling.metadata", "hatchling.metadata.plugin"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, interface.__name__, interface)
    spec = importlib.util.spec_from_file_location("hook", ROOT / "packaging" / "python" / "metadata.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_metadata(hook, root: Path, address: str) -> dict[str, Any]:
    (root / "packaging").mkdir()
    (root / "packaging" / "address").write_text(address + "\n")
    (root / "README.md").write_text((ROOT / "README.md").read_text("utf-8"), "utf-8")
    building = hook.CustomMetadataHook()
    building.root = str(root)
    metadata: dict[str, Any] = {"version": "1.2.3"}
    building.update(metadata)
    return metadata


@pytest.mark.parametrize(
    ("markdown", "with_address", "without"),
    [
        ("a [page](docs/a.md#part) b", f"a [page]({ADDRESS}/blob/v1/docs/a.md#part) b", "a page b"),
        ("![a picture](docs/a.png)", f"![a picture]({ADDRESS}/raw/v1/docs/a.png)", "*a picture*"),
        ("[paper](https://example.net/a)", "[paper](https://example.net/a)", "[paper](https://example.net/a)"),
        ("[above](#above)", "[above](#above)", "[above](#above)"),
    ],
)
def test_links_of_the_repository_become_absolute_or_go(hook, markdown, with_address, without):
    assert hook.rewrite_links(markdown, ADDRESS, "v1") == with_address
    assert hook.rewrite_links(markdown, None, "v1") == without


def test_with_an_address_every_link_leads_somewhere(hook, tmp_path):
    metadata = make_metadata(hook, tmp_path, ADDRESS + "/")
    links = re.findall(r"\]\(([^)]+)\)", metadata["readme"]["text"])
    assert len(links) > 10
    assert all(link.startswith(("https://", "#")) for link in links)
    assert metadata["urls"]["Homepage"] == ADDRESS
    assert all(url.startswith(ADDRESS) for url in metadata["urls"].values())


def test_as_long_as_there_is_a_placeholder_no_link_is_invented(hook, tmp_path):
    metadata = make_metadata(hook, tmp_path, (ROOT / "packaging" / "address").read_text("utf-8").strip())
    assert metadata["urls"] == {}
    links = re.findall(r"\]\(([^)]+)\)", metadata["readme"]["text"])
    assert links
    assert all(link.startswith(("https://", "#")) for link in links)
    assert "URL-OF-THIS-REPOSITORY" not in metadata["readme"]["text"]
