"""`camdaemon train base|joint`. Heavy modules are imported when a run begins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Train the matting network (Lin et al. 2021 §4.3); on several GPUs: torchrun.")

Data = Annotated[
    list[Path], typer.Option("--data", help="Folder with people/ and plates/, or with fgr/ and pha/; repeatable.")
]
Plates = Annotated[list[Path] | None, typer.Option("--plates", help="Folder of empty rooms; repeatable.")]
Out = Annotated[Path, typer.Option(help="Folder for checkpoints, pictures and curves.")]
Cache = Annotated[Path | None, typer.Option(help="Folder for the packed data.", show_default="OUT/cache")]
Start = Annotated[Path | None, typer.Option(help="Initial weights, .safetensors or .pth; an encoder is enough.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Length of the run in steps.")]
Minutes = Annotated[float | None, typer.Option(min=0.0, help="Length of the run in minutes.")]
Batch = Annotated[int, typer.Option(min=1, help="Samples per step and process.")]
Size = Annotated[str | None, typer.Option(help="WIDTHxHEIGHT of all samples, in pixels.", show_default="the recipe's")]
Rate = Annotated[float, typer.Option(min=0.0, help="Factor for all learning rates.")]
Backbone = Annotated[str, typer.Option(help="mobilenetv2, resnet50 or resnet101; if --start has no decoder.")]
Kernel = Annotated[int, typer.Option(help="Kernel size of the refiner, 1 or 3; if --start has no refiner.")]
Precision = Annotated[str, typer.Option(help="Number format: auto, bf16, fp16 or fp32.")]
Device = Annotated[str, typer.Option(help="Device: auto, cpu or cuda.")]
Seed = Annotated[int, typer.Option(help="Random seed; the same seed gives the same run.")]
Every = Annotated[int, typer.Option("--validate-every", min=1, help="Steps between validations and checkpoints.")]
Samples = Annotated[int, typer.Option("--validation-samples", min=1, help="Number of composites per validation.")]
Resume = Annotated[bool, typer.Option("--resume", help="Resume from OUT/last.pt.")]


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
        bool, typer.Option("--whole/--refiner-only", help="Training of the base network, too, or of the refiner alone.")
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
    from camdaemon.tools.train.loop import train
    from camdaemon.tools.train.recipe import make_recipe

    train(make_recipe({"stage": stage, **chosen}))


def _sizes(size: str | None) -> tuple[tuple[int, int], ...]:
    if size is None:
        return ()
    from camdaemon.errors import ConfigError

    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal()) or int(width) % 4 or int(height) % 4 or not int(width):
        raise ConfigError(f"--size {size} is not WIDTHxHEIGHT in multiples of 4. Run with: --size 320x176")
    return ((int(height), int(width)),)
