"""The command `evaluate`, to be registered by the package's cli.py; nothing heavy is imported here."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Exposure(StrEnum):
    """Whether the plate is matched to each picture's exposure, as it is live."""

    MATCHED = "matched"
    UNMATCHED = "unmatched"
    BOTH = "both"


def evaluate(
    people: Annotated[
        Path | None, typer.Option(help="Composites: folder of NAME.jpg (colours) and NAME.png (alpha).")
    ] = None,
    plates: Annotated[Path | None, typer.Option(help="Composites: folder of pictures of empty rooms.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Composites to make.")] = 40,
    seed: Annotated[int, typer.Option(min=0, help="Composites: which ones.")] = 1,
    size: Annotated[str, typer.Option(help="Composites: WIDTHxHEIGHT in pixels.")] = "1280x720",
    clips: Annotated[Path | None, typer.Option(help="Folder of NAME.mp4, NAME-alpha.mp4, NAME-plate.png.")] = None,
    every: Annotated[int, typer.Option(min=1, help="Clips: score every so many frames; dtSSD is of all.")] = 5,
    take_plates: Annotated[
        bool, typer.Option("--take-plates", help="Clips: plates from the first still seconds, as live.")
    ] = False,
    predicted: Annotated[Path | None, typer.Option(help="Folder of alphas, PNG, to score against --truth.")] = None,
    truth: Annotated[Path | None, typer.Option(help="Folder of true alphas, PNG, of the same names.")] = None,
    matting: Annotated[
        list[str] | None,
        typer.Option(help="bgmv2, bgmv2:WEIGHTS or difference; may be repeated.", show_default="bgmv2 and difference"),
    ] = None,
    exposure: Annotated[Exposure, typer.Option(help="Match the plate to each picture's exposure?")] = Exposure.MATCHED,
    live: Annotated[
        bool,
        typer.Option(
            "--live", help="As live frames are matted: a smaller base input than for files, and no mirror image."
        ),
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, or cuda.")] = "auto",
    output: Annotated[Path, typer.Option(help="Folder for scores.md and scores.json.")] = Path("camdaemon-scores"),
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for strips to look at: frame, truth, each alpha.")
    ] = None,
) -> None:
    """Score mattings: on composites, on clips with a known alpha, or of alphas that are there already."""
    from rich.console import Console

    from camdaemon.tools.evaluate.report import table, write
    from camdaemon.tools.evaluate.run import Plan

    plan = Plan(people, plates, count, seed, size, clips, every, take_plates, predicted, truth, live, device, pictures)
    rows, written = [], []
    for more in plan.run(matting or ["bgmv2", "difference"], exposure.value):
        rows += more
        written = write(output, rows, plan.facts())  # after each set, for a later one may fail
    Console().print(table(rows))
    print("Written: " + ", ".join(str(path) for path in written))
