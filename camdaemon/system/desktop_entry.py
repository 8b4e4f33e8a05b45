"""The .desktop file by which a Wayland desktop knows camdaemon; newer portals give global hotkeys to nobody else."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from camdaemon.control.hotkeys.portal import APP_ID


def path() -> Path:
    """Where the user's desktop looks for it."""
    return platformdirs.user_data_path() / "applications" / f"{APP_ID}.desktop"


def text(command: list[str]) -> str:
    """Its content, for the executable (and arguments) `command`. In no menu, for a daemon has no window."""
    words = " ".join(_quoted(word) for word in [*command, "run"])
    return f"[Desktop Entry]\nType=Application\nName=camdaemon\nIcon=camera-web\nExec={words}\nNoDisplay=true\n"


def _quoted(word: str) -> str:
    """As the Desktop Entry specification wants an argument of Exec: in quotes, % doubled, the rest escaped twice."""
    for sign in ("\\", '"', "`", "$"):
        word = word.replace(sign, "\\\\" + sign)
    return '"' + word.replace("%", "%%") + '"'
