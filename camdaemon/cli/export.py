"""The command `export`. Nothing heavy is imported until it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from camdaemon.tools.export.formats import FORMATS, find_format

FormatName = Literal["onnx", "openvino", "torch", "torchscript", "litert", "tensorrt"]  # as in FORMATS
_TITLES = ", ".join(f"{each.name} ({each.title}, {each.suffix})" for each in FORMATS)


def export(
    format_: Annotated[
        FormatName,
        typer.Argument(metavar="FORMAT", help=f"{_TITLES}.", show_choices=False),
    ],
    output: Annotated[Path, typer.Option(help="File to write; what it takes and gives is said in FILE.md beside it.")],
    weights: Annotated[
        str, typer.Option(help="'default', 'published', 'slim', or a .safetensors or .pth file.")
    ] = "default",
    part: Annotated[
        Literal["whole", "base"] | None,
        typer.Option(help="Base network and refiner, or the base alone.", show_default="whole; litert: base"),
    ] = None,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT of the pictures, multiples of 4.")] = "1280x720",
    lines: Annotated[
        int, typer.Option(min=16, max=4096, help="Lines of the base network's input; for --part base, of the pictures.")
    ] = 272,
    pixels: Annotated[
        int | None,
        typer.Option(min=16, help="Pixels that are refined in every picture.", show_default="3.9 % of them"),
    ] = None,
    precision: Annotated[
        Literal["float32", "float16", "int8"], typer.Option(help="Number format; int8: openvino alone.")
    ] = "float32",
    python: Annotated[Path | None, typer.Option(help="litert: Python of an environment that has litert-torch.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there; never what is read.")] = False,
) -> None:
    """Write the network as a file for another runtime, after comparing it with torch."""
    from camdaemon.frames.frame import Size
    from camdaemon.matting.bgmv2.weights import find_weights
    from camdaemon.tools.export.export import export as write
    from camdaemon.tools.export.family import Request

    row, frame = find_format(format_), Size.parse(size)
    share = round(frame.width * frame.height * 0.0390625) if pixels is None else pixels
    path = find_weights(weights)
    print(write(Request(row, path, output, part or row.parts[0], frame, lines, share, precision, python, force)))
