"""Plates on disk: one PNG for each camera and size in the state directory, so that a restart needs no new shot."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import platformdirs

from camdaemon.errors import ConfigError
from camdaemon.frames import picture
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import Picture


def path_for(camera: str, size: Size) -> Path:
    """Where the plate of `camera` (Source.name) at `size` lies."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", camera).strip("-")[-60:]
    mark = f"{zlib.crc32(camera.encode()):08x}"  # two cameras may read alike
    return platformdirs.user_state_path("camdaemon") / "plates" / f"{readable}-{mark}-{size}.png"


def load_saved(camera: str, size: Size) -> Picture | None:
    """The saved plate, uint8 (H,W,3) RGB of `size`; None when there is none that fits."""
    path = path_for(camera, size)
    if not path.is_file():
        return None
    rgb = picture.read(path, f"rm {path}")
    return rgb if rgb.shape[:2] == (size.height, size.width) else None


def load_file(path: Path, size: Size) -> Picture:
    """A plate that the user names. Another size of the same shape is scaled; ConfigError for another shape."""
    rgb = picture.read(path, "--plate auto")
    height, width = rgb.shape[:2]
    if abs(width / height - size.width / size.height) > 0.01:
        raise ConfigError(
            f"the plate {path} is {width}x{height}, the camera's picture {size}: another shape cannot be the same "
            "room; try --plate auto"
        )
    return picture.cover(rgb, size)


def save(camera: str, size: Size, rgb: Picture) -> Path:
    """Keep `rgb` as the plate of `camera` at `size`; returns where."""
    path = path_for(camera, size)
    try:
        picture.write(path, rgb)
    except OSError as exc:
        raise ConfigError(
            f"the plate cannot be kept in {path.parent}: {exc.strerror}; see: df -h {path.anchor}"
        ) from None
    return path
