"""A machine in a folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_machine import FakeMachine


@pytest.fixture
def fake(tmp_path: Path) -> FakeMachine:
    """A fresh Debian 12 with nothing installed; alice, in no group, at a terminal."""
    return FakeMachine(tmp_path / "machine")
