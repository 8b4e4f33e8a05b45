"""Plates on disk: one PNG for each camera and size in the state directory, so that a restart needs no new plate."""

from __future__ import annotations

import re
from pathlib import Path

import platformdirs

from camdaemon.errors import ConfigError
from camdaemon.frames import picture
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import Picture
from camdaemon.linux.devices import key_of


def path_for(camera: str, size: Size) -> Path:
    """Return where the plate of `camera` (Source.name) at `size` is kept; the file may not exist."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", camera).strip("-")[-60:]
    return platformdirs.user_state_path("camdaemon") / "plates" / f"{readable}-{key_of(camera)}-{size}.png"


def load_saved(camera: str, size: Size) -> Picture | None:
    """Load the saved plate, uint8 (H,W,3) RGB of `size`; None if there is none of that size.

    Raises:
        ConfigError: The file is damaged.
    """
    path = path_for(camera, size)
    if not path.is_file():
        return None
    rgb = picture.read(path, f"rm {path}")
    return rgb if rgb.shape[:2] == (size.height, size.width) else None


def load_file(path: Path, size: Size) -> Picture:
    """Load a plate that the user names, scaled to `size`: uint8 (H,W,3) RGB.

    Raises:
        ConfigError: The file is not a picture, or has another shape.
    """
    rgb = picture.read(path, "--plate auto")
    check_shape(rgb, (size.width, size.height), str(path), "camdaemon run --plate auto")
    return picture.cover(rgb, size)


def check_shape(plate: Picture, size: tuple[int, int], name: str, command: str) -> None:
    """Check that a plate has the shape of the picture it is for: width to height within 0.01.

    Args:
        plate: uint8 (H,W,3).
        size: Width and height of the picture, pixels.
        name: The plate's file, for the error message.
        command: What to type instead, for the error message.

    Raises:
        ConfigError: The shapes differ, so the plate cannot be of the same room.
    """
    (height, width), (wide, high) = plate.shape[:2], size
    if abs(width / height - wide / high) > 0.01:
        raise ConfigError(
            f"cannot use the plate {name}: it is {width}x{height} and the picture {wide}x{high}, which is another "
            f"shape. Run: {command}"
        )


def save(camera: str, size: Size, rgb: Picture) -> Path:
    """Keep `rgb`, uint8 (H,W,3), as the plate of `camera` at `size`, and return the file.

    Raises:
        ConfigError: The file cannot be written.
    """
    path = path_for(camera, size)
    try:
        picture.write(path, rgb)
    except OSError as exc:
        raise ConfigError(f"cannot keep the plate in {path.parent}: {exc.strerror}. Run: df -h {path.anchor}") from None
    return path
