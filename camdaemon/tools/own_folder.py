"""A folder that a command writes its results into again and again: it replaces its own files, and nobody else's."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path

from camdaemon.errors import ConfigError
from camdaemon.linux.files import replace_atomically
from camdaemon.linux.results import check_results, expand

_RECORD = ".camdaemon.json"  # in the folder: size and time of change (ns) of each file that was written, by name
_Facts = list[int]


class OwnFolder:
    """A folder of results, and which of them the command has written itself.

    Args:
        folder: Where they are; it may be missing.
    """

    def __init__(self, folder: Path) -> None:
        self.path = expand(folder)
        self._recorded: dict[str, _Facts] = {}
        with contextlib.suppress(OSError, ValueError, AttributeError):
            self._recorded = dict(json.loads((self.path / _RECORD).read_text("utf-8")).items())

    def check(self, names: Iterable[str], inputs: Iterable[Path | None] = (), *, force: bool) -> None:
        """Check that `names` may be written there; nothing is made yet.

        Args:
            names: Files that will be written.
            inputs: Files and folders that are read.
            force: Overwrite files of others, too; never what is read.

        Raises:
            ConfigError: One of them is read, or is somebody else's and the user did not agree to lose it.
        """
        there = [self.path / name for name in names if (self.path / name).exists()]
        foreign = [path for path in there if self._recorded.get(path.name) != _read_facts(path)]
        check_results([], [path for path in inputs if path is not None], overwritten=there, force=True)
        check_results([], [], overwritten=foreign, force=force)

    def make(self) -> None:
        """Make the folder. Raises ConfigError: that is impossible."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise ConfigError(
                f"cannot make the folder {self.path}: {exc.strerror}. Name another one with: --output FOLDER"
            ) from None

    def record(self, names: Iterable[str]) -> None:
        """Remember that `names` were written by the command, as they are now."""
        written = [self.path / name for name in names]
        self._recorded |= {path.name: _read_facts(path) for path in written if path.exists()}
        with contextlib.suppress(OSError):  # the next run asks
            replace_atomically(self.path / _RECORD, json.dumps(self._recorded))


def _read_facts(path: Path) -> _Facts:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
