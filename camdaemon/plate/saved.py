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

_NAME = re.compile(r"(?P<camera>.*)-(?P<key>[0-9a-f]{8})-(?P<size>\d+x\d+)\.png")


def plates_folder() -> Path:
    """Return the folder of all plates; it may not exist."""
    return find_folder("state") / "plates"


def path_for(camera: str, size: Size) -> Path:
    """Return where the plate of `camera` (Source.name) at `size` is kept; the file may not exist."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", camera).strip("-")[-60:]
    return plates_folder() / f"{readable}-{key_of(camera)}-{size}.png"


@dataclass(frozen=True, slots=True)
class SavedPlate:
    """A plate on disk.

    Attributes:
        path: Of its file.
        camera: The readable part of the camera's name.
        size: WIDTHxHEIGHT.
        taken: When it was saved, seconds since 1970.
        bytes: On disk.
    """

    path: Path
    camera: str
    size: str
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
                found.append(SavedPlate(folder / name, parts["camera"], parts["size"], status.st_mtime, status.st_size))
    except FileNotFoundError:
        pass
    except OSError as exc:
        raise ConfigError(f"cannot read {folder}: {exc.strerror}. Run: ls -ld {shlex.quote(str(folder))}") from None
    return sorted(found, key=lambda plate: (-plate.taken, plate.path))


def forget(plate: SavedPlate) -> None:
    """Remove the file of `plate`, and the camera's settings beside it.

    Raises:
        ConfigError: It cannot be removed.
    """
    try:
        plate.path.with_suffix(".controls.json").unlink(missing_ok=True)
        plate.path.unlink(missing_ok=True)
    except OSError as exc:
        raise ConfigError(
            f"cannot remove {plate.path}: {exc.strerror}. Run: rm -r {shlex.quote(str(plate.path))}"
        ) from None
