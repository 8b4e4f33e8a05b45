"""torch.export (.pt2), and TorchScript (.pt), which is legacy: both run by torch."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from camdaemon.tools.export.card import make_example
from camdaemon.tools.export.family import Arrays, Request, export_program, quiet, zero_inputs
from camdaemon.tools.export.static import StaticNetwork


class ExportedFile:
    """A `Family` of one file: a graph of torch.export."""

    def __init__(self, request: Request) -> None:
        pass

    def files(self, output: Path) -> list[Path]:
        """See `Family`."""
        return [output]

    def write(self, static: StaticNetwork, path: Path) -> None:
        """See `Family`."""
        save_program(static, path)

    def run(self, static: StaticNetwork, path: Path, samples: Iterable[Arrays]) -> Iterator[Arrays]:
        """See `Family`."""
        with quiet():
            module = torch.export.load(path).module()
        yield from _run(module, static, samples)

    def example(self, static: StaticNetwork, name: str) -> str:
        """See `Family`."""
        return make_example(
            static, "torch", f'torch.export.load("{name}").module()', "net(*map(torch.from_numpy, inputs))"
        )


class ScriptFile:
    """A `Family` of one file: a trace of TorchScript."""

    def __init__(self, request: Request) -> None:
        pass

    def files(self, output: Path) -> list[Path]:
        """See `Family`."""
        return [output]

    def write(self, static: StaticNetwork, path: Path) -> None:
        """See `Family`."""
        with quiet(), torch.no_grad():
            traced = torch.jit.trace(static, zero_inputs(static), check_trace=False)
            content = io.BytesIO()
            torch.jit.save(traced, content)
        with zipfile.ZipFile(content) as made, zipfile.ZipFile(path, "w") as kept:
            for name in made.namelist():
                if not name.endswith(".debug_pkl"):  # paths of source files on this machine
                    kept.writestr(name, made.read(name))

    def run(self, static: StaticNetwork, path: Path, samples: Iterable[Arrays]) -> Iterator[Arrays]:
        """See `Family`."""
        with quiet():
            module = torch.jit.load(str(path))
        yield from _run(module, static, samples)

    def example(self, static: StaticNetwork, name: str) -> str:
        """See `Family`."""
        return make_example(static, "torch", f'torch.jit.load("{name}")', "net(*map(torch.from_numpy, inputs))")


def save_program(static: StaticNetwork, path: Path) -> None:
    """Write `static` as a graph of torch.export."""
    program = export_program(static, zero_inputs(static))
    program.example_inputs = None  # as large as the pictures
    torch.export.save(program, path)


def _run(module: Callable[..., Any], static: StaticNetwork, samples: Iterable[Arrays]) -> Iterator[Arrays]:
    for sample in samples:
        with torch.no_grad(), quiet():
            found = module(*(torch.from_numpy(sample[port.name]) for port in static.inputs))
        yield {port.name: each.numpy() for port, each in zip(static.outputs, found, strict=True)}
