"""Tests import helpers by their full names (`tests.fakes`); nothing touches the user's own files."""

import gc
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory, monkeypatch):
    """Configuration, state and runtime directories of the test's own."""
    home = tmp_path_factory.mktemp("home")
    for name in ("CONFIG", "STATE", "DATA", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    monkeypatch.delenv("CAMDAEMON_SOCKET", raising=False)


@pytest.fixture
def one_thread():
    """For pictures too small to share out, where several threads would only wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def garbage_is_collected():
    """As before, after tests that run what `camdaemon run` runs in this very process."""
    yield
    gc.unfreeze()
    gc.enable()
