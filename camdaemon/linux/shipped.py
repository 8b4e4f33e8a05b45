"""The files that come with camdaemon beside its code: the service's unit, the menu entry, icons."""

from __future__ import annotations

from pathlib import Path

from camdaemon.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parents[1]
_PLACES = {"systemd": "systemd", "desktop": "packaging/desktop"}  # in a checkout; installed: camdaemon/_NAME


def find_shipped(kind: str, name: str) -> Path:
    """Return where the file `name` is that comes with camdaemon; it may be missing from a broken installation.

    Args:
        kind: 'systemd' or 'desktop'.
        name: Of the file.
    """
    folders = [_PACKAGE / f"_{kind}", _PACKAGE.parent / _PLACES[kind]]
    return next((folder for folder in folders if (folder / name).is_file()), folders[0]) / name


def read_shipped(kind: str, name: str) -> str:
    """Return the text of that file. Raises ConfigError: it is missing or cannot be read."""
    path = find_shipped(kind, name)
    try:
        return path.read_text("utf-8")
    except OSError as exc:
        raise ConfigError(f"cannot read {path}: {exc.strerror}. Run: pipx reinstall camdaemon") from None
