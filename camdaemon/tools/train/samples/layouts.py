"""Which pictures a data folder holds: our own layout, and that of the published sets (VideoMatte240K, PhotoMatte85)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from camdaemon.errors import ConfigError
from camdaemon.linux.listing import is_hidden

Split = Literal["train", "val"]

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
VIDEOS = (".mp4", ".mov", ".mkv", ".avi", ".webm")
FRAMES_OF_A_VIDEO = 20  # taken evenly spaced: neighboring frames teach little
_PACKED_ALPHA = ".alpha.webp"  # ends the name of an alpha beside NAME.webp; PNGs are several times as large
_HELD_OUT = 20  # every 20th item of a set without a validation part validates
_FOLDERS: dict[Split, tuple[str, ...]] = {"train": ("train",), "val": ("val", "test")}


class Person(NamedTuple):
    """A cut-out person, as two pictures or two videos with the same number of frames.

    Attributes:
        color: Foreground colors.
        alpha: Alpha.
    """

    color: Path
    alpha: Path


_Item = TypeVar("_Item", Person, Path)


class FoundPictures(NamedTuple):
    """The pictures to train on, or to validate on."""

    people: list[Person]
    plates: list[Path]


def find_pictures(folders: list[Path], plates: list[Path], split: Split) -> FoundPictures:
    """Find the people and plates of one split.

    Args:
        folders: Each holds `people/` (NAME.jpg and NAME.png, or NAME.webp and NAME.alpha.webp) or `fgr/` and `pha/`
            trees of pictures or videos, possibly below `train/` and `val/` (or `test/`), and possibly `plates/`.
        plates: Further folders of empty rooms.
        split: The part to find.

    Raises:
        ConfigError: A folder does not exist, or there are no people or no plates.
    """
    for folder in [*folders, *plates]:
        if not folder.is_dir():
            raise ConfigError(f"no such folder of training data: {folder}. Run with: --data FOLDER")
    people = [person for folder in folders for person in _split(_list_people(folder), folder, split)]
    rooms = [folder / "plates" for folder in folders if (folder / "plates").is_dir()] + plates
    found = FoundPictures(
        people, [plate for room in rooms for plate in _split(list(_list_pictures(room)), room, split)]
    )
    where = ", ".join(str(folder) for folder in folders)
    if not found.people:
        raise ConfigError(
            f"no people to {'train' if split == 'train' else 'validate'} on in {where}: it needs people/NAME.jpg with "
            "people/NAME.png (alpha), or fgr/ and pha/ with the same names. Run with: --data FOLDER"
        )
    if not found.plates:
        raise ConfigError(
            f"no pictures of empty rooms in {where}. Put them into plates/ there, or run with: --plates FOLDER"
        )
    return found


def _list_people(folder: Path) -> list[Person]:
    pairs: list[Person] = []
    for alphas in sorted(folder.rglob("pha")):
        pairs += list(_pair_up(alphas.parent / "fgr", alphas))
    if (folder / "people").is_dir():
        alphas_beside = [path for path in _list_files(folder / "people", (".png", ".webp")) if _stem_of_alpha(path)]
        pairs += [Person(_find_color(alpha), alpha) for alpha in alphas_beside]
    return pairs


def _stem_of_alpha(path: Path) -> str | None:
    """Return NAME of an alpha NAME.png or NAME.alpha.webp; None for other files."""
    end = next((end for end in (".png", _PACKED_ALPHA) if path.name.lower().endswith(end)), None)
    return path.name[: -len(end)] if end else None


def _find_color(alpha: Path) -> Path:
    """Return the colors that belong to an alpha of people/.

    Raises:
        ConfigError: There are none.
    """
    stem = _stem_of_alpha(alpha)
    for end in PICTURES:
        color = alpha.with_name(f"{stem}{end}")
        if end != ".png" and color.is_file():
            return color
    raise ConfigError(f"{alpha} has no colors: {stem}.jpg is missing in its folder")


def _pair_up(colors: Path, alphas: Path) -> Iterator[Person]:
    by_name = {path.relative_to(colors).with_suffix(""): path for path in _list_files(colors, PICTURES + VIDEOS)}
    for alpha in _list_files(alphas, PICTURES + VIDEOS):
        color = by_name.get(alpha.relative_to(alphas).with_suffix(""))
        if color is None:
            raise ConfigError(f"{alpha} has no foreground of that name in {colors}. Add it, or remove the alpha")
        yield Person(color, alpha)


def _list_pictures(folder: Path) -> Iterator[Path]:
    return _list_files(folder, PICTURES)


def _list_files(folder: Path, ends: tuple[str, ...]) -> Iterator[Path]:
    """Yield files below `folder`, sorted byte by byte: the order decides which are held out for validation."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in ends and not is_hidden(path.relative_to(folder)):
            yield path


def _split(items: list[_Item], root: Path, split: Split) -> list[_Item]:
    """Return the part of `items` for this split: by folder names below `root`, or every 20th for validation."""

    def folders_of(item: _Item) -> tuple[str, ...]:
        path = item if isinstance(item, Path) else item.alpha
        return path.relative_to(root).parts[:-1]

    if any(name in folders_of(item) for item in items for names in _FOLDERS.values() for name in names):
        return [item for item in items if any(name in folders_of(item) for name in _FOLDERS[split])]
    if len(items) < 2:
        return items
    return [item for number, item in enumerate(items) if (number % _HELD_OUT == 0) == (split == "val")]
