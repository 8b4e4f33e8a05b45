"""What `camdaemon image` mattes: a picture and its plate, or the pictures of a folder with theirs, or one for all.

In a folder, names follow Background Matting's convention: NAME_img.png is the picture, NAME_back.png its plate. In two
folders the two are called alike, with or without those endings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from camdaemon.errors import ConfigError
from camdaemon.linux.results import check_results
from camdaemon.tools.files.listing import PICTURES, list_pictures
from camdaemon.tools.files.results import NO_PLATE, ResultPaths

_PICTURE, _PLATE = "_img", "_back"  # endings of the names


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
    """Find the pairs to matte.

    Args:
        src: A picture, or a folder; then `wanted` names folders, and each result is NAME.png.
        plate: The plate of that picture; of a folder: the folder of its plates, or one plate for all of its pictures.
            None: the plates lie beside the pictures, NAME_back.png beside NAME_img.png. 'none': there is none.
        wanted: Where the results go.

    Raises:
        ConfigError: There is no such pair, a picture has no plate, or `wanted` does not fit.
    """
    has_plates = str(plate) != NO_PLATE
    if not src.is_dir():
        return [_make_pair(src, plate, wanted, has_plate=has_plates)]
    for path in wanted.paths().values():
        if path.suffix:
            raise ConfigError(
                f"{src} is a folder, so its results need one too, not {path}. Name: {path.with_suffix('')}"
            )
    plates: dict[str, Path | None]
    if plate is None:
        pictures, plates = _pair_beside(src)
    else:
        pictures = _find_pictures(src, plate)
        plates = dict(_pair_folders(pictures, src, plate)) if has_plates and plate.is_dir() else {}
    one = plate if has_plates else None
    return [
        Pair(each, plates.get(name, one), replace(wanted, **{k: p / f"{name}.png" for k, p in wanted.paths().items()}))
        for name, each in pictures.items()
    ]


def _make_pair(src: Path, plate: Path | None, wanted: ResultPaths, *, has_plate: bool) -> Pair:
    if plate is None:
        raise ConfigError(f"{src} needs the picture of its empty room. Run with: --plate FILE")
    if has_plate and plate.is_dir():
        raise ConfigError(f"{plate} is a folder of plates, and {src} one picture. Run with: --plate FILE")
    for path in wanted.paths().values():
        if path.suffix.lower() != ".png":
            raise ConfigError(f"results are PNG files, not {path.name}. Name: {path.with_suffix('.png')}")
    return Pair(src, plate if has_plate else None, wanted)


def _pair_beside(folder: Path) -> tuple[dict[str, Path], dict[str, Path | None]]:
    """Return the pictures of `folder` and their plates in it, both by name."""
    files = list_pictures(folder)
    pictures = _by_name((path for path in files if path.stem.endswith(_PICTURE)), _PICTURE)
    plates = _by_name((path for path in files if path.stem.endswith(_PLATE)), _PLATE)
    if not pictures:
        raise ConfigError(
            f"{folder} has no pair NAME_img.png, NAME_back.png. Name a folder of plates that are called like the "
            "pictures, or one plate for all of them. Run with: --plate FOLDER_OR_FILE"
        )
    if alone := [name for name in pictures if name not in plates]:
        raise ConfigError(
            f"{len(alone)} of {len(pictures)} pictures in {folder} have no plate, the first is {alone[0]}{_PICTURE}. "
            f"Add {alone[0]}{_PLATE}.png, or run with: --plate none"
        )
    return pictures, dict(plates)


def _find_pictures(folder: Path, plate: Path) -> dict[str, Path]:
    """Return the pictures of `folder` by name: those called NAME_img if there are such, else all but plates."""
    files = list_pictures(folder)
    marked = [path for path in files if path.stem.endswith(_PICTURE)]
    others = [path for path in files if not path.stem.endswith(_PLATE) and path.resolve() != plate.resolve()]
    if not marked and not others:
        raise ConfigError(f"{folder} has no pictures ({', '.join(PICTURES)}). Run with: --src FILE")
    return _by_name(marked or others, _PICTURE)


def _pair_folders(pictures: dict[str, Path], folder: Path, plates: Path) -> dict[str, Path]:
    """Return the plate of each picture by its name: NAME_back, NAME, or what the picture is called."""
    files = list_pictures(plates)
    marked = _by_name((path for path in files if path.stem.endswith(_PLATE)), _PLATE)
    others = _by_name((path for path in files if not path.stem.endswith(_PLATE)), "")
    found = {name: marked.get(name) or others.get(name) or others.get(each.stem) for name, each in pictures.items()}
    if alone := [name for name, each in found.items() if each is None]:
        raise ConfigError(
            f"{len(alone)} of {len(pictures)} pictures in {folder} have no plate in {plates}, the first is "
            f"{pictures[alone[0]].name}. Add {plates / alone[0]}.png, or run with: --plate FILE"
        )
    return {name: each for name, each in found.items() if each is not None}


def _by_name(files: Iterable[Path], ending: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in files:
        other = found.setdefault(path.stem.removesuffix(ending), path)
        if other != path:
            raise ConfigError(f"{other.name} and {path.name} in {path.parent} have one name. Rename one of them")
    return found


def check_pairs(todo: list[Pair], inputs: Iterable[str | Path | None], *, force: bool) -> None:
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
