"""`camdaemon train base|joint`. Heavy modules are imported when a run begins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="Train the matting network (Lin et al. 2021 §4.3); on several GPUs: torchrun.")

Data = Annotated[
    list[Path] | None,
    typer.Option(
        "--data", help="Folder with people/ and plates/, or with fgr/ and pha/; repeatable. Not needed to resume."
    ),
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
Backbone = Annotated[str, typer.Option(help="mobilenetv2, resnet50, resnet101 or slim; if --start has no decoder.")]
Kernel = Annotated[int, typer.Option(help="Kernel size of the refiner, 1 or 3; if --start has no refiner.")]
Precision = Annotated[str, typer.Option(help="Number format: auto, bf16, fp16 or fp32.")]
Device = Annotated[str, typer.Option(help="Device: auto, cpu or cuda.")]
Blocks = Annotated[int, typer.Option(min=0, help="Blocks of the encoder, from the first, that are not trained.")]
Workers = Annotated[
    int | None, typer.Option(min=0, help="Processes that make samples.", show_default="what the machine has to spare")
]
Seed = Annotated[int, typer.Option(help="Random seed; the same seed gives the same run.")]
Every = Annotated[int, typer.Option("--validate-every", min=1, help="Steps between validations and checkpoints.")]
Samples = Annotated[int, typer.Option("--validation-samples", min=1, help="Number of composites per validation.")]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on from OUT/last.pt as the run began; what is typed beside --out is changed."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace the run in OUT.")]


@app.command()
def base(
    context: typer.Context,
    out: Out,
    data: Data = None,
    plates: Plates = None,
    cache: Cache = None,
    start: Start = None,
    steps: Steps = None,
    minutes: Minutes = None,
    batch: Batch = 16,
    size: Size = None,
    rate: Rate = 1.0,
    backbone: Backbone = "mobilenetv2",
    frozen_blocks: Blocks = 0,
    precision: Precision = "auto",
    device: Device = "auto",
    workers: Workers = None,
    seed: Seed = 1,
    validate_every: Every = 250,
    validation_samples: Samples = 64,
    resume: Resume = False,
    force: Force = False,
) -> None:
    """Train the base network at 256×144 to 656×368 pixels."""
    _run("base", **locals())


@app.command()
def joint(
    context: typer.Context,
    out: Out,
    data: Data = None,
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
    workers: Workers = None,
    seed: Seed = 1,
    validate_every: Every = 100,
    validation_samples: Samples = 16,
    resume: Resume = False,
    force: Force = False,
) -> None:
    """Train the refiner on a trained base network, at 1280×720 pixels."""
    _run("joint", **locals())


def _run(stage: str, context: typer.Context, **values: Any) -> None:
    from camdaemon.errors import ConfigError
    from camdaemon.tools.train.folder import recall
    from camdaemon.tools.train.loop import train
    from camdaemon.tools.train.recipe import make_recipe

    resume, out = values["resume"], values["out"]
    if resume and values["force"]:
        raise ConfigError("--resume goes on with the run that --force replaces. Leave one of them out")
    if resume:
        values = {name: value for name, value in values.items() if _is_typed(context, name)}
    elif not values["data"]:
        raise ConfigError(f"there is nothing to train on. Run with: camdaemon train {stage} --data FOLDER")
    chosen = {"stage": stage, **dict(_to_field(name, value) for name, value in values.items())}
    train(recall(out, chosen) if resume else make_recipe(chosen))


def _is_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _to_field(name: str, value: Any) -> tuple[str, Any]:
    """Return an option as the field of the recipe that it sets."""
    if name == "size":
        return "sizes", _sizes(value)
    if name == "whole":
        return "frozen_base", not value
    return {"kernel": "kernel_size"}.get(name, name), value


def _sizes(size: str | None) -> tuple[tuple[int, int], ...]:
    if size is None:
        return ()
    from camdaemon.errors import ConfigError

    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal()) or int(width) % 4 or int(height) % 4 or not int(width):
        raise ConfigError(f"--size {size} is not WIDTHxHEIGHT in multiples of 4. Run with: --size 320x176")
    return ((int(height), int(width)),)
