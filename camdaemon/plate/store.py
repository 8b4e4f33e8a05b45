"""Plates read from disk and written to it: one PNG for each camera and size, so that a restart needs no new plate."""

from __future__ import annotations

import errno
import os
import shlex
import struct
import zlib
from pathlib import Path

from camdaemon.errors import ConfigError
from camdaemon.frames import picture
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import Picture
from camdaemon.linux.files import read_regular
from camdaemon.linux.private import make_private_folder
from camdaemon.plate.saved import path_for

_MOST_BYTES = 256 << 20  # of a saved plate; one of 8K noise has 100 MB


def load_saved(camera: str, size: Size) -> Picture | None:
    """Load the saved plate, uint8 (H,W,3) RGB of `size`; None if there is none.

    Raises:
        ConfigError: The file is damaged, of another size, or cannot be read.
    """
    path = path_for(camera, size)
    try:
        why = _find_damage(read_regular(path, _MOST_BYTES), size)
    except FileNotFoundError:
        return None
    except OSError as exc:
        why = str(exc.strerror)
    remedy = f"rm -r {shlex.quote(str(path))}" if os.path.isdir(path) else "camdaemon plate --countdown 5"
    if why:
        raise ConfigError(f"cannot use the saved plate {path}: {why}. Run: {remedy}")
    return picture.read(path, remedy)


def _find_damage(png: bytes, size: Size) -> str:
    """Return what is wrong with a PNG that should be of `size`; '' if it is whole.

    A decoder may fill what is missing with black, and the matte would call all of that the person.
    """
    if png[:8] != b"\x89PNG\r\n\x1a\n" or png[12:16] != b"IHDR" or len(png) < 24:
        return "it is not a PNG"
    width, height = struct.unpack_from(">II", png, 16)
    if (width, height) != (size.width, size.height):
        return f"it is {width}x{height}, not {size}"
    at, kind = 8, b""
    while kind != b"IEND":
        if at + 12 > len(png):
            return "it is cut off"
        length, kind = struct.unpack_from(">I4s", png, at)
        end = at + 8 + length  # of the chunk's content; a checksum follows, see the PNG specification, section 5.3
        if end + 4 > len(png):
            return "it is cut off"
        if zlib.crc32(png[at + 4 : end]) != int.from_bytes(png[end : end + 4]):
            return "it is damaged"
        at = end + 4
    return ""


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


def save(camera: str, size: Size, rgb: Picture) -> Path:
    """Keep `rgb`, uint8 (H,W,3), as the plate of `camera` at `size`, and return the file.

    Raises:
        ConfigError: The file cannot be written.
    """
    path = path_for(camera, size)
    try:
        make_private_folder(path.parent)
        picture.write(path, rgb, mode=0o600)
    except OSError as exc:
        raise ConfigError(f"cannot keep the plate in {path.parent}: {exc.strerror}. {_advise(path, exc)}") from None
    return path


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
