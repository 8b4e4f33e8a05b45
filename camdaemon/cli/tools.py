"""Options of the commands on files, and `camdaemon weights import`. What they do is in the package `tools`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from camdaemon.frames.kinds import BACKDROPS, MATTINGS, syntax_of

if TYPE_CHECKING:
    from camdaemon.config.schema import Config


class Work(StrEnum):
    """How much of it goes into a frame."""

    LIVE = "live"
    FILES = "files"


Backdrop = Annotated[str, typer.Option(help=f"Backdrop of --composite: {syntax_of(BACKDROPS)}.")]
Weights = Annotated[
    str | None, typer.Option(help="Weights: 'default', 'published', 'slim', or a .safetensors or .pth file.")
]
Matting = Annotated[str | None, typer.Option(help=f"Matting: {syntax_of(MATTINGS)}.", show_default="bgmv2")]
Device = Annotated[str | None, typer.Option(help="Device of the network: auto, cpu, or cuda.", show_default="auto")]
Match = Annotated[
    bool | None,
    typer.Option(
        "--match-exposure/--no-match-exposure",
        help="Plate matched to the picture's exposure and white balance.",
        show_default="yes",
    ),
]
Effort = Annotated[
    Work,
    typer.Option(
        help="Work on each frame: for files as much as the best matte takes, live as much as the daemon does."
    ),
]
Align = Annotated[
    bool, typer.Option("--align", help="The camera has moved since the plate was taken, or is held by hand: follow it.")
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="End with an error where the plate does not fit; else it is left out there."),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite results that are there; never what is read.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")]


def weights_import(
    file: Annotated[Path, typer.Argument(help="Checkpoint in the published layout: .pth or .safetensors.")],
    output: Annotated[
        Path | None, typer.Option(help="File to write.", show_default="the same name with .safetensors")
    ] = None,
    float32: Annotated[bool, typer.Option("--float32", help="Full precision, twice the size.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there; never what is read.")] = False,
) -> None:
    """Check a Background Matting V2 checkpoint and convert it to .safetensors."""
    from camdaemon.tools.weights_import import import_weights

    done = import_weights(file, output, float32=float32, replace=force)
    print(f"{done}\nUse it with: camdaemon run --weights {done.path}")


def load_settings(
    path: Path | None, weights: str | None, matting: str | None, device: str | None, match_exposure: bool | None
) -> Config:
    """Load the configuration with what was typed instead of some of it. Raises ConfigError."""
    from camdaemon.config.schema import load

    return load(path, dict(weights=weights, matting=matting, device=device, match_exposure=match_exposure))
