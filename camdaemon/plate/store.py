"""Plates read from disk and written to it, a file for each camera, size and place: a restart needs no new one."""

from __future__ import annotations

import errno
import json
import os
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from camdaemon.errors import ConfigError
from camdaemon.frames import picture
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import Picture
from camdaemon.linux.files import read_regular, replace_atomically
from camdaemon.linux.private import make_private_folder
from camdaemon.plate.chunks import Controls, find_damage, pack, unpack, unpack_controls
from camdaemon.plate.parts import Plate
from camdaemon.plate.saved import older_controls

_MOST_BYTES = 512 << 20  # of a saved plate; one of 8K noise has 200 MB with what was learned
_MOST_CONTROLS = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A saved plate.

    Attributes:
        path: Of its file.
        plate: With what was learned.
        controls: What the camera was held at, by name.
        taken: When it was shot, or began to grow, seconds since 1970.
    """

    path: Path
    plate: Plate
    controls: Controls
    taken: float


def load(path: Path, size: Size) -> Place | None:
    """Load a saved plate of `size`; None if there is none. One of an earlier camdaemon was shot, all of it.

    Raises:
        ConfigError: The file is damaged, of another size, or cannot be read.
    """
    remedy = f"rm -r {shlex.quote(str(path))}" if os.path.isdir(path) else "camdaemon plate --countdown 5"
    try:
        png = read_regular(path, _MOST_BYTES)
        why = find_damage(png, (size.width, size.height))
        if not why:
            plate, controls = unpack(png, picture.decode(png))
            return Place(path, plate, controls or _read_older(path), path.stat().st_mtime)
    except FileNotFoundError:
        return None
    except OSError as exc:
        why = str(exc.strerror)
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        why = f"it is damaged ({exc})"
    raise ConfigError(f"cannot use the saved plate {path}: {why}. Run: {remedy}")


def read_controls(path: Path) -> Controls:
    """Return what the camera was held at when the plate in the file `path` was taken; empty if that is not known."""
    try:
        return unpack_controls(read_regular(path, _MOST_BYTES)) or _read_older(path)
    except (OSError, ValueError):
        return _read_older(path)


def _read_older(path: Path) -> Controls:
    """Read the camera's controls beside a plate of an earlier camdaemon; empty if there are none that can be read."""
    try:
        found = json.loads(read_regular(older_controls(path), _MOST_CONTROLS))
    except (OSError, ValueError, RecursionError):
        return {}
    return (
        {str(name): value for name, value in found.items() if isinstance(value, int)} if isinstance(found, dict) else {}
    )


def load_file(path: Path, size: Size, camera: Size | None = None) -> Picture:
    """Load a plate that the user names, scaled to `size`: uint8 (H,W,3) RGB.

    Args:
        path: Of the file.
        size: Of the frames.
        camera: Of the source's pictures, which are cut to `size`; a plate of their shape is cut as they are.

    Raises:
        ConfigError: The file is not a picture, or has another shape.
    """
    rgb = picture.read(path, "--plate auto")
    if camera is None or not _has_shape(rgb, (camera.width, camera.height)):
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
    if not _has_shape(plate, size):
        raise ConfigError(
            f"cannot use the plate {name}: it is {width}x{height} and the picture {wide}x{high}, which is another "
            f"shape. Run: {command}"
        )


def _has_shape(plate: Picture, size: tuple[int, int]) -> bool:
    (height, width), (wide, high) = plate.shape[:2], size
    return bool(abs(width / height - wide / high) <= 0.01)


def save(path: Path, plate: Plate, controls: Mapping[str, int], taken: float | None = None) -> None:
    """Keep `plate`, taken with `controls` of the camera, in the file `path`.

    Args:
        path: The file.
        plate: The plate.
        controls: By name.
        taken: When it was shot, seconds since 1970; None for now.

    Raises:
        ConfigError: The file cannot be written; the old one is as it was.
    """
    try:
        make_private_folder(path.parent)
        replace_atomically(path, pack(plate, controls), mode=0o600)
        if taken is not None:
            os.utime(path, (time.time(), taken))
        older_controls(path).unlink(missing_ok=True)
    except OSError as exc:
        raise ConfigError(f"cannot keep the plate in {path.parent}: {exc.strerror}. {_advise(path, exc)}") from None


def _advise(path: Path, exc: OSError) -> str:
    if exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"Run: df -h {shlex.quote(str(_existing(path)))}"
    if exc.errno == errno.EROFS:
        return f"Run: findmnt -T {shlex.quote(str(_existing(path)))}"
    if os.path.isdir(path):
        return f"Run: rm -r {shlex.quote(str(path))}"
    return f"Run: ls -ld {shlex.quote(str(_existing(path)))}"


def _existing(path: Path) -> Path:
    return next(parent for parent in path.parents if os.path.exists(parent))
