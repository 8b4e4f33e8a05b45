"""Uploads for the backdrop folder: a safe name, and a check of the content before the file is kept."""

from __future__ import annotations

import io
import os
import re
import tempfile
import threading
from pathlib import Path

from camdaemon.errors import ConfigError
from camdaemon.frames import picture
from camdaemon.frames.door import Unreadable
from camdaemon.frames.kinds import VIDEOS
from camdaemon.frames.video import Video

IMAGES = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}  # suffix → Pillow's format
MOST_BYTES = 64 << 20
_MOST_PIXELS = 50_000_000  # of an uploaded picture; 8K is 33 million
# The format is forced: a playlist that is called .mp4 could make the reader open other files.
_FORMATS = {".mkv": "matroska", ".webm": "matroska", ".avi": "avi", ".gif": "gif"}


def keep_upload(folder: Path, name: str, data: bytes) -> str:
    """Check an upload and write it into `folder`, whole or not at all; nothing is overwritten.

    Args:
        folder: Need not exist.
        name: From anywhere; only a safe form of its last part is used.
        data: The file.

    Returns:
        The name that the file got.

    Raises:
        ConfigError: too large, no picture or video, too many pixels, or the folder cannot be written.
    """
    if len(data) > MOST_BYTES:
        raise ConfigError(
            f"{name!r} has {len(data) >> 20} MB, at most {MOST_BYTES >> 20} can be sent. Copy it to {folder}"
        )
    stem, suffix = _make_safe(name)
    if suffix in IMAGES:
        _check_image(name, data)
    elif suffix in VIDEOS:
        _check_video(name, data, _FORMATS.get(suffix, "mov"))
    else:
        raise ConfigError(f"{name!r} is no picture or video by its name. Try one of {', '.join((*IMAGES, *VIDEOS))}")
    return _write(folder, stem, suffix, data)


def _write(folder: Path, stem: str, suffix: str, data: bytes) -> str:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ending = f".{threading.get_native_id()}{suffix}"  # as `remove_stale_drafts` knows it
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".upload.", suffix=ending) as draft:
            draft.write(data)
            draft.flush()
            for number in range(1, 1000):
                final = f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}"
                try:
                    os.link(draft.name, folder / final)  # fails where a file is: two uploads cannot collide
                except FileExistsError:
                    continue
                return final
    except OSError as exc:
        raise ConfigError(f"cannot write into {folder}: {exc.strerror}. Check its permissions and free space") from None
    raise ConfigError(f"there are a thousand files called {stem}{suffix} in {folder}. Remove some")


def _make_safe(name: str) -> tuple[str, str]:
    """Turn any name into (stem, suffix) of one plain file name: letters, digits, space, dot, dash, underscore.

    The stem has at most 200 bytes, so that a number and the suffix fit into a file system's 255.
    """
    last = re.split(r"[/\\]", name)[-1]
    stem, dot, suffix = last.rpartition(".")
    stem = re.sub(r"[^\w .-]", "_", stem if dot else last).strip(" .")[:80]
    stem = stem.encode()[:200].decode("utf-8", "ignore").strip(" .")
    return stem or "backdrop", f".{suffix.lower()}" if dot else ""


def _check_image(name: str, data: bytes) -> None:
    """Refuse other formats than ours, and pictures that would unpack to very many pixels. Reads only the head first."""
    try:
        picture.check(data, tuple(sorted(set(IMAGES.values()))), _MOST_PIXELS)
    except Unreadable as exc:
        raise ConfigError(f"{name!r} is not kept: {exc}. Try another file") from None


def _check_video(name: str, data: bytes, fmt: str) -> None:
    Video(io.BytesIO(data), "upload", f"Try another file than {name!r}", fmt=fmt).close()
