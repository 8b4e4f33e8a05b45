"""The folder of published facts, which is not part of the repository: its tests are skipped where it is absent."""

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest
import torch

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder with the published layouts and results ($CAMDAEMON_SHARED/reference, or beside the repository)."""
    folder = Path(os.environ.get("CAMDAEMON_SHARED", ROOT.parent / "shared")) / "reference"
    if not folder.is_dir():
        pytest.skip(f"no published results at {folder}; set CAMDAEMON_SHARED to the folder that holds 'reference'")
    return folder


@pytest.fixture(scope="session")
def maker(reference: Path) -> ModuleType:
    """The module that makes the weights and inputs of the published results."""
    spec = importlib.util.spec_from_file_location("make_state_dict", reference / "make_state_dict.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _same_numbers_each_time() -> None:
    torch.manual_seed(5)
