"""Small networks to export: real weights, since random ones leave no person and no likely errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from camdaemon.frames.frame import Size
from camdaemon.matting.bgmv2.weights import find_weights
from camdaemon.tools.export import pictures
from camdaemon.tools.export.family import Request
from camdaemon.tools.export.formats import find_format

SMALL = Size(256, 144)
LINES, PIXELS = 80, 3200


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    pass


@pytest.fixture(autouse=True)
def _clip(monkeypatch: pytest.MonkeyPatch, clip: list[Any]) -> None:
    """Decode the clip once for all tests."""
    monkeypatch.setattr(pictures, "_read_clip", lambda size: clip)


@pytest.fixture(scope="session")
def clip() -> list[Any]:
    return pictures._read_clip(SMALL)


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Request]:
    """Make a request for a small export; anything can be changed."""

    def make(name: str, **changes: Any) -> Request:
        row = find_format(name)
        output = tmp_path / "out" / f"network{row.suffix}"
        made = Request(row, find_weights("slim"), output, row.parts[0], SMALL, LINES, PIXELS)
        return dataclasses.replace(made, **changes)

    return make
