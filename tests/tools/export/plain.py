"""A format that needs no runtime, and the example of a card as a program."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

from camdaemon.tools.export.family import Arrays, Request
from camdaemon.tools.export.static import StaticNetwork
from camdaemon.tools.export.torch_files import ExportedFile


class Plain(ExportedFile):
    """Keeps the network in memory: nothing has to be converted."""

    def write(self, static: StaticNetwork, path: Path) -> None:
        path.write_bytes(b"a network")
        self.network = copy.deepcopy(static)

    def run(self, static: StaticNetwork, path: Path, samples: Iterable[Arrays]) -> Iterator[Arrays]:
        for sample in samples:
            with torch.inference_mode():
                found = self.network(*(torch.from_numpy(each) for each in sample.values()))
            yield {port.name: each.numpy() for port, each in zip(static.outputs, found, strict=True)}


def run_example(request: Request, pictures: tuple[np.ndarray, np.ndarray], python: str = sys.executable) -> np.ndarray:
    """Run the example on the card of an export beside it, on RGB pictures; returns alpha, uint8."""
    folder = request.output.parent
    for name, picture in zip(("src.png", "plate.png"), pictures, strict=True):
        cv2.imwrite(str(folder / name), picture[..., ::-1])
    card = request.output.with_name(f"{request.output.name}.md").read_text("utf-8")
    found = re.search(r"```python\n(.*?)```", card, re.S)
    assert found
    assert len(found[1].splitlines()) <= 7
    done = subprocess.run(
        [python, "-W", "ignore", "-c", found[1]], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    alpha = cv2.imread(str(folder / "alpha.png"), cv2.IMREAD_UNCHANGED)
    assert alpha is not None
    return np.asarray(alpha)
