"""`camdaemon video`: its options. What it does is in `tools/films`."""

from __future__ import annotations

import math
import re
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from camdaemon.cli import tools as options
from camdaemon.errors import ConfigError
from camdaemon.tools.films.encodings import Codec, Hardware, Quality

if TYPE_CHECKING:
    from camdaemon.config.schema import Config
    from camdaemon.tools.files.results import ResultPaths
    from camdaemon.tools.films.batch import Batch
    from camdaemon.tools.films.job import FilmJob
    from camdaemon.tools.films.sequence_writer import PictureKind
    from camdaemon.tools.films.source import FrameSequence

_FILM = "A .mp4, .mov, .mkv or .webm file, or a folder for a picture of each frame."
_UNITS = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}


class Work(StrEnum):
    """How much goes into a frame; see `Pipelines`."""

    LIVE, FILES, BEST = "live", "files", "best"


class Pictures(StrEnum):
    """The pictures in folders of frames."""

    PNG, EXR = "png", "exr"


class Depth(StrEnum):
    """Bits of a color."""

    AUTO, EIGHT, SIXTEEN = "auto", "8", "16"


def video(
    src: Annotated[
        list[str],
        typer.Option(
            help="Film, or folder of frames in the order of their names; may be given several times, or as a pattern: "
            "'films/*.mp4'."
        ),
    ],
    plate: Annotated[
        str,
        typer.Option(
            help="Picture of the empty room; a clip of it, or a folder of pictures: each frame gets what fits it best; "
            "'auto': taken from the first still, empty seconds; 'none': weights that can do without it."
        ),
    ] = "auto",
    alpha: Annotated[Path | None, typer.Option(help=f"Alpha, lossless in .mkv and folders. {_FILM}")] = None,
    foreground: Annotated[
        Path | None, typer.Option(help=f"Foreground, cut out in .mov, .webm, .mkv and folders. {_FILM}")
    ] = None,
    composite: Annotated[Path | None, typer.Option(help=f"Composite over the backdrop, with sound. {_FILM}")] = None,
    error: Annotated[Path | None, typer.Option(help=f"Predicted error, gray. {_FILM}")] = None,
    refined: Annotated[Path | None, typer.Option(help=f"Refined pixels in white. {_FILM}")] = None,
    output_dir: Annotated[
        Path | None, typer.Option(help="Folder for the results of --kinds: NAME-alpha.mkv and so on.")
    ] = None,
    kinds: Annotated[
        str,
        typer.Option(
            help="What --output-dir gets: alpha, foreground, composite, error, refined; with another ending where "
            "wanted: 'alpha.png,foreground.webm'."
        ),
    ] = "alpha,foreground,composite",
    frames: Annotated[Pictures, typer.Option(help="Pictures in folders: PNG, or EXR in linear light.")] = Pictures.PNG,
    backdrop: options.Backdrop = "color:#2f4f5f",
    codec: Annotated[Codec, typer.Option(help="Of composites and foregrounds.")] = Codec.AUTO,
    quality: Annotated[Quality, typer.Option(help="Of lossy films.")] = Quality.GOOD,
    bitrate: Annotated[
        str | None, typer.Option(help="Of lossy films, instead of a quality: 12M is 12 Mbit/s.", metavar="BITS")
    ] = None,
    premultiplied: Annotated[
        bool | None,
        typer.Option(
            "--premultiplied/--straight",
            help="Foregrounds multiplied by their alpha, or not.",
            show_default="straight; EXR: premultiplied",
        ),
    ] = None,
    depth: Annotated[Depth, typer.Option(help="Bits of a color in the results; auto: as in the film.")] = Depth.AUTO,
    size: Annotated[
        str | None, typer.Option(help="Scale the film to WIDTHxHEIGHT before anything else.", show_default="its own")
    ] = None,
    start: Annotated[str, typer.Option(help="Where to begin: seconds, or hours:minutes:seconds.")] = "0",
    end: Annotated[str | None, typer.Option(help="Where to end.", show_default="the film's end")] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            min=1, max=240, help="Frame rate of the results, in fps.", show_default="the film's own times; folder: 30"
        ),
    ] = None,
    effort: Annotated[
        Work,
        typer.Option(
            help="Work on each frame: live as much as the daemon does; files for better mattes; best twice that."
        ),
    ] = Work.FILES,
    hardware: Annotated[
        Hardware, typer.Option(help="Graphics card that encodes, and decodes where it is NVIDIA's.")
    ] = Hardware.NONE,
    shard: Annotated[
        str | None, typer.Option(help="I/N: the I-th of N shares of the films, for N machines.", metavar="I/N")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with films that were interrupted; pass over those that are done.")
    ] = False,
    weights: options.Weights = None,
    matting: options.Matting = None,
    device: options.Device = None,
    match_exposure: options.Match = None,
    align: options.Align = False,
    strict: options.Strict = False,
    config: options.ConfigFile = None,
    force: options.Force = False,
) -> None:
    """Matte every frame of films, however long that takes."""
    given = dict(locals())
    settings = options.load_settings(config, weights, matting, device, match_exposure)
    make_batch(given, settings).run()


def make_batch(given: dict[str, Any], settings: Config) -> Batch:
    """Make the batch of what was `given` on the command line; everything is checked. Raises ConfigError."""
    from camdaemon.plate.take import PlateRules
    from camdaemon.tools.files.progress import warn
    from camdaemon.tools.files.results import NO_PLATE, check_files_backdrop
    from camdaemon.tools.films import batch as films
    from camdaemon.tools.films import hardware
    from camdaemon.tools.films.pipelines import Pipelines

    check_files_backdrop(given["backdrop"], given["plate"])  # before the network is loaded
    paths = films.find_films(given["src"])
    if given["output_dir"] is not None:
        paths = films.leave_out_results(paths, given["output_dir"], given["kinds"])
    paths = films.take_shard(paths, given["shard"])
    if len(paths) > 1 and given["output_dir"] is None:
        raise ConfigError(f"{len(paths)} films need a folder for their results. Run with: --output-dir FOLDER")
    wanted = given["hardware"]
    opened = films.open_films(paths, given["fps"], partial(hardware.find_decoder, wanted, warn=warn))
    jobs = [_make_job(film, given) for film in opened]
    films.check_names(jobs)
    config = given["config"]
    inputs = [given["plate"], given["backdrop"], settings.weights, *([] if config is None else [str(config)])]
    for job in jobs:
        if not (given["resume"] and job.is_done):
            job.check(inputs, force=given["force"], resume=given["resume"])
    plates = given["plate"] != NO_PLATE
    pipelines = Pipelines(settings, given["effort"].value, plates=plates, align=given["align"])
    encoders = hardware.HardwareEncoders(wanted, warn)
    facts = pipelines.facts() | {"plate taking": settings.plate_taking.model_dump(mode="json")}
    return films.Batch(
        [films.add_settings(job, facts | {"encoders": encoders.name_all(job.formats())}) for job in jobs],
        pipelines,
        PlateRules(**dict(settings.plate_taking)),
        settings.max_coverage,
        given["strict"],
        given["resume"],
        encoders,
        [path.name for path in paths if path not in {film.path for film in opened}],
    )


def _make_job(film: FrameSequence, given: dict[str, Any]) -> FilmJob:
    from camdaemon.tools.films import encodings
    from camdaemon.tools.films.job import FilmJob
    from camdaemon.tools.films.source import Span

    wanted, pictures = _find_results(film.path, given)
    span = Span(parse_time(given["start"]), math.inf if given["end"] is None else parse_time(given["end"]))
    is_exr = pictures == "exr" and any(not each.suffix for each in wanted.paths().values())
    deep = {"8": False, "16": True, "auto": True if is_exr else None}[given["depth"]]
    wish = encodings.Wish(
        given["codec"],
        given["quality"],
        0 if given["bitrate"] is None else parse_bitrate(given["bitrate"]),
        given["premultiplied"],
    )
    film = film.take(span, None if given["size"] is None else parse_size(given["size"]), deep=deep)
    return FilmJob(film, wanted, given["plate"], given["backdrop"], wish, pictures)


def _find_results(path: Path, given: dict[str, Any]) -> tuple[ResultPaths, PictureKind]:
    from camdaemon.tools.files.results import ResultPaths
    from camdaemon.tools.films import batch as films

    named = {kind: given[kind] for kind in ("alpha", "foreground", "composite", "error", "refined")}
    if given["output_dir"] is None:
        return ResultPaths(**named), films.find_picture_kind(given["frames"])
    if any(named.values()):
        raise ConfigError("results are named twice. Run with --output-dir and --kinds, or with --alpha FILE and so on")
    return (
        films.name_results(path, given["output_dir"], given["kinds"]),
        films.find_picture_kind(given["frames"], given["kinds"]),
    )


def parse_time(text: str) -> float:
    """Read seconds, or hours:minutes:seconds, or minutes:seconds. Raises ConfigError."""
    found = re.fullmatch(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d*)?)", text.strip())
    if not found:
        raise ConfigError(f"{text!r} is no time: expected seconds, or 0:01:30.5. Run with: --start 90.5")
    hours, minutes, seconds = (float(each or 0) for each in found.groups())
    return 3600 * hours + 60 * minutes + seconds


def parse_bitrate(text: str) -> int:
    """Read bits per second, such as 12M or 800k. Raises ConfigError."""
    found = re.fullmatch(r"(\d+(?:\.\d*)?)([kMG]?)", text.strip())
    bits = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not 1e3 <= bits <= 1e10:
        raise ConfigError(f"{text!r} is no bit rate: expected 1k to 10G bits per second. Run with: --bitrate 12M")
    return round(bits)


def parse_size(text: str) -> tuple[int, int]:
    """Read WIDTHxHEIGHT. Raises ConfigError."""
    found = re.fullmatch(r"\s*(\d{1,5})\s*[xX]\s*(\d{1,5})\s*", text)
    if not found or not all(1 <= int(side) <= 8192 for side in found.groups()):
        raise ConfigError(f"{text!r} is not WIDTHxHEIGHT in pixels, up to 8192. Run with: --size 1280x720")
    return int(found[1]), int(found[2])
