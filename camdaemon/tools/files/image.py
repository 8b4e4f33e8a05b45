"""`camdaemon image`: one picture and its plate, or a folder of pairs NAME_img.* and NAME_back.*."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from camdaemon.daemon.progress import show_progress
from camdaemon.errors import ConfigError, Interrupted, MattingError
from camdaemon.frames import picture
from camdaemon.frames.frame import Size
from camdaemon.linux.listing import list_files
from camdaemon.linux.results import check_results
from camdaemon.plate.parts import Plate
from camdaemon.plate.unknown import make_blank_plate
from camdaemon.tools.files.offline import OfflinePipeline, explain_card, fit_plate, pad_picture
from camdaemon.tools.files.progress import warn
from camdaemon.tools.files.results import NO_PLATE, ResultPaths, open_backdrop, render_results
from camdaemon.tools.files.writers import write_png

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def list_pictures(folder: Path) -> list[Path]:
    """List the pictures directly in `folder`, numbers in their names in numeric order. Raises ConfigError."""
    try:
        return list_files(folder, PICTURES)
    except OSError as exc:
        raise ConfigError(f"cannot read the folder {folder}: {exc.strerror}. Run: ls -ld {folder}") from None


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture of a person and the plate of the same camera.

    Attributes:
        src: The picture.
        plate: The plate; None: there is none.
        wanted: Where the results go.
    """

    src: Path
    plate: Path | None
    wanted: ResultPaths


def find_pairs(src: Path, plate: Path | None, wanted: ResultPaths) -> list[Pair]:
    """Find the pairs to matte: `src` with `plate`, or every pair in the folder `src`; then `wanted` names folders.

    Names follow Background Matting's convention: NAME_img.png is the picture, NAME_back.png its plate; each result is
    NAME.png. With the plate 'none' any picture is matted without one, and a folder needs only NAME_img.png.

    Raises:
        ConfigError: There is no such pair, or `wanted` does not fit.
    """
    needs_plate = str(plate) != NO_PLATE
    if not src.is_dir():
        if plate is None:
            raise ConfigError(f"{src} needs the picture of its empty room. Run with: --plate FILE")
        for path in wanted.paths().values():
            if path.suffix.lower() != ".png":
                raise ConfigError(f"results are PNG files, not {path.name}. Name: {path.with_suffix('.png')}")
        return [Pair(src, plate if needs_plate else None, wanted)]
    if plate is not None and needs_plate:
        raise ConfigError(
            f"{src} is a folder of pairs NAME_img.png, NAME_back.png, and --plate would be a second plate. "
            "Run without --plate; for frames of one camera, run: camdaemon video --src FOLDER --plate FILE"
        )
    for path in wanted.paths().values():
        if path.suffix:
            raise ConfigError(
                f"{src} is a folder, so its results need one too, not {path}. Name: {path.with_suffix('')}"
            )
    return list(_find_in_folder(src, wanted, needs_plate=needs_plate))


def _find_in_folder(folder: Path, wanted: ResultPaths, *, needs_plate: bool) -> Iterator[Pair]:
    files = list_pictures(folder)
    plates = {path.stem.removesuffix("_back"): path for path in files if path.stem.endswith("_back")}
    pictures = {path.stem.removesuffix("_img"): path for path in files if path.stem.endswith("_img")}
    if not pictures:
        raise ConfigError(f"{folder} has no pair NAME_img.png, NAME_back.png. Run with: --src FILE")
    if needs_plate and (alone := sorted(pictures.keys() - plates.keys())):
        raise ConfigError(
            f"{len(alone)} of {len(pictures)} pictures in {folder} have no plate, the first is {alone[0]}_img. "
            f"Add {alone[0]}_back.png, or run with: --plate none"
        )
    for name, src in pictures.items():
        plate = plates[name] if needs_plate else None
        yield Pair(src, plate, replace(wanted, **{k: p / f"{name}.png" for k, p in wanted.paths().items()}))


def check_pairs(todo: list[Pair], inputs: Iterable[str | Path], *, force: bool) -> None:
    """Check that every result of `todo` may be written; see `check_results`.

    Args:
        todo: The pairs.
        inputs: What is read besides them.
        force: Overwrite what is there.

    Raises:
        ConfigError: A result is one of the files that are read, or is there and the user did not agree to lose it.
    """
    results = [path for pair in todo for path in pair.wanted.paths().values()]
    read = [path for pair in todo for path in (pair.src, pair.plate) if path is not None]
    check_results(results, [*read, *inputs], force=force)


def matte_pairs(
    pipeline: OfflinePipeline, todo: list[Pair], backdrop: str, max_coverage: float, *, strict: bool = False
) -> None:
    """Matte every pair and write the wanted results.

    Raises:
        ConfigError: A file cannot be read or written. Earlier results stay.
        MattingError: A picture cannot be matted, or `strict` and its plate does not fit. Earlier results stay.
        Interrupted: The user has stopped it. Earlier results stay.
    """
    done = 0
    try:
        with show_progress("pictures", len(todo) if len(todo) > 1 else 0) as advance:
            for pair in todo:
                if warning := matte_pair(pipeline, pair, backdrop, max_coverage, strict=strict):
                    warn(f"{pair.src.name}: {warning}")
                done += 1
                advance()
    except KeyboardInterrupt:
        raise Interrupted(f"stopped after {done} of {len(todo)} pictures. The results of those are written") from None


def matte_pair(
    pipeline: OfflinePipeline, pair: Pair, backdrop: str, max_coverage: float, *, strict: bool = False
) -> str:
    """Matte one pair and write its results, all or none; returns a warning, or ''.

    Raises:
        MattingError: The plate does not fit, and `strict` says that this is an error.
    """
    rgb = picture.read(pair.src, "another --src FILE")
    src = pad_picture(rgb)
    if pair.plate is None:
        plate = make_blank_plate(src.shape[1], src.shape[0])
    else:
        room = picture.read(pair.plate, "another --plate FILE")
        plate = Plate(pad_picture(fit_plate(room, rgb, str(pair.plate))))
    with contextlib.ExitStack() as opened:
        bgr = None
        if pair.wanted.composite is not None:
            bgr = open_backdrop(backdrop, Size(src.shape[1], src.shape[0]))
            opened.callback(bgr.close)
        matte = pipeline.matte_picture(src, plate)
        warning = pipeline.doubt_plate(matte)
        if warning and strict:
            raise MattingError(f"{pair.src.name}: {warning}")
        if warning and pipeline.can_do_without:
            matte, warning = pipeline.matte_without_plate(src), f"{warning}. It was matted without it"
        warning = explain_card(matte, max_coverage) or warning
        found = render_results(pipeline, matte, plate, pair.wanted, bgr, 0.0, rgb)
    for name, path in pair.wanted.paths().items():
        write_png(path, found[name])
    return warning
