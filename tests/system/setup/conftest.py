"""A machine in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.fake_machine import FakeMachine


@pytest.fixture
def fake(tmp_path: Path) -> FakeMachine:
    """A fresh Debian 12 with nothing installed; alice, in no group, at a terminal."""
    return FakeMachine(tmp_path / "machine")
