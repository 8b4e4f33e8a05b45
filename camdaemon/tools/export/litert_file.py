"""LiteRT: the base network alone, converted and run by an environment that has litert-torch, this one or another."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.linux.programs import ask
from camdaemon.tools.export.card import make_example
from camdaemon.tools.export.family import Arrays, Request
from camdaemon.tools.export.static import StaticNetwork
from camdaemon.tools.export.torch_files import save_program

_CHILD = Path(__file__).with_name("litert_child.py")  # a program: the other environment has no camdaemon
_LONGEST_S = 1800.0
_LOOK = "import importlib.util as u, sys; sys.exit(any(u.find_spec(name) is None for name in sys.argv[1:]))"


class LiteRtFile:
    """A `Family` of one file, made and run in another process.

    Raises:
        ConfigError: Neither this environment nor the one that was named has litert-torch.
    """

    def __init__(self, request: Request) -> None:
        self._python = str(request.python or sys.executable)
        modules = request.format.modules
        if request.python is None and all(importlib.util.find_spec(name) for name in modules):
            return
        if request.python is None or ask([self._python, "-c", _LOOK, *modules]).code:
            raise ConfigError(
                f"to export LiteRT, litert-torch is needed, in an environment of its own because it wants other "
                f"versions than camdaemon, and {self._python} has none. Run: python3 -m venv litert && "
                "litert/bin/pip install litert-torch, then add: --python litert/bin/python"
            )

    def files(self, output: Path) -> list[Path]:
        """See `Family`."""
        return [output]

    def write(self, static: StaticNetwork, path: Path) -> None:
        """See `Family`."""
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder, "network.pt2")
            save_program(static, program)
            shapes = ["x".join(map(str, port.shape)) for port in static.inputs]
            inputs = ",".join(f"{port.name}={shape}" for port, shape in zip(static.inputs, shapes, strict=True))
            self._ask("convert", program, path, inputs, ",".join(port.name for port in static.outputs))

    def run(self, static: StaticNetwork, path: Path, samples: Iterable[Arrays]) -> Iterator[Arrays]:
        """See `Family`."""
        with tempfile.TemporaryDirectory() as folder:
            given, found = Path(folder, "given.npz"), Path(folder, "found.npz")
            kept = list(samples)
            named = {f"{number}.{name}": each for number, sample in enumerate(kept) for name, each in sample.items()}
            np.savez(given, **dict[str, Any](named))
            self._ask("run", path, given, found)
            with np.load(found) as arrays:
                for number in range(len(kept)):
                    yield {port.name: arrays[f"{number}.{port.name}"] for port in static.outputs}

    def example(self, static: StaticNetwork, name: str) -> str:
        """See `Family`."""
        names = ", ".join(repr(port.name) for port in static.inputs)
        outputs = f"(found := net(**dict(zip(({names}), inputs))))['alpha'], found['foreground']"
        module = "\nfrom ai_edge_litert.interpreter import Interpreter"
        return make_example(static, module, f'Interpreter("{name}").get_signature_runner()', outputs)

    def _ask(self, *words: object) -> None:
        done = ask([self._python, "-W", "ignore", str(_CHILD), *map(str, words)], _LONGEST_S)
        if done.code:
            why = (done.err.strip() or done.out.strip() or f"exit code {done.code}").splitlines()[-1]
            raise CamdaemonError(f"LiteRT could not {words[0]} the network: {why}. Run: camdaemon export onnx")
