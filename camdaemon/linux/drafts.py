"""What becomes a result when it is finished: a file NAME.part, or a folder. A reader finds the whole result or none.

What was cut off stays as NAME.part, and is named by `results.check_results` before it could be overwritten. Standard
library only. Each draft belongs to one thread.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

from camdaemon.linux.files import take_name
from camdaemon.linux.private import limit_mode
from camdaemon.linux.results import part_of


class Draft:
    """The file beside `target` that takes its name when it is finished.

    A link is followed. A device or a pipe is written to directly. The draft is locked (flock) as long as it is open, so
    that `check_results` of another program can tell it from one that was cut off.

    Args:
        target: The result. Its folder must be there.

    Attributes:
        path: Where to write.

    Raises:
        OSError: The draft cannot be made, or is being written by somebody else.
    """

    def __init__(self, target: Path) -> None:
        self._target = Path(os.path.realpath(target))
        self._mode: int | None = None
        self._is_direct = False
        with suppress(FileNotFoundError):
            status = self._target.stat()
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
            self._is_direct = not stat.S_ISREG(status.st_mode)
            self._mode = limit_mode(stat.S_IMODE(status.st_mode))
        self.path = self._target if self._is_direct else part_of(self._target)
        self._fd = -1
        if not self._is_direct:
            self._fd = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
            try:
                _lock(self._fd, self.path)
                os.ftruncate(self._fd, 0)
                os.fchmod(self._fd, limit_mode(stat.S_IMODE(os.fstat(self._fd).st_mode)))  # an old one may be wider
            except OSError:
                self._close()
                raise

    def finish(self) -> None:
        """Give the draft its name, in one step. Raises OSError: it stays NAME.part, with what was written."""
        if self._fd >= 0:
            take_name(self.path, self._target, self._mode)
            self._close()

    def keep(self) -> None:
        """Leave it as NAME.part."""
        self._close()

    def remove(self) -> None:
        """Remove it: nothing is in it."""
        if self._fd >= 0:
            self.path.unlink(missing_ok=True)
            self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _lock(fd: int, path: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OSError(errno.EBUSY, "another program is writing it", str(path)) from None
    except OSError:  # a file system without locks
        return


class FolderDraft:
    """The folder beside `target` whose files move there when all of them are written. What else is in it stays.

    Args:
        target: The result, a folder.

    Attributes:
        path: The folder to write to.

    Raises:
        OSError: The folder cannot be made.
    """

    def __init__(self, target: Path) -> None:
        self._target = Path(os.path.realpath(target))
        self.path = part_of(self._target)
        self.path.mkdir(parents=True, exist_ok=True)
        for old in self.path.glob("*.png"):  # of a run that was cut off: the user has agreed to lose them
            old.unlink()

    def finish(self) -> None:
        """Move the files. Raises OSError: some may be left in NAME.part."""
        if not self._target.exists():
            take_name(self.path, self._target)
            return
        for file in self.path.iterdir():
            take_name(file, self._target / file.name)
        self.path.rmdir()

    def keep(self) -> None:
        """Leave it as NAME.part."""

    def remove(self) -> None:
        """Remove it: nothing is in it. A folder that somebody has put something into stays."""
        with suppress(OSError):
            self.path.rmdir()
