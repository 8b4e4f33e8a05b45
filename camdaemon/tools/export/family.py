"""What `camdaemon export` is asked for, and what every family of formats can do."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from camdaemon.errors import ConfigError
from camdaemon.frames.frame import Size
from camdaemon.tools.export.formats import Format, Part, Precision
from camdaemon.tools.export.static import StaticNetwork

Arrays = Mapping[str, NDArray[np.float32]]  # by the names of inputs or outputs


@dataclass(frozen=True, slots=True)
class Request:
    """What to export.

    Attributes:
        format: The format.
        weights: Path of the checkpoint.
        output: The file to write.
        part: Of the network.
        size: Of the pictures; the base alone takes them in the size of its own input.
        lines: Pixels along the shorter side of the base network's input.
        pixels: Pixels that are refined in every picture.
        precision: Number format.
        python: Of an environment that has the runtime, where this one has not; LiteRT alone.
        force: Overwrite what is there.
    """

    format: Format
    weights: Path
    output: Path
    part: Part
    size: Size
    lines: int
    pixels: int
    precision: Precision = "float32"
    python: Path | None = None
    force: bool = False


class Family(Protocol):
    """Writes and runs the files of a family of formats; made with a `Request`.

    Making one raises ConfigError where its packages are missing, or cannot do what is asked.
    """

    def files(self, output: Path) -> list[Path]:
        """Return every file that `write` makes for `output`, which is the last of them to take its name."""

    def write(self, static: StaticNetwork, path: Path) -> None:
        """Write `static` to `path`, and what belongs to it beside that.

        Raises:
            CamdaemonError: The network cannot be converted.
        """

    def run(self, static: StaticNetwork, path: Path, samples: Iterable[Arrays]) -> Iterator[Arrays]:
        """Run the file at `path` in its own runtime, on the CPU where that can: the outputs for each of `samples`."""

    def example(self, static: StaticNetwork, name: str) -> str:
        """Return Python lines that run the file `name`; see `card.example`."""


def load_family(request: Request) -> Family:
    """Return what writes and runs the files of `request`."""
    module, _, name = request.format.family.partition(":")
    made: Family = getattr(importlib.import_module(f"{__package__}.{module}"), name)(request)
    return made


def check_modules(format_: Format) -> None:
    """Check that what `format_` needs can be imported.

    Raises:
        ConfigError: Something is missing; the message says how to install it.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # else importing OpenVINO reports that
    for module in format_.modules:
        try:
            importlib.import_module(module)
        except ImportError as exc:
            packages = " ".join(format_.packages)
            raise ConfigError(
                f"to export {format_.title}, {module} is needed: {exc}. Run: {sys.executable} -m pip install {packages}"
            ) from exc


def zero_inputs(static: StaticNetwork) -> tuple[torch.Tensor, ...]:
    """Return inputs of the right shapes, to follow the computation with."""
    return tuple(torch.zeros(port.shape) for port in static.inputs)


def export_program(module: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> torch.export.ExportedProgram:
    """Return `module` as a graph of torch.export, without the paths of source files on this machine."""
    with quiet(), torch.no_grad():
        program = torch.export.export(module, args)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    return program


@contextmanager
def quiet() -> Iterator[None]:
    """Hide warnings of converters, which are about their own insides."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
