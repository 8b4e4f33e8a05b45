"""LiteRT is made and run by the Python of another environment; here its packages are stand-ins over torch."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.tools.export.export import export
from tests.tools.export.plain import run_example

CONVERTER = """
import torch

class convert:
    def __init__(self, module, sample_kwargs):
        self.network, self.given = module, sample_kwargs
    def export(self, path):
        with torch.no_grad():
            torch.export.save(torch.export.export(self.network, (), self.given), path + ".pt2")
        import os
        os.replace(path + ".pt2", path)
"""
INTERPRETER = """
import shutil, tempfile, torch

class Interpreter:
    def __init__(self, path):
        with tempfile.NamedTemporaryFile(suffix=".pt2") as file:
            shutil.copyfile(path, file.name)
            self.network = torch.export.load(file.name).module()
    def get_signature_runner(self):
        def run(**given):
            found = self.network(**{name: torch.from_numpy(each) for name, each in given.items()})
            return {name: each.detach().numpy() for name, each in found.items()}
        return run
"""


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of stand-ins for litert-torch and its runtime, which every Python that is started finds."""
    folder = tmp_path / "packages"
    (folder / "ai_edge_litert").mkdir(parents=True)
    (folder / "litert_torch.py").write_text(CONVERTER)
    (folder / "ai_edge_litert" / "__init__.py").touch()
    (folder / "ai_edge_litert" / "interpreter.py").write_text(INTERPRETER)
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
    return folder


def python_of(folder: Path) -> Path:
    """A Python that is not this environment's by its name, but finds what this one does."""
    import sys

    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return python


def test_it_is_converted_and_run_elsewhere(ask, clip, stand_ins):
    request = ask("litert", python=python_of(stand_ins))
    done = export(request)
    assert done.difference.largest["alpha"] < 1e-4
    plate, frame, *_ = clip
    alpha = run_example(request, (frame, plate), str(request.python))
    assert 0.05 < (alpha > 128).mean() < 0.8


def test_wrong_numbers_are_not_kept(ask, stand_ins):
    path = stand_ins / "ai_edge_litert" / "interpreter.py"
    path.write_text(INTERPRETER.replace(".numpy()", ".numpy() * 0.9"))
    request = ask("litert", python=python_of(stand_ins))
    with pytest.raises(CamdaemonError, match="not kept"):
        export(request)
    assert not list(request.output.parent.iterdir())


def test_what_the_converter_says_is_passed_on(ask, stand_ins):
    (stand_ins / "litert_torch.py").write_text("raise SystemError('no such operator')")
    request = ask("litert", python=python_of(stand_ins))
    with pytest.raises(CamdaemonError, match=r"could not convert the network: SystemError: no such operator\. Run: "):
        export(request)
    assert not list(request.output.parent.iterdir())


@pytest.mark.parametrize("python", [None, Path("/nowhere/python")])
def test_without_it_the_commands_are_named(ask, python):
    with pytest.raises(ConfigError) as caught:
        export(ask("litert", python=python))
    assert re.search(
        r"Run: python3 -m venv litert && litert/bin/pip install litert-torch, then .*--python", str(caught.value)
    )


def test_the_real_one(ask):
    python = os.environ.get("CAMDAEMON_LITERT")
    if not python:
        pytest.skip("needs an environment of its own: set CAMDAEMON_LITERT to the Python of one with litert-torch")
    assert export(ask("litert", python=Path(python))).difference.largest["alpha"] < 1e-3
