"""Fixtures of all tests. Helpers are imported by their full names (`tests.fakes`); the user's files stay untouched."""

import gc
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory, monkeypatch):
    """Give each test its own directories for configuration, state, data and cache."""
    home = tmp_path_factory.mktemp("home")
    for name in ("CONFIG", "STATE", "DATA", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    monkeypatch.delenv("CAMDAEMON_SOCKET", raising=False)
    monkeypatch.delenv("PIPEWIRE_REMOTE", raising=False)
    monkeypatch.setenv("PIPEWIRE_RUNTIME_DIR", str(home / "no-pipewire"))  # never this desktop's


@pytest.fixture
def one_thread(monkeypatch):
    """Let torch and engines use one thread: for small pictures several only wait for each other."""
    import torch

    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # for engines that are built
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def garbage_is_collected():
    """Restore the garbage collector after tests that call what `camdaemon run` calls."""
    yield
    gc.unfreeze()
    gc.enable()
