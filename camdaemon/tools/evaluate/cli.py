"""The command `evaluate`; `camdaemon.cli` registers it. Heavy modules are imported when it runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from camdaemon.frames.kinds import MATTINGS, syntax_of


class Exposure(StrEnum):
    """Whether the plate is matched to each picture's exposure, as live."""

    MATCHED = "matched"
    UNMATCHED = "unmatched"
    BOTH = "both"


def evaluate(
    people: Annotated[
        Path | None, typer.Option(help="Composites: folder of NAME.jpg (colors) and NAME.png (alpha).")
    ] = None,
    plates: Annotated[
        Path | None, typer.Option(help="Composites and benchmarks: folder of pictures of empty rooms.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Composites: number.")] = 40,
    seed: Annotated[int, typer.Option(min=0, help="Composites: random seed, also of benchmarks.")] = 1,
    size: Annotated[str, typer.Option(help="Composites: WIDTHxHEIGHT in pixels.")] = "1280x720",
    clips: Annotated[
        Path | None, typer.Option(help="Clips: folder of NAME.mp4, NAME-alpha.mp4, NAME-plate.png.")
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Clips: distance of scored frames; dtSSD uses all frames.")] = 5,
    take_plates: Annotated[
        bool, typer.Option("--take-plates", help="Clips: plates from the first still seconds, as live.")
    ] = False,
    plate: Annotated[
        str | None, typer.Option(help="none: the mattings get no plate, neither of composites nor of clips.")
    ] = None,
    plate_faults: Annotated[
        bool,
        typer.Option(
            "--plate-faults",
            help="Score wrong plates instead, with every gate off: another room, moved, a person in it.",
        ),
    ] = False,
    predicted: Annotated[
        Path | None, typer.Option(help="Files: folder of alphas, PNG, to score against --truth.")
    ] = None,
    truth: Annotated[Path | None, typer.Option(help="Files: folder of true alphas, PNG, with the same names.")] = None,
    benchmark: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FOLDER",
            help="Published test sets: aim, distinctions646, photomatte85 (with --plates), videomatte240k; repeatable",
        ),
    ] = None,
    max_side: Annotated[
        int | None,
        typer.Option(min=64, help="Benchmarks: pixels a side of photos at most.", show_default="as they are"),
    ] = None,
    plate_noise: Annotated[
        str | None,
        typer.Option(
            metavar="LOW-HIGH", help="Benchmarks: standard deviation of plates' noise, 0..1.", show_default="0.08-0.15"
        ),
    ] = None,
    matting: Annotated[
        list[str] | None,
        typer.Option(help=f"{syntax_of(MATTINGS)}, or NAME:WEIGHTS; repeatable", show_default="bgmv2 and difference"),
    ] = None,
    exposure: Annotated[
        Exposure | None,
        typer.Option(
            help="Exposure of the plate, matched to each picture's or not.",
            show_default="matched; unmatched for benchmarks",
        ),
    ] = None,
    live: Annotated[
        bool,
        typer.Option("--live", help="Effort of live frames: a smaller base input than for files, and no mirror image."),
    ] = False,
    device: Annotated[str, typer.Option(help="Device: auto, cpu or cuda.")] = "auto",
    engine: Annotated[
        Literal["auto", "torch", "openvino"] | None,
        typer.Option(help="Run on bytes by this engine, as the daemon on a CPU.", show_default="in floats"),
    ] = None,
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "int8"], typer.Option(help="Number format of the engine.")
    ] = "auto",
    output: Annotated[Path, typer.Option(help="Folder for scores.md and scores.json.")] = Path("camdaemon-scores"),
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for strips to look at: frame, truth, each alpha.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files of others in these folders.")] = False,
) -> None:
    """Score mattings: on composites, on clips with a known alpha, on published test sets, or of alphas in files."""
    from rich.console import Console

    from camdaemon.tools.evaluate.benchmarks.run import Benchmarks
    from camdaemon.tools.evaluate.evaluation import Evaluation, describe_defaults
    from camdaemon.tools.evaluate.strips import Strips
    from camdaemon.tools.evaluate.tables import make_tables, write_scores
    from camdaemon.tools.own_folder import OwnFolder

    strips = Strips(pictures)
    evaluation = Evaluation(
        *(people, plates, count, seed, size, clips, every, take_plates, predicted, truth, live, device, strips),
        plate=plate,
        plate_faults=plate_faults,
        engine=engine,
        precision=precision,
        benchmarks=Benchmarks(tuple(benchmark or ()), plates, seed, max_side, plate_noise),
    )
    own = evaluation.claim_folders(output, force=force)
    rows, written = [], []
    for more in evaluation.run(matting, exposure.value if exposure else None):
        rows += more
        written = write_scores(own.path, rows, evaluation.describe())  # after each set, since a later one may fail
        own.record([path.name for path in written])
        if pictures is not None:
            OwnFolder(pictures).record(strips.written)
    for table in make_tables(rows):
        Console().print(table)
    print(f"Default weights: {describe_defaults()}")
    print("Written: " + ", ".join(str(path) for path in written))
