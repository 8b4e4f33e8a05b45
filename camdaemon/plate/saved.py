"""Which plates are kept on disk: their names, a list of them, and forgetting them. No picture is read."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from camdaemon.errors import ConfigError
from camdaemon.frames.frame import Size
from camdaemon.linux.devices import key_of
from camdaemon.linux.folders import find_folder

PLACES = 5  # kept for each camera and size: a laptop lives at home and in an office
_NAME = re.compile(r"(?P<camera>.*)-(?P<key>[0-9a-f]{8})-(?P<size>\d+x\d+)(?:-(?P<place>[2-9]))?\.png")


def plates_folder() -> Path:
    """Return the folder of all plates; it may not exist."""
    return find_folder("state") / "plates"


def path_for(camera: str, size: Size, place: int = 1) -> Path:
    """Return where the plate of `camera` (Source.name) at `size` in a place is kept; the file may not exist."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", camera).strip("-")[-60:]
    number = "" if place == 1 else f"-{place}"
    return plates_folder() / f"{readable}-{key_of(camera)}-{size}{number}.png"


def list_places(camera: str, size: Size) -> list[Path]:
    """Return the files of the places that are kept for `camera` at `size`, the one written last first."""
    paths = [path_for(camera, size, place) for place in range(1, PLACES + 1)]
    ages = {path: path.lstat().st_mtime for path in paths if os.path.lexists(path)}
    return sorted(ages, key=lambda path: -ages[path])


def choose_path(camera: str, size: Size) -> Path:
    """Return where another place is to be kept: a file that is not there, or the one written longest ago."""
    taken = list_places(camera, size)
    free = (path_for(camera, size, place) for place in range(1, PLACES + 1))
    return next((path for path in free if path not in taken), taken[-1] if taken else path_for(camera, size))


def older_controls(path: Path) -> Path:
    """Return where an earlier camdaemon kept the camera's controls, beside the plate."""
    return path.with_suffix(".controls.json")


@dataclass(frozen=True, slots=True)
class SavedPlate:
    """A plate on disk.

    Attributes:
        path: Of its file.
        camera: The readable part of the camera's name.
        size: WIDTHxHEIGHT.
        place: From 1 to 5: a camera may be used in several.
        taken: When it was saved, seconds since 1970.
        bytes: On disk.
    """

    path: Path
    camera: str
    size: str
    place: int
    taken: float
    bytes: int

    def is_meant_by(self, words: str) -> bool:
        """Whether a user who types `words` means it: a part of the camera's name, its whole name, or the file."""
        typed = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
        is_part = bool(typed) and typed in self.camera.lower()
        return is_part or self.path.name == Path(words).name or f"-{key_of(words)}-" in self.path.name


def list_plates() -> list[SavedPlate]:
    """Return all plates, newest first.

    Raises:
        ConfigError: Their folder cannot be read.
    """
    folder, found = plates_folder(), []
    try:
        for name in os.listdir(folder):
            if parts := _NAME.fullmatch(name):
                status = (folder / name).lstat()
                place = int(parts["place"] or 1)
                size, taken = status.st_size, status.st_mtime
                found.append(SavedPlate(folder / name, parts["camera"], parts["size"], place, taken, size))
    except FileNotFoundError:
        pass
    except OSError as exc:
        raise ConfigError(f"cannot read {folder}: {exc.strerror}. Run: ls -ld {shlex.quote(str(folder))}") from None
    return sorted(found, key=lambda plate: (-plate.taken, plate.path))


def forget(plate: SavedPlate) -> None:
    """Remove the file of `plate`, and the camera's settings that an earlier camdaemon kept beside it.

    Raises:
        ConfigError: It cannot be removed.
    """
    try:
        older_controls(plate.path).unlink(missing_ok=True)
        plate.path.unlink(missing_ok=True)
    except OSError as exc:
        raise ConfigError(
            f"cannot remove {plate.path}: {exc.strerror}. Run: rm -r {shlex.quote(str(plate.path))}"
        ) from None
