"""Keeping photographs of a home from others: file modes, and core dumps without pictures. Standard library only."""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_OTHERS = 0o077  # what the group and everybody else may do


def keep_files_private() -> None:
    """Make every file that this process and its children create from now on its user's alone."""
    os.umask(_OTHERS)


def limit_mode(mode: int) -> int:
    """Return the permission bits of a file that is replaced: those it had, less those of others in a private process.

    The umask can only be read by setting it; for that moment it is the strictest.
    """
    umask = os.umask(_OTHERS)
    os.umask(umask)
    return mode & ~_OTHERS if umask & _OTHERS == _OTHERS else mode


def omit_pictures_from_core_dumps() -> None:
    """Keep this process's memory, and that of its children, out of core dumps.

    A limit of one byte also stops a dump that the kernel would hand to a program (a `core_pattern` that begins with a
    pipe), which a limit of zero does not. The filter covers machines where the limit cannot be set: a dump then has
    registers, but no memory. PR_SET_DUMPABLE would be simpler, but it makes /proc/PID root's: desktop portals would no
    longer know whose hotkeys these are, nor we who holds a camera.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    with suppress(OSError, ValueError):  # a hard limit of 0: no file is written, and the filter does the rest
        resource.setrlimit(resource.RLIMIT_CORE, (1 if hard == resource.RLIM_INFINITY else min(1, hard), hard))
    with suppress(OSError):  # a kernel without core dumps
        Path("/proc/self/coredump_filter").write_text("0", "ascii")


def make_private_folder(path: Path) -> None:
    """Make `path`, and close it to others if it was open; its parents are made as the umask says.

    Raises:
        OSError: it cannot be made. One that cannot be closed is left as it is.
    """
    path.mkdir(0o700, parents=True, exist_ok=True)
    with suppress(OSError):
        _close(path)


def close_to_others(folder: Path) -> list[Path]:
    """Take from others what they may do with `folder` and everything in it; links in it are not followed.

    Returns:
        What is still open to others, because it is not ours or the file system is read-only.
    """
    left = []
    for path in _walk(folder):
        try:
            _close(path)
        except FileNotFoundError:  # removed meanwhile
            continue
        except OSError:
            left.append(path)
    return left


def _walk(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):  # from the top: what is below is out of reach at once
        yield Path(parent)
        yield from (Path(parent, name) for name in names)


def _close(path: Path) -> None:
    status = path.lstat()
    if (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)) and status.st_mode & _OTHERS:
        path.chmod(stat.S_IMODE(status.st_mode) & ~_OTHERS)
