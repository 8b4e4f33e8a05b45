"""The command `bench`. Nothing heavy is imported until it runs."""

from __future__ import annotations

from typing import Annotated, Literal

import typer


def bench(
    source: Annotated[
        str,
        typer.Option(help="Video file or 'pattern'; the plate of NAME.mp4 is NAME-plate.png, else its first frame."),
    ] = "pattern",
    size: Annotated[
        str | None, typer.Option(help="WIDTHxHEIGHT in pixels, multiples of 4.", show_default="the source's")
    ] = None,
    weights: Annotated[
        str, typer.Option(help="'default', 'published', 'slim', or a .safetensors or .pth file.")
    ] = "default",
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where the network runs.")] = "auto",
    engine: Annotated[
        Literal["auto", "torch", "openvino"],
        typer.Option(help="Without CUDA: auto (the fastest here, Intel's GPU and NPU too), torch, or openvino."),
    ] = "auto",
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "int8"], typer.Option(help="Number format of the network on a CPU.")
    ] = "auto",
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="CPU threads of the network.", show_default="half of the processors"),
    ] = None,
    frames: Annotated[int, typer.Option(min=2, help="Number of frames in each run.")] = 200,
) -> None:
    """Measure how fast this machine is: each stop of a frame, and end to end."""
    from rich.console import Console

    from camdaemon.config.schema import Config
    from camdaemon.frames.frame import Size
    from camdaemon.tools.bench.measure import make_tables, measure

    config = Config(
        source=source,
        sink="null",
        size=None if size is None else Size.parse(size),
        weights=weights,
        device=device,
        engine=engine,
        precision=precision,
    )
    found = measure(config, frames, threads)
    console = Console()
    for table in make_tables(found):
        console.print(table)
    console.print(found["about"], highlight=False, soft_wrap=True)
