"""Small files: read only if they are files, and replaced in one step.

A reader, or the machine after a power cut, finds the old file or the new one. Standard library only. Safe from any
thread.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path

from camdaemon.errors import ConfigError
from camdaemon.linux.private import limit_mode

_NOT_SUPPORTED = (errno.EINVAL, errno.ENOTSUP)  # file systems that cannot sync a folder: FUSE, network shares
_DRAFT = re.compile(r"\.(?P<stem>.+)\.(?P<thread>\d+)(?P<suffix>\.[^.]+)?")  # a name made by `prepare_replacement`
_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}  # all others are devices


def read_regular(path: Path, most: int) -> bytes:
    """Read a file of at most `most` bytes. Never waits: a FIFO or a terminal is refused, not opened.

    Raises:
        OSError: it cannot be read, is no regular file, or is larger; `strerror` says which.
    """
    _check_regular(path, os.stat(path))
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        _check_regular(path, os.fstat(file.fileno()))  # again: it may have been replaced meanwhile
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most >> 20} MB", str(path))
    return content


def _check_regular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "a device")
        raise OSError(errno.EINVAL, f"it is {kind}, not a file", str(path))


def replace_atomically(path: Path, content: bytes | str, *, mode: int | None = None) -> None:
    """Write `content` (text as UTF-8) to `path`, all of it or nothing. See `prepare_replacement`.

    Args:
        path: the file to write; its folder is made.
        content: the whole content.
        mode: permission bits; default: those of the old file, else what the umask allows.

    Raises:
        OSError: it cannot be written; the old file is as it was.
    """
    with prepare_replacement(path, mode=mode) as draft:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)


def write_for_user(path: Path, text: str) -> None:
    """Do what `replace_atomically` does, for a file of the user's. Raises ConfigError: it cannot be written."""
    try:
        replace_atomically(path, text)
    except OSError as exc:
        raise ConfigError(f"cannot write {path}: {exc.strerror}. Run: ls -ld {path.parent}") from None


def remove_empty_folders(folder: Path, top: Path) -> None:
    """Remove `folder` and what is above it, up to but without `top`, as far as nothing is in them. Never raises."""
    with suppress(OSError):  # the first one that still holds something
        while folder != top and folder.is_relative_to(top):
            folder.rmdir()
            folder = folder.parent


@contextmanager
def prepare_replacement(path: Path, *, mode: int | None = None) -> Iterator[Path]:
    """Yield an empty draft in `path`'s folder, with the same ending; it replaces `path` when the block ends well.

    The draft is on the disk (fsync) before it takes the name, and the name is on the disk before this returns. After an
    exception the draft is removed and the old file is untouched. A symbolic link at `path` is replaced, not followed.

    Args:
        path: the file to write; its folder is made.
        mode: permission bits; default: those of the old file, else what the umask allows.

    Raises:
        OSError: the draft cannot be made, synced or renamed: the old file is as it was. Or only the last step fails,
            which syncs the new name. Whatever the block raises passes through.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = _permissions(path) if mode is None else mode
    draft = path.with_name(f".{path.stem}.{threading.get_native_id()}{path.suffix}")
    draft.unlink(missing_ok=True)  # of a process that was killed and had this thread's number
    try:
        with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666 if mode is None else mode), "wb") as held:
            _try_lock(held.fileno())  # as long as it is held, `remove_stale_drafts` leaves it
            yield draft
            take_name(draft, path, mode)
    finally:
        with suppress(OSError):  # the reason for leaving the block matters more
            draft.unlink(missing_ok=True)


def sync_file(path: Path) -> None:
    """Have a file on the disk, also after a power cut. Raises OSError."""
    _finish(path, None)


def remove_stale_drafts(folder: Path, name: str = "*") -> list[Path]:
    """Remove the drafts that killed processes left in `folder`, and return them.

    Args:
        folder: need not exist.
        name: a pattern for the names of the files that the drafts were to become.
    """
    try:
        drafts = [folder / each for each in os.listdir(folder) if each.startswith(".")]
    except OSError:
        return []
    return [draft for draft in drafts if _is_stale(draft, name) and _remove_unlocked(draft)]


def _is_stale(draft: Path, name: str) -> bool:
    """Whether the name is that of a draft for a file called `name`, by a thread that has ended."""
    found = _DRAFT.fullmatch(draft.name)
    if found is None or not fnmatch(f"{found['stem']}{found['suffix'] or ''}", name):
        return False
    return not Path(f"/proc/{found['thread']}").exists()


def _remove_unlocked(draft: Path) -> bool:
    """Remove `draft` unless a process holds it: one in another container has no number here."""
    try:
        with open(os.open(draft, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as file:
            is_free = _try_lock(file.fileno())
            if is_free:
                draft.unlink()
            return is_free
    except OSError:
        return False


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def take_name(draft: Path, path: Path, mode: int | None = None) -> None:
    """Rename the finished file `draft` to `path`, in the same folder: the content is on the disk first, then the name.

    Args:
        draft: the file; nobody writes to it any more.
        path: its new name; what is there is replaced.
        mode: permission bits; default: those that it has.

    Raises:
        OSError: it cannot be synced or renamed.
    """
    _finish(draft, mode)
    draft.replace(path)
    _sync_folder(path.parent)


def _permissions(path: Path) -> int | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return limit_mode(stat.S_IMODE(status.st_mode)) if stat.S_ISREG(status.st_mode) else None


def _finish(draft: Path, mode: int | None) -> None:
    fd = os.open(draft, os.O_RDONLY)
    try:
        if mode is not None:
            os.fchmod(fd, mode)  # the umask may have taken bits away, and a writer may have made another file
        os.fsync(fd)
    finally:
        os.close(fd)


def _sync_folder(folder: Path) -> None:
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:  # a folder that may be written to but not read
        return
    try:
        os.fsync(fd)
    except OSError as exc:
        if exc.errno not in _NOT_SUPPORTED:
            raise
    finally:
        os.close(fd)
