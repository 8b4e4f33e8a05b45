"""The pictures of a folder."""

from __future__ import annotations

from pathlib import Path

from camdaemon.errors import ConfigError
from camdaemon.linux.listing import list_files

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif")


def list_pictures(folder: Path) -> list[Path]:
    """List the pictures directly in `folder`, numbers in their names in numeric order. Raises ConfigError."""
    try:
        return list_files(folder, PICTURES)
    except OSError as exc:
        raise ConfigError(f"cannot read the folder {folder}: {exc.strerror}. Run: ls -ld {folder}") from None
