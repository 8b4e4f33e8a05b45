"""The page beside an export: what goes in, what comes out, how exact it is, and six lines that run it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from camdaemon import __version__
from camdaemon.model.layout import SIDE
from camdaemon.tools.export.static import Port, StaticNetwork

if TYPE_CHECKING:
    from camdaemon.tools.export.comparison import Difference
    from camdaemon.tools.export.family import Request

_COLORS = """\
Pictures are RGB, not BGR, gamma-encoded as they are in PNG and JPEG files and come from cameras (sRGB, not linear
light), from 0 for black to 1 for white, without any other normalization. A new picture is
`alpha * foreground + (1 - alpha) * backdrop`.
"""
_CONFIDENCE = """\
`confidence` says how far to trust each pixel of the plate: 1 where the room was photographed and has not changed since,
0 where nothing is known of it. Without any plate give any picture as `plate` and zeros as `confidence`.
"""


def card_path(output: Path) -> Path:
    """Return the path of the card of the export `output`."""
    return output.with_name(f"{output.name}.md")


def make_example(static: StaticNetwork, module: str, opened: str, called: str) -> str:
    """Return six lines of Python that read src.png and plate.png and write alpha.png.

    Args:
        static: The network.
        module: To import.
        opened: Expression for the network.
        called: Expression for its outputs; `net` is the network, `inputs` a list of arrays.
    """
    height, width = static.size
    known = f", np.ones((1, 1, {height}, {width}), np.float32)" if static.network.doubts else ""
    return "\n".join(
        [
            f"import cv2, numpy as np, {module}"
            if "\n" not in module
            else f"import cv2, numpy as np\n{module.strip()}",
            f"scaled = [cv2.resize(cv2.imread(name), ({width}, {height})) for name in ('src.png', 'plate.png')]",
            "inputs = [np.ascontiguousarray(each[None, ..., ::-1].transpose(0, 3, 1, 2) / np.float32(255)) "
            f"for each in scaled]{' + [' + known[2:] + ']' if known else ''}",
            f"net = {opened}",
            f"alpha, foreground, *_ = {called}",
            'cv2.imwrite("alpha.png", np.asarray(alpha)[0, 0] * 255)',
        ]
    )


def make_card(request: Request, static: StaticNetwork, difference: Difference, example: str) -> str:
    """Return the card of an export, Markdown."""
    sections = [
        f"# {request.output.name}",
        _introduce(request, static),
        _facts(request, static, difference),
        f"## Inputs\n\n{_ports(static.inputs)}",
        f"## Outputs\n\n{_ports(static.outputs)}",
        _COLORS + ("\n" + _CONFIDENCE if static.network.doubts else ""),
        f"## Example\n\n```python\n{example}\n```",
    ]
    return "\n\n".join(section.strip() for section in sections) + "\n"


def _introduce(request: Request, static: StaticNetwork) -> str:
    what = "The base network alone" if static.part == "base" else "Base network and refiner"
    text = (
        f"{what} of Background Matting V2 as {request.format.title}: finds the person in a picture, given a "
        "picture of the same room without the person. All shapes are fixed; a batch is one picture."
    )
    return f"{text}\n\n{request.format.note}" if request.format.note else text


def _facts(request: Request, static: StaticNetwork, difference: Difference) -> str:
    with request.weights.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    height, width = static.base
    facts = {
        "weights": f"{request.weights.name}, SHA-256 `{checksum}`; their licence is this file's",
        "made by": f"camdaemon {__version__}, torch {torch.__version__.partition('+')[0]}",
        "arithmetic": _ARITHMETIC[request.precision],
        "base network's input": f"{width}x{height} pixels",
    }
    if static.part == "whole":
        patches = request.pixels // SIDE**2
        facts["refined"] = f"{patches} patches of 4x4 pixels in every picture, those most likely wrong"
    facts["compared with torch"] = describe(difference)
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    return f"| | |\n| --- | --- |\n{rows}"


_ARITHMETIC = {
    "float32": "float32",
    "float16": "float16, the first blocks of the encoder in float32; inputs and outputs are float32",
    "int8": "the base network in int8 (weights of 7 bits), all else in float32; inputs and outputs are float32",
}


def describe(difference: Difference) -> str:
    """Return one line on what was measured."""
    off = ", ".join(
        f"{name} {largest:.2g} off at most and {difference.mean[name]:.2g} in the mean"
        for name, largest in sorted(difference.largest.items())
    )
    chosen = f"; {difference.alike:.2%} of the patches chosen alike, and measured there" * (difference.alike < 1)
    return f"{off}{chosen} ({difference.pictures} pictures of camdaemon's clip)"


def _ports(ports: tuple[Port, ...]) -> str:
    rows = [f"| `{port.name}` | {'x'.join(map(str, port.shape))} | float32 | {port.meaning} |" for port in ports]
    return "\n".join(["| name | shape (NCHW) | type | what it is |", "| --- | --- | --- | --- |", *rows])
