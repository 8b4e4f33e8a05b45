"""The command `bench`, to be registered by cli.py; nothing heavy is imported here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def bench(
    source: Annotated[str, typer.Option(help="A video file, or 'pattern'. NAME-plate.png beside it is its plate.")] = (
        "pattern"
    ),
    size: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT in pixels.", show_default="the source's")] = None,
    weights: Annotated[str, typer.Option(help="'default', or a .safetensors or .pth checkpoint.")] = "default",
    backbone: Annotated[
        str | None,
        typer.Option(help="Random weights of mobilenetv2, resnet50 or resnet101 instead.", show_default="none"),
    ] = None,
    refine: Annotated[str, typer.Option(help="Patches: sampling, thresholding or full.")] = "sampling",
    pixels: Annotated[
        int | None, typer.Option(min=0, help="sampling: pixels that are refined.", show_default="3.9 % of the frame")
    ] = None,
    scale: Annotated[
        float | None, typer.Option(help="Base network's share of the frame.", show_default="by size")
    ] = None,
    engine: Annotated[str, typer.Option(help="What runs the network on a CPU: auto, torch or openvino.")] = "auto",
    precision: Annotated[str, typer.Option(help="Its numbers there: auto, float32 or bfloat16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="Of torch, on the CPU.", show_default="its own")] = None,
    frames: Annotated[int, typer.Option(min=2, help="Frames in each run.")] = 40,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of either formulation, in turn.")] = 5,
    realtime: Annotated[
        bool, typer.Option("--realtime/--fast", help="End to end: as a camera, late frames dropped; or all of them.")
    ] = False,
    from_memory: Annotated[
        bool, typer.Option("--from-memory", help="End to end: frames neither decoded nor drawn, a few again and again.")
    ] = False,
    paper: Annotated[bool, typer.Option("--paper", help="Instead: the rows of the paper's tables on speed.")] = False,
    soak: Annotated[
        float | None,
        typer.Option(min=1, help="Instead: the real side alone, as a camera, for so many seconds.", show_default="no"),
    ] = None,
    fps: Annotated[
        float | None, typer.Option(min=1, max=240, help="The camera's rate with --soak.", show_default="the source's")
    ] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="Write everything into this file too.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the stops into this .png.")] = None,
) -> None:
    """How fast it is here: each stop and end to end, beside a plain formulation in the same run."""
    from rich.console import Console

    from camdaemon.errors import ConfigError
    from camdaemon.frames.frame import Size
    from camdaemon.tools.bench.paper import reproduce
    from camdaemon.tools.bench.report import sentences, tables, write_json
    from camdaemon.tools.bench.run import measure
    from camdaemon.tools.bench.soak import soak as play
    from camdaemon.tools.bench.subject import Subject

    if fps is not None and soak is None:
        raise ConfigError("--fps is the camera's rate with --soak; try --soak 60 --fps 60, or leave it out")
    if soak is not None and (paper or plot is not None):
        raise ConfigError("--soak measures one thing for long; leave --paper and --plot out")
    if plot is not None and (paper or plot.suffix.lower() != ".png"):
        raise ConfigError("--plot draws the stops into a .png, and there are none with --paper; try --plot bench.png")
    wanted = Subject(
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
    match soak:
        case None:
            found = reproduce(wanted) if paper else measure(wanted)
        case seconds:
            found = play(wanted, seconds, fps)
    console = Console()
    for table in tables(found):
        console.print(table)
    for sentence in sentences(found):
        console.print(sentence, highlight=False, soft_wrap=True)
    if json_ is not None:
        write_json(json_, found)
    if plot is not None:
        from camdaemon.tools.bench.plot import write_plot

        write_plot(plot, found)
