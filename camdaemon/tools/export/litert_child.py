"""Converts and runs LiteRT files: a program for an environment that has litert-torch and not camdaemon.

litert_child.py convert NETWORK.pt2 FILE.tflite src=1x3x272x480,plate=1x3x272x480 alpha,foreground
litert_child.py run FILE.tflite GIVEN.npz FOUND.npz
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np


def convert(program: str, target: str, inputs: str, outputs: str) -> None:
    """Convert a graph of torch.export, with the names of its inputs and outputs, in their order."""
    import litert_torch  # type: ignore[import-not-found, unused-ignore]
    import torch

    class Named(torch.nn.Module):
        """The network with its outputs by name."""

        def __init__(self) -> None:
            super().__init__()
            self.network = torch.export.load(program).module()

        def forward(
            self, src: torch.Tensor, plate: torch.Tensor, confidence: torch.Tensor | None = None
        ) -> dict[str, torch.Tensor]:
            given = [src, plate] if confidence is None else [src, plate, confidence]
            return dict(zip(outputs.split(","), self.network(*given), strict=True))

    shapes = (each.split("=") for each in inputs.split(","))
    given = {name: torch.zeros([int(side) for side in shape.split("x")]) for name, shape in shapes}
    litert_torch.convert(Named(), sample_kwargs=given).export(target)


def run(path: str, given: str, found: str) -> None:
    """Run a file on several inputs, each array as NUMBER.NAME, to outputs that are called alike."""
    from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-not-found, unused-ignore]

    runner: Any = Interpreter(path).get_signature_runner()
    samples: dict[str, dict[str, Any]] = {}
    with np.load(given) as arrays:
        for key, each in arrays.items():
            number, _, name = key.partition(".")
            samples.setdefault(number, {})[name] = each
    outputs = {number: runner(**sample) for number, sample in samples.items()}
    np.savez(found, **{f"{number}.{name}": each for number, maps in outputs.items() for name, each in maps.items()})


if __name__ == "__main__":
    command, *words = sys.argv[1:]
    (convert if command == "convert" else run)(*words)
