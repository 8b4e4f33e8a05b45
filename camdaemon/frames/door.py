"""The one door for pictures and videos from files: what is checked before anything is decoded."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from camdaemon.errors import CamdaemonError

MOST_VIDEO_PIXELS = 8192 * 4320  # of a frame: 8K
MOST_PICTURE_BYTES = 256 << 20


class Unreadable(CamdaemonError):
    """Why a file is not decoded, in a few words. Whoever asked for the file makes the sentence of it."""


class NotInstalled(Unreadable):
    """Why a file is not decoded, where one command ends that: the command is the end of the message."""


def check_file(path: Path, most_bytes: int | None = None) -> None:
    """Check that `path` is a file with something in it, without opening it: a pipe would wait for its writer.

    Raises:
        Unreadable: It is not there, a folder, a pipe or a device, empty, larger than `most_bytes`, or not to be read.
    """
    try:
        status = os.stat(path)
    except OSError as exc:
        raise Unreadable(str(exc.strerror)) from None
    except ValueError:  # a zero byte in its name
        raise Unreadable("no such file") from None
    if stat.S_ISDIR(status.st_mode):
        raise Unreadable("it is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise Unreadable("it is a pipe, socket or device, not a file")
    if not status.st_size:
        raise Unreadable("it is empty")
    if not os.access(path, os.R_OK):
        raise Unreadable("permission denied")
    if most_bytes is not None and status.st_size > most_bytes:
        raise Unreadable(f"it has {status.st_size >> 20} MB, more than {most_bytes >> 20}")
