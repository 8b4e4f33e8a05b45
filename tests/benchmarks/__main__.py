"""`python tests/benchmarks`: how fast camdaemon is, compared with a baseline in the same run (docs/performance.md)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).parents[2]))

from camdaemon.errors import CamdaemonError, ConfigError


def main(
    source: Annotated[str, typer.Option(help="Video file, or 'pattern'. The plate of NAME.mp4 is NAME-plate.png.")] = (
        "pattern"
    ),
    size: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT in pixels.", show_default="the source's")] = None,
    weights: Annotated[str, typer.Option(help="'published', or a checkpoint of that layout.")] = "published",
    backbone: Annotated[
        str | None,
        typer.Option(help="Random weights of mobilenetv2, resnet50 or resnet101 instead.", show_default="none"),
    ] = None,
    refine: Annotated[str, typer.Option(help="Selection of patches: sampling, thresholding or full.")] = "sampling",
    pixels: Annotated[
        int | None, typer.Option(min=0, help="sampling: number of refined pixels.", show_default="3.9 % of the frame")
    ] = None,
    scale: Annotated[
        float | None, typer.Option(help="Base network's share of the frame, 0 to 1.", show_default="by size")
    ] = None,
    engine: Annotated[str, typer.Option(help="Inference engine on a CPU: auto, torch or openvino.")] = "auto",
    precision: Annotated[str, typer.Option(help="Number format on a CPU: auto, float32, bfloat16 or int8.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, or cuda.")] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Number of CPU threads of each side.", show_default="one for each core")
    ] = None,
    frames: Annotated[int, typer.Option(min=2, help="Number of frames in each run.")] = 40,
    rounds: Annotated[int, typer.Option(min=1, help="Number of runs of each side, in turns.")] = 5,
    realtime: Annotated[
        bool, typer.Option("--realtime/--fast", help="End to end: as a camera, late frames dropped; or every frame.")
    ] = False,
    from_memory: Annotated[
        bool, typer.Option("--from-memory", help="End to end: a few decoded frames, repeated; no decoding.")
    ] = False,
    paper: Annotated[bool, typer.Option("--paper", help="Instead: the rows of the paper's tables on speed.")] = False,
    soak: Annotated[
        float | None,
        typer.Option(min=1, help="Instead: camdaemon alone behind a camera, in seconds.", show_default="no"),
    ] = None,
    plate: Annotated[
        bool, typer.Option("--plate", help="Instead: what looking after the plate costs, with weights that doubt it.")
    ] = False,
    fps: Annotated[
        float | None, typer.Option(min=1, max=240, help="Camera rate with --soak.", show_default="the source's")
    ] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="JSON file for all figures.")] = None,
    plot: Annotated[Path | None, typer.Option(help="PNG file for a plot of the stops.")] = None,
) -> None:
    """Measure the network alone, each stop and end to end, compared with a baseline in the same run."""
    from rich.console import Console

    from camdaemon.frames.frame import Size
    from tests.benchmarks.measure import measure
    from tests.benchmarks.paper import reproduce
    from tests.benchmarks.plate import measure_plate
    from tests.benchmarks.report import sentences, tables, write_json
    from tests.benchmarks.settings import Settings
    from tests.benchmarks.soak import soak as run_soak

    if fps is not None and soak is None:
        raise ConfigError("--fps is the camera's rate with --soak: there is none. Run: … --soak 60 --fps 60")
    if (soak is not None) + paper + plate > 1 or ((soak is not None or plate) and plot is not None):
        raise ConfigError("--soak, --paper and --plate are measurements of their own, --plot draws another: name one")
    if plot is not None and (paper or plot.suffix.lower() != ".png"):
        raise ConfigError("--plot draws the stops into a .png, and --paper has none. Run: … --plot bench.png")
    settings = Settings(
        source=source,
        size=None if size is None else Size.parse(size),
        weights=weights,
        backbone=backbone,
        mode=refine,
        pixels=pixels,
        scale=scale,
        device=device,
        engine=engine,
        precision=precision,
        frames=frames,
        rounds=rounds,
        threads=threads,
        realtime=realtime,
        from_memory=from_memory,
    )
    run = measure_plate if plate else reproduce if paper else measure
    found = run_soak(settings, soak, fps) if soak is not None else run(settings)
    console = Console()
    for table in tables(found):
        console.print(table)
    for sentence in sentences(found):
        console.print(sentence, highlight=False, soft_wrap=True)
    if json_ is not None:
        write_json(json_, found)
    if plot is not None:
        from tests.benchmarks.plot import write_plot

        write_plot(plot, found)


if __name__ == "__main__":
    try:
        typer.run(main)
    except CamdaemonError as exc:
        print(f"benchmarks: {exc}", file=sys.stderr)
        sys.exit(exc.exit_code)
