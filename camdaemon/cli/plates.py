"""`camdaemon plate list` and `plate forget`: the plates on disk. They need no running daemon."""

from __future__ import annotations

import json
import shlex
import time
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from camdaemon.cli.asking import confirm
from camdaemon.errors import CamdaemonError, ConfigError, ControlError

if TYPE_CHECKING:
    from camdaemon.plate.saved import SavedPlate

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60))


def list_(
    as_json: Annotated[bool, typer.Option("--json", help="JSON output, for scripts.")] = False,
) -> None:
    """List the plates on disk, photographs of your room: camera, size, age, bytes, file."""
    from camdaemon.plate.saved import list_plates

    found = list_plates()
    if as_json:
        print(json.dumps([{**asdict(plate), "path": str(plate.path)} for plate in found]))
    elif found:
        _print(found)
        print("\nTo remove one: camdaemon plate forget CAMERA")
    else:
        print("No plate is kept.")


def forget(
    camera: Annotated[
        str | None,
        typer.Argument(
            help="Camera, or a part of its name, as `plate list` shows it; or /dev/videoN, or a plate's file."
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Remove the plates of every camera.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Skip the question.")] = False,
) -> None:
    """Remove a camera's plates from disk."""
    from camdaemon.plate import saved

    if (camera is None) != every:
        raise ConfigError("name the camera whose plates are to be removed, or --all. Run: camdaemon plate list")
    found = saved.list_plates()
    if camera is not None:
        words = _name_of(camera)
        chosen = [plate for plate in found if plate.is_meant_by(words)]
        if not chosen:
            raise ConfigError(f"no plate of {camera} is kept. Run: camdaemon plate list")
        found = chosen
    if not found:
        print("No plate is kept.")
        return
    _print(found)
    typed = shlex.join(["camdaemon", "plate", "forget", camera or "--all", "--yes"])
    if not confirm(f"Remove {_count(len(found))}? [y/N] ", typed, yes=yes):
        print("Nothing was removed.")
        return
    for plate in found:
        saved.forget(plate)
    print(f"{_count(len(found))} removed.")
    if _may_run():
        print(
            "A running camdaemon keeps the plate that it has loaded. "
            "To take another: camdaemon plate. To end it: camdaemon stop"
        )


def _name_of(words: str) -> str:
    """Return the name of the camera at a device node; other words as they are."""
    from camdaemon.linux.devices import describe, is_device_path

    if is_device_path(words):
        with suppress(CamdaemonError):  # it is not plugged in now
            return describe(words).name
    return words


def _print(plates: list[SavedPlate]) -> None:
    rows = [("CAMERA", "SIZE", "TAKEN", "BYTES", "FILE")]
    rows += [(plate.camera, plate.size, _age(plate.taken), str(plate.bytes), str(plate.path)) for plate in plates]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        print("  ".join([*(text.ljust(width) for text, width in zip(row[:4], widths, strict=True)), row[4]]))


def _age(taken: float) -> str:
    seconds = time.time() - taken
    for unit, length in _UNITS:
        if seconds >= length:
            number = int(seconds // length)
            return f"{number} {unit}{'s' if number > 1 else ''} ago"
    return "just now"


def _count(number: int) -> str:
    return "1 plate" if number == 1 else f"{number} plates"


def _may_run() -> bool:
    from camdaemon.control.instance import socket_path

    try:
        return socket_path().is_socket()
    except (ControlError, OSError):
        return False
