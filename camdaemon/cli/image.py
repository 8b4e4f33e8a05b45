"""`camdaemon image`: its options. What it does is in `tools/files`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from camdaemon.cli import tools as options
from camdaemon.cli.video import Depth

_PICTURE = "A file; a folder where --src is one."


def image(
    src: Annotated[Path, typer.Option(help="Picture of the person, or a folder of such pictures.")],
    plate: Annotated[
        Path | None,
        typer.Option(
            help="Picture of the empty room. For a folder: a folder of plates that are called like the pictures, or "
            "one plate for all of them. 'none': weights that can do without it.",
            show_default="NAME_back.png beside each NAME_img.png",
        ),
    ] = None,
    alpha: Annotated[Path | None, typer.Option(help=f"Alpha, gray PNG of the picture's size. {_PICTURE}")] = None,
    foreground: Annotated[Path | None, typer.Option(help=f"Foreground, cut out, RGBA PNG. {_PICTURE}")] = None,
    composite: Annotated[Path | None, typer.Option(help=f"Composite over the backdrop, PNG. {_PICTURE}")] = None,
    error: Annotated[Path | None, typer.Option(help=f"Predicted error, gray PNG. {_PICTURE}")] = None,
    refined: Annotated[Path | None, typer.Option(help=f"Refined pixels in white, PNG. {_PICTURE}")] = None,
    backdrop: options.Backdrop = "color:#2f4f5f",
    depth: Annotated[
        Depth, typer.Option(help="Bits of a color in the results; auto: 16 where the picture has more than 8.")
    ] = Depth.AUTO,
    weights: options.Weights = None,
    matting: options.Matting = None,
    device: options.Device = None,
    match_exposure: options.Match = None,
    effort: options.Effort = options.Work.FILES,
    align: options.Align = False,
    strict: options.Strict = False,
    jobs: Annotated[
        int, typer.Option(min=1, max=64, help="Pictures of a folder that are read and written at the same time.")
    ] = 1,
    config: options.ConfigFile = None,
    force: options.Force = False,
) -> None:
    """Matte a picture with a picture of its empty room, or a folder of such pairs."""
    from camdaemon.tools.files.image import matte_pairs
    from camdaemon.tools.files.offline import OfflinePipeline
    from camdaemon.tools.files.pairs import check_pairs, find_pairs
    from camdaemon.tools.files.results import NO_PLATE, ResultPaths, check_files_backdrop

    todo = find_pairs(src, plate, ResultPaths(alpha, foreground, composite, error, refined))
    settings = options.load_settings(config, weights, matting, device, match_exposure)
    check_files_backdrop(backdrop, plate)  # before the network is loaded
    check_pairs(todo, [src, plate, backdrop, settings.weights, config], force=force)
    live, plates = effort is options.Work.LIVE, str(plate) != NO_PLATE
    pipeline = OfflinePipeline(settings, live=live, plates=plates, align=align)
    matte_pairs(pipeline, todo, backdrop, settings.max_coverage, strict=strict, depth=depth.value, jobs=jobs)
