"""The folder NAME.part beside a result, in which it is made: locked, and removed when the result has its name."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from camdaemon.errors import ConfigError
from camdaemon.linux.files import take_name
from camdaemon.linux.results import part_of
from camdaemon.tools.files.rendering import Pixels
from camdaemon.tools.files.writers import cannot_write
from camdaemon.tools.films.record import FOLDER


class ResultWriter(Protocol):
    """Writes one result of a film in parts. Each call is made by one thread at a time.

    Attributes:
        path: The result.
        work: Its work folder.
    """

    path: Path
    work: WorkFolder

    def check(self, parts: int, names: Sequence[str]) -> None:
        """Check that what an interrupted run has written is there.

        Args:
            parts: How many are whole.
            names: Of their frames.

        Raises:
            ConfigError: Something is missing.
        """

    def begin(self, part: int) -> None:
        """Begin with a part, or again with one that was not finished. Raises ConfigError or DeviceError."""

    def write(self, pixels: Pixels, name: str, t: float) -> None:
        """Write the next frame.

        Args:
            pixels: uint8 or uint16, (H,W), (H,W,3), or (H,W,4) with straight alpha.
            name: The frame's name without ending.
            t: When it is shown, in seconds since the first one.

        Raises:
            ConfigError, DeviceError: It cannot be written.
        """

    def end(self) -> None:
        """Finish the part: it is on the disk when this returns. Raises ConfigError or DeviceError."""

    def abort(self) -> None:
        """Leave the part as it is; it will be begun again, or removed."""

    def finish(self, parts: int, times: Sequence[float], names: Sequence[str], advance: Callable[[], None]) -> None:
        """Give the result its name: all parts are whole.

        Args:
            parts: How many there are.
            times: Of all frames, in seconds.
            names: Of all frames.
            advance: Called after each part.

        Raises:
            ConfigError, DeviceError: It cannot be written.
        """


class WorkFolder:
    """The folder NAME.part of the result NAME.

    It is locked (flock) until `close`, so that no other program writes the same result.

    Args:
        result: The result; a link is followed.
        is_folder: Whether the result is a folder.
        resumes: Whether what is in the folder is gone on with; else it is emptied: the user has agreed to lose it.

    Attributes:
        path: The folder.

    Raises:
        ConfigError: It cannot be made, or another program is writing that result.
    """

    def __init__(self, result: Path, *, is_folder: bool, resumes: bool) -> None:
        self._result = Path(os.path.realpath(result))
        self.path = part_of(self._result)
        self._fd = -1
        try:
            self._check_kind(is_folder=is_folder)
            if not resumes and self.path.is_file():  # of an earlier camdaemon, or a recording that was cut off
                self.path.unlink()
            self.path.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._lock()
            if not resumes:
                _empty(self.path)
        except OSError as exc:
            self.close()
            raise cannot_write(result, exc) from None

    def _check_kind(self, *, is_folder: bool) -> None:
        """Refuse to put a file in the place of a folder, a pipe or a device, or the other way round. Raises OSError."""
        if is_folder and self._result.exists() and not self._result.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "it is a file", str(self._result))
        if not is_folder and self._result.exists() and not self._result.is_file():
            raise FileExistsError(errno.EEXIST, "it is a folder, a pipe or a device", str(self._result))

    def _lock(self) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise ConfigError(
                f"{self._result} is being written by another program. Name another file for the result"
            ) from None
        except OSError as exc:  # a file system without locks
            if exc.errno not in (errno.ENOLCK, errno.EINVAL, errno.ENOTSUP):
                raise

    def check(self, files: Iterable[Path]) -> None:
        """Check that files of an interrupted run are there. Raises ConfigError."""
        if missing := next((file for file in files if not file.is_file()), None):
            raise ConfigError(f"cannot go on with {self.path}: {missing.name} is missing. Begin again with: --force")

    def take(self, file: Path, name: Path) -> None:
        """Give a file of the folder its name, in one step, keeping the mode of what is there. Raises OSError."""
        mode = None
        with suppress(FileNotFoundError):
            mode = name.stat().st_mode & 0o777
        take_name(file, name, mode)

    def remove(self) -> None:
        """Remove the folder and everything in it: the result has its name, or there is nothing of it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.close()

    def close(self) -> None:
        """Unlock it. May be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _empty(folder: Path) -> None:
    """Remove what an earlier job has left in its work folder."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    for file in folder.iterdir():
        if file.suffix in (".mkv", ".png", ".exr", ".mp4", ".mov", ".webm") and not file.is_dir():
            file.unlink()
