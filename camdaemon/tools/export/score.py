"""Errors of exports against the truth, by hand: `python -m camdaemon.tools.export.score FILE … --people … --plates …`.

Each file runs in its own runtime on the same composites, beside the network in float32 in torch. All files have to be
of the same weights, part and sizes. Plates are given as they are, without matching their exposure.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.frames.frame import Size
from camdaemon.matting.bgmv2.weights import find_weights, load_weights
from camdaemon.model.layout import base_size_for_lines
from camdaemon.tools.evaluate.composites import Case, Composites
from camdaemon.tools.export.comparison import compute_reference
from camdaemon.tools.export.family import Arrays, Request, load_family
from camdaemon.tools.export.formats import FORMATS, Format, Part
from camdaemon.tools.export.pictures import make_inputs
from camdaemon.tools.export.static import StaticNetwork, make_static


def score(
    files: Annotated[list[Path], typer.Argument(help="Exports of the same weights, part and sizes.")],
    people: Annotated[Path, typer.Option(help="Folder of NAME.jpg (colors) and NAME.png (alpha).")],
    plates: Annotated[Path, typer.Option(help="Folder of pictures of empty rooms.")],
    weights: Annotated[str, typer.Option(help="As of `export`.")] = "default",
    part: Annotated[Part, typer.Option(help="As of `export`.")] = "whole",
    size: Annotated[str, typer.Option(help="As of `export`.")] = "1280x720",
    lines: Annotated[int, typer.Option(help="As of `export`.")] = 272,
    pixels: Annotated[int, typer.Option(help="As of `export`.")] = 36_000,
    count: Annotated[int, typer.Option(min=1, help="Number of composites.")] = 24,
    seed: Annotated[int, typer.Option(min=0, help="Of the composites.")] = 1,
) -> None:
    """Print the mean absolute difference of alpha from the truth, times 1000, of each file and of torch."""
    path, frame = find_weights(weights), Size.parse(size)
    network = load_weights(str(path))
    static = make_static(network, frame, lines=lines, pixels=pixels, part=part)
    cases = Composites(people, plates, frame, count, seed)
    wanted = [
        _error(static, case, compute_reference(network, static, make_inputs(static, case.frame, case.plate), pixels))
        for case in cases
    ]
    truth = float(np.mean(wanted))
    height, width = base_size_for_lines(frame.height, frame.width, lines)
    print(f"{count} composites of {frame}, base input {width}x{height}: torch float32 has MAD {truth:.4f}")
    for file in files:
        request = Request(_find_format(file), path, file, part, frame, lines, pixels)
        samples = (make_inputs(static, case.frame, case.plate) for case in cases)
        found = load_family(request).run(static, file, samples)
        errors = [_error(static, case, outputs) for case, outputs in zip(cases, found, strict=True)]
        mad = float(np.mean(errors))
        print(f"{file.name}: MAD {mad:.4f}, {mad / truth - 1:+.2%}")


def _find_format(file: Path) -> Format:
    found = next((each for each in FORMATS if each.suffix == file.suffix), None)
    if found is None:
        raise ConfigError(f"{file} is no export. Name files that end in {', '.join(each.suffix for each in FORMATS)}")
    return found


def _error(static: StaticNetwork, case: Case, outputs: Arrays) -> float:
    """Return the mean absolute difference of alpha from the truth, times 1000, at the size of `static`."""
    height, width = static.size
    alpha = cv2.resize(case.alpha, (width, height), interpolation=cv2.INTER_AREA)
    return 1000 * float(np.abs(outputs["alpha"][0, 0] - alpha).mean())


if __name__ == "__main__":
    try:
        typer.run(score)
    except CamdaemonError as exc:
        print(f"camdaemon: {exc}", file=sys.stderr)
        sys.exit(exc.exit_code)
