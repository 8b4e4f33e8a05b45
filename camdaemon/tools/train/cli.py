"""`camdaemon train base|joint`. Heavy things are imported when a run begins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Train the matting network (Lin et al. 2021 §4.3); more than one GPU: torchrun.")

Data = Annotated[
    list[Path], typer.Option("--data", help="Folder with people/ and plates/, or with fgr/ and pha/; may be repeated.")
]
Plates = Annotated[list[Path] | None, typer.Option("--plates", help="Folder of empty rooms; may be repeated.")]
Out = Annotated[Path, typer.Option(help="Folder for checkpoints, pictures and curves.")]
Cache = Annotated[Path | None, typer.Option(help="Folder for the packed data.", show_default="OUT/cache")]
Start = Annotated[Path | None, typer.Option(help="Weights to begin with: .safetensors or .pth; an encoder will do.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Stop after so many steps.")]
Minutes = Annotated[float | None, typer.Option(min=0.0, help="Stop after so many minutes.")]
Batch = Annotated[int, typer.Option(min=1, help="Samples per step and process.")]
Size = Annotated[str | None, typer.Option(help="WIDTHxHEIGHT of all samples.", show_default="the recipe's")]
Rate = Annotated[float, typer.Option(min=0.0, help="All learning rates times this.")]
Backbone = Annotated[str, typer.Option(help="mobilenetv2, resnet50 or resnet101; when --start has no decoder.")]
Kernel = Annotated[int, typer.Option(help="The refiner's kernel, 1 or 3; when --start has no refiner.")]
Precision = Annotated[str, typer.Option(help="auto, bf16, fp16 or fp32.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Seed = Annotated[int, typer.Option(help="Same seed, same run.")]
Every = Annotated[int, typer.Option("--validate-every", min=1, help="Steps between validations (and checkpoints).")]
Samples = Annotated[int, typer.Option("--validation-samples", min=1, help="Composites of a validation.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from OUT/last.pt.")]


@app.command()
def base(
    data: Data,
    out: Out,
    plates: Plates = None,
    cache: Cache = None,
    start: Start = None,
    steps: Steps = None,
    minutes: Minutes = None,
    batch: Batch = 16,
    size: Size = None,
    rate: Rate = 1.0,
    backbone: Backbone = "mobilenetv2",
    precision: Precision = "auto",
    device: Device = "auto",
    seed: Seed = 1,
    validate_every: Every = 250,
    validation_samples: Samples = 64,
    resume: Resume = False,
) -> None:
    """Train the base network at 256×144 to 656×368 pixels."""
    _run("base", **{name: value for name, value in locals().items() if name != "size"}, sizes=_sizes(size))


@app.command()
def joint(
    data: Data,
    out: Out,
    start: Start = None,
    plates: Plates = None,
    cache: Cache = None,
    steps: Steps = None,
    minutes: Minutes = None,
    batch: Batch = 2,
    size: Size = None,
    rate: Rate = 1.0,
    kernel: Kernel = 3,
    whole: Annotated[
        bool, typer.Option("--whole/--refiner-only", help="Whether the base network learns, too.")
    ] = False,
    refined_pixels: Annotated[int, typer.Option(min=16, help="Pixels refined in each picture.")] = 80_000,
    precision: Precision = "auto",
    device: Device = "auto",
    seed: Seed = 1,
    validate_every: Every = 100,
    validation_samples: Samples = 16,
    resume: Resume = False,
) -> None:
    """Train the refiner on a trained base network, at 1280×720 pixels."""
    chosen = {name: value for name, value in locals().items() if name not in {"size", "kernel", "whole"}}
    _run("joint", **chosen, sizes=_sizes(size), kernel_size=kernel, frozen_base=not whole)


def _run(stage: str, **chosen: object) -> None:
    from .loop import train
    from .recipe import checked

    train(checked({"stage": stage, **chosen}))


def _sizes(size: str | None) -> tuple[tuple[int, int], ...]:
    if size is None:
        return ()
    from camdaemon.errors import ConfigError

    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal()) or int(width) % 4 or int(height) % 4 or not int(width):
        raise ConfigError(f"--size {size} is not WIDTHxHEIGHT in multiples of 4; type for instance: --size 320x176")
    return ((int(height), int(width)),)
