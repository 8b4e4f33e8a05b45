"""`camdaemon image`, `video` and `weights import`: their options. What they do is in the package `tools`."""

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


_PICTURE = "A file; a folder where --src is one."
_VIDEO = "A .mkv, .mp4 or .mov file, or a folder for a PNG of each frame."
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


def image(
    src: Annotated[Path, typer.Option(help="Picture of the person, or a folder of NAME_img.png and NAME_back.png.")],
    plate: Annotated[
        Path | None,
        typer.Option(help="Picture of the empty room, not for a folder; or 'none': weights that can do without it."),
    ] = None,
    alpha: Annotated[Path | None, typer.Option(help=f"Alpha, 8-bit gray PNG of the picture's size. {_PICTURE}")] = None,
    foreground: Annotated[Path | None, typer.Option(help=f"Foreground, cut out, RGBA PNG. {_PICTURE}")] = None,
    composite: Annotated[Path | None, typer.Option(help=f"Composite over the backdrop, PNG. {_PICTURE}")] = None,
    error: Annotated[Path | None, typer.Option(help=f"Predicted error, gray PNG. {_PICTURE}")] = None,
    refined: Annotated[Path | None, typer.Option(help=f"Refined pixels in white, PNG. {_PICTURE}")] = None,
    backdrop: Backdrop = "color:#2f4f5f",
    weights: Weights = None,
    matting: Matting = None,
    device: Device = None,
    match_exposure: Match = None,
    effort: Effort = Work.FILES,
    align: Align = False,
    strict: Strict = False,
    config: ConfigFile = None,
    force: Force = False,
) -> None:
    """Matte a picture with a picture of its empty room, or a folder of such pairs."""
    from camdaemon.tools.files.image import check_pairs, find_pairs, matte_pairs
    from camdaemon.tools.files.offline import OfflinePipeline
    from camdaemon.tools.files.results import NO_PLATE, ResultPaths, check_files_backdrop

    todo = find_pairs(src, plate, ResultPaths(alpha, foreground, composite, error, refined))
    settings = _settings(config, weights, matting, device, match_exposure)
    check_files_backdrop(backdrop, plate)  # before the network is loaded
    check_pairs(todo, [src, backdrop, settings.weights, *([] if config is None else [config])], force=force)
    pipeline = OfflinePipeline(settings, live=effort is Work.LIVE, plates=str(plate) != NO_PLATE, align=align)
    matte_pairs(pipeline, todo, backdrop, settings.max_coverage, strict=strict)


def video(
    src: Annotated[Path, typer.Option(help="Video, or a folder of frames in the order of their names.")],
    plate: Annotated[
        str,
        typer.Option(
            help="Picture of the empty room; 'auto': taken from the first still, empty seconds; 'none': weights that "
            "can do without it."
        ),
    ] = "auto",
    alpha: Annotated[
        Path | None, typer.Option(help=f"Alpha, lossless in .mkv and folders, else H.264. {_VIDEO}")
    ] = None,
    foreground: Annotated[Path | None, typer.Option(help=f"Foreground; cut out in PNG. {_VIDEO}")] = None,
    composite: Annotated[Path | None, typer.Option(help=f"Composite over the backdrop. {_VIDEO}")] = None,
    error: Annotated[Path | None, typer.Option(help=f"Predicted error, gray. {_VIDEO}")] = None,
    refined: Annotated[Path | None, typer.Option(help=f"Refined pixels in white. {_VIDEO}")] = None,
    backdrop: Backdrop = "color:#2f4f5f",
    fps: Annotated[
        float | None,
        typer.Option(
            min=1, max=240, help="Frame rate of the output, in fps.", show_default="the video's own times; folder: 30"
        ),
    ] = None,
    weights: Weights = None,
    matting: Matting = None,
    device: Device = None,
    match_exposure: Match = None,
    effort: Effort = Work.FILES,
    align: Align = False,
    strict: Strict = False,
    config: ConfigFile = None,
    force: Force = False,
) -> None:
    """Matte every frame of a video, however long that takes. A composite gets the video's sound."""
    from camdaemon.plate.take import PlateRules
    from camdaemon.tools.files.offline import OfflinePipeline
    from camdaemon.tools.files.results import NO_PLATE, ResultPaths, check_files_backdrop
    from camdaemon.tools.files.video import FrameSequence, check_video, get_plate, matte_video

    wanted = ResultPaths(alpha, foreground, composite, error, refined)
    settings = _settings(config, weights, matting, device, match_exposure)
    frames = FrameSequence.open(src, fps)
    inputs = [plate, backdrop, settings.weights, *([] if config is None else [str(config)])]
    check_files_backdrop(backdrop, plate)  # before the network is loaded
    check_video(frames, wanted, inputs, force=force)
    pipeline = OfflinePipeline(settings, live=effort is Work.LIVE, plates=plate != NO_PLATE, align=align)
    room = get_plate(frames, pipeline, plate, PlateRules(**dict(settings.plate_taking)))
    count = matte_video(frames, pipeline, room, wanted, backdrop, settings.max_coverage, strict=strict)
    print(f"{count} frames: " + ", ".join(str(path) for path in wanted.paths().values()))


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


def _settings(
    path: Path | None, weights: str | None, matting: str | None, device: str | None, match_exposure: bool | None
) -> Config:
    from camdaemon.config.schema import load

    return load(path, dict(weights=weights, matting=matting, device=device, match_exposure=match_exposure))
