"""camdaemon in the desktop's menu of programs: entry and icons; and the entry that starts it with the desktop."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from camdaemon.control.hotkeys.portal import APP_ID
from camdaemon.linux.files import write_for_user
from camdaemon.linux.folders import find_folder
from camdaemon.linux.shipped import read_shipped
from camdaemon.system.machine import MARK

ICONS = ("camdaemon", "camdaemon-card", "camdaemon-room", "camdaemon-unknown")  # the first is the program's

_PLACEHOLDER = "Exec=camdaemon "


def entry_path() -> Path:
    """Return where the user's desktop looks for our entry.

    Newer portals give global hotkeys only to programs that have one.
    """
    return find_folder("data", app=None) / "applications" / f"{APP_ID}.desktop"


def autostart_path() -> Path:
    """Return where desktops look for what starts with them."""
    return find_folder("config", app=None) / "autostart" / f"{APP_ID}.desktop"


def find_files() -> list[Path]:
    """Return the files that are there of all that `write` and `write_autostart` write."""
    wanted = [entry_path(), autostart_path(), *(_icon_path(name) for name in ICONS)]
    return [path for path in wanted if os.path.lexists(path)]


def make_entry(command: list[str]) -> str:
    """Return the menu's entry for the executable (and arguments) `command`. ConfigError: its template is missing."""
    words = " ".join(_quote(word) for word in command)
    template = read_shipped("desktop", "camdaemon.desktop")
    return f"{MARK}service install\n" + template.replace(_PLACEHOLDER, f"Exec={words} ")


def make_autostart(command: list[str]) -> str:
    """Return the entry that starts camdaemon with the desktop, in no menu."""
    words = " ".join(_quote(word) for word in command)
    lines = [
        f"{MARK}service autostart",
        "[Desktop Entry]",
        "Type=Application",
        "Name=camdaemon",
        "Comment=Virtual camera",
        "Icon=camdaemon",
        f"Exec={words} service start",
        "NoDisplay=true",
    ]
    return "\n".join([*lines, ""])


def write(command: list[str]) -> None:
    """Write the entry for `command`, and the icons. Raises ConfigError."""
    for name in ICONS:
        write_for_user(_icon_path(name), read_shipped("desktop", f"{name}.svg"))
    tell_of_icons()
    write_for_user(entry_path(), make_entry(command))


def write_autostart(command: list[str]) -> None:
    """Have every desktop that follows the XDG specification start `command`. Raises ConfigError."""
    write_for_user(autostart_path(), make_autostart(command))


def _icon_path(name: str) -> Path:
    return _theme() / "scalable" / "apps" / f"{name}.svg"


def _theme() -> Path:
    return find_folder("data", app=None) / "icons" / "hicolor"


def tell_of_icons() -> None:
    """Have desktops look again: they do where the theme's folder is newer than their cache of it."""
    with suppress(OSError):  # it is gone
        os.utime(_theme())


def _quote(word: str) -> str:
    """As the Desktop Entry specification requires for Exec: in quotes, % doubled, the rest escaped twice."""
    for sign in ("\\", '"', "`", "$"):
        word = word.replace(sign, "\\\\" + sign)
    return '"' + word.replace("%", "%%") + '"'
