"""`camdaemon image`: one picture and its plate, or a folder of pairs NAME_img.* and NAME_back.*."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from camdaemon.errors import ConfigError
from camdaemon.frames import picture
from camdaemon.frames.frame import Size
from camdaemon.plate.take import Plate
from camdaemon.tools.files.files import write_png
from camdaemon.tools.files.progress import progress, say
from camdaemon.tools.files.results import Wanted, develop, open_backdrop
from camdaemon.tools.files.studio import Studio, covers_too_much, fitted, padded

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture of a person and the plate of the same camera."""

    src: Path
    plate: Path
    wanted: Wanted


def pairs(src: Path, plate: Path | None, wanted: Wanted) -> list[Pair]:
    """What is to be done: `src` by `plate`, or every pair in the folder `src` (then `wanted` names folders).

    Background Matting's convention: NAME_img.png is the picture, NAME_back.png its plate; each result is NAME.png.
    Raises ConfigError.
    """
    if not src.is_dir():
        if plate is None:
            raise ConfigError(f"{src} needs the picture of its empty room; name it with --plate FILE")
        for path in wanted.paths().values():
            if path.suffix.lower() != ".png":
                raise ConfigError(f"results are PNG files, not {path.name}; try {path.with_suffix('.png')}")
        return [Pair(src, plate, wanted)]
    if plate is not None:
        raise ConfigError(
            f"{src} is a folder of pairs NAME_img.png, NAME_back.png and brings its plates; leave out --plate. "
            "Frames of one camera by one plate: camdaemon video --src FOLDER --plate FILE"
        )
    for path in wanted.paths().values():
        if path.suffix:
            raise ConfigError(f"{src} is a folder, so its results need one too, not {path}; try {path.with_suffix('')}")
    return list(_in_folder(src, wanted))


def _in_folder(folder: Path, wanted: Wanted) -> Iterator[Pair]:
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    plates = {path.stem.removesuffix("_back"): path for path in files if path.stem.endswith("_back")}
    pictures = {path.stem.removesuffix("_img"): path for path in files if path.stem.endswith("_img")}
    if not pictures:
        raise ConfigError(f"{folder} has no pair NAME_img.png, NAME_back.png; name a picture with --src FILE")
    if alone := sorted(pictures.keys() - plates.keys()):
        raise ConfigError(
            f"{len(alone)} of {len(pictures)} pictures in {folder} have no plate, the first is {alone[0]}_img; "
            f"add {alone[0]}_back.png"
        )
    for name, src in pictures.items():
        yield Pair(src, plates[name], replace(wanted, **{k: p / f"{name}.png" for k, p in wanted.paths().items()}))


def matte_pairs(studio: Studio, todo: list[Pair], backdrop: str, max_coverage: float) -> None:
    """Matte every pair and write what is wanted. Raises ConfigError and MattingError; what is written stays."""
    with progress("pictures", len(todo) if len(todo) > 1 else 0) as advance:
        for pair in todo:
            if warning := matte_pair(studio, pair, backdrop, max_coverage):
                say(f"{pair.src.name}: {warning}")
            advance()


def matte_pair(studio: Studio, pair: Pair, backdrop: str, max_coverage: float) -> str:
    """Matte one pair and write what is wanted, all of it or nothing; returns a warning, or ''."""
    rgb = picture.read(pair.src, "another --src FILE")
    room = picture.read(pair.plate, "another --plate FILE")
    src = padded(rgb)
    plate = Plate(padded(fitted(room, rgb, str(pair.plate))))
    with contextlib.ExitStack() as opened:
        behind = None
        if pair.wanted.composite is not None:
            behind = open_backdrop(backdrop, Size(src.shape[1], src.shape[0]))
            opened.callback(behind.close)
        matte = studio.still(src, plate)
        found = develop(studio, matte, plate, pair.wanted, behind, 0.0, rgb)
    for name, path in pair.wanted.paths().items():
        write_png(path, found[name])
    return covers_too_much(matte, max_coverage)
