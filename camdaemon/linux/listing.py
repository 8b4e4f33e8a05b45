"""The files of a folder in the order people expect: numbers in names are numbers. Hidden files are passed over."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

_DIGITS = re.compile(r"(\d+)")

NaturalKey = tuple[tuple[str | int, ...], str]


def natural_key(name: str) -> NaturalKey:
    """Return what to sort file names by: frame.png, frame2.png, Frame10.png."""
    parts = _DIGITS.split(Path(name).stem.casefold())
    return tuple(int(part) if number % 2 else part for number, part in enumerate(parts)), name


def is_hidden(path: Path) -> bool:
    """Tell whether a part of `path` is hidden, such as the ._NAME that macOS puts beside each file on other disks."""
    return any(part.startswith(".") for part in path.parts)


def list_files(folder: Path, suffixes: Iterable[str]) -> list[Path]:
    """List what lies directly in `folder` with one of `suffixes` (".png", in any case), in natural order.

    Raises:
        OSError: The folder cannot be read.
    """
    wanted = set(suffixes)
    found = [path for path in folder.iterdir() if path.suffix.lower() in wanted and not is_hidden(Path(path.name))]
    # os.path answers for a broken link, too
    return sorted((path for path in found if not os.path.isdir(path)), key=lambda path: natural_key(path.name))
