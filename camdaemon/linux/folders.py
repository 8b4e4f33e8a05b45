"""The user's folders, as the XDG specification names them. The one place that looks for a home folder.

Nothing is created. Any thread.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Literal

from camdaemon.errors import ConfigError

_APP = "camdaemon"
_NO_HOME = (
    "no home folder is known: HOME is not set, and this user has no entry in /etc/passwd. Run: export HOME=/some/folder"
)


def find_folder(kind: Literal["config", "state", "data", "cache"], *, app: str | None = _APP) -> Path:
    """Return a folder of the user, such as ~/.config/camdaemon; it may not exist.

    Args:
        kind: What it is for; $XDG_CONFIG_HOME and its like are honored.
        app: The folder in it; None: the one that all programs share.

    Raises:
        ConfigError: There is no home folder, and no XDG variable instead.
    """
    import platformdirs  # 15 ms that a command to the daemon saves

    try:
        return Path(getattr(platformdirs, f"user_{kind}_path")(app))
    except RuntimeError:
        raise ConfigError(_NO_HOME) from None


def find_runtime_folder() -> Path:
    """Return the folder for sockets. Needs no home folder. OSError: there is none that is safe from other users."""
    import platformdirs

    with warnings.catch_warnings():  # of its fallback; our errors name the path
        warnings.simplefilter("ignore")
        return platformdirs.user_runtime_path(_APP, appauthor=False)


def expand_home(path: str | Path) -> Path:
    """Return `path` with ~ or ~name at its beginning replaced.

    Raises:
        ConfigError: There is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        name = Path(path).parts[0].removeprefix("~")
        raise ConfigError(
            f"cannot find {path}: there is no user {name}. Run: id {name}" if name else _NO_HOME
        ) from None
