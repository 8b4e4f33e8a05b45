"""Files that users name for results: never one that is read, overwritten only when they agree, and whole or NAME.part.

Check every result with `check_results` before the first one is opened, then write each to its `Draft`. Standard library
only.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from camdaemon.errors import ConfigError

_PART = ".part"
_Identity = tuple[int, int] | str  # device and inode of a file that is there; the real path of one that is not


def expand(path: str | Path) -> Path:
    """Return `path` with `~` expanded; unchanged where nobody has that name."""
    return Path(os.path.expanduser(path))


def part_of(path: Path) -> Path:
    """Return where the result `path` is written until it is whole: NAME.part beside it, or beside what it links to."""
    beside = Path(os.path.realpath(path)) if os.path.islink(path) else path
    return beside.with_name(f"{beside.name}{_PART}")


def keep_command(part: Path) -> str:
    """Return the command that keeps the result NAME.part, which was cut off, under a name that can be played."""
    whole = part.with_name(part.name.removesuffix(_PART))
    if part.is_dir():  # films, one after the other, or pictures
        return f"mv {shlex.quote(str(part))} {shlex.quote(str(whole.with_name(f'{whole.stem}-cut')))}"
    return f"mv {shlex.quote(str(part))} {shlex.quote(str(whole.with_stem(f'{whole.stem}-cut')))}"


def check_results(
    results: Iterable[Path],
    inputs: Iterable[str | Path | None],
    *,
    force: bool,
    resume: bool = False,
    overwritten: Iterable[Path] = (),
    ask: Callable[[str], bool] | None = None,
) -> None:
    """Check that everything in `results` may be written; nothing is opened for writing.

    Args:
        results: Files, and folders for many files.
        inputs: Files and folders that are read, in any spelling; what is not there is passed over.
        force: Overwrite what is there without asking; never what is read.
        resume: What was cut off will be gone on with, so that it is not lost.
        overwritten: Files in folders of `results` that would be overwritten.
        ask: Puts a question to the user; None: on the terminal, and nothing is overwritten where there is none.

    Raises:
        ConfigError: A result is an input or another result, or lies in a folder that is read, or would overwrite a
            file and the user did not agree.
    """
    named = [expand(path) for path in results]
    _refuse_same(named)
    named += overwritten
    _refuse_inputs(named, [expand(path) for path in inputs if path and "\0" not in str(path)])
    if not force:
        _confirm(named, ask or _ask_on_terminal, resume=resume)


def _refuse_same(results: list[Path]) -> None:
    seen: dict[_Identity, Path] = {}
    for path in results:
        other = seen.setdefault(_identify(path), path)
        if other is not path:
            same = f"{path}" if path == other else f"{path} and {other}"
            raise ConfigError(f"two results have the same name: {same}. Name another file for one of them")


def _refuse_inputs(results: list[Path], inputs: list[Path]) -> None:
    read = {_identify(path): path for each in inputs for path in _list_files(each)}
    folders = [Path(os.path.realpath(each)) for each in inputs if os.path.isdir(each)]
    for path in results:
        for written in (path, part_of(path)):
            if os.path.lexists(written) and (source := read.get(_identify(written))):
                also = "" if str(source) == str(written) else f", as {source}"
                raise ConfigError(
                    f"{written} would be overwritten while it is read{also}. Name another file for the result"
                )
        if not path.suffix or os.path.isdir(path):
            real = Path(os.path.realpath(path))
            if around := next((folder for folder in folders if real.is_relative_to(folder)), None):
                raise ConfigError(
                    f"{path} lies in {around}, which is read. Name a folder outside of it for the results"
                )


def _list_files(path: Path) -> Iterator[Path]:
    yield path
    with contextlib.suppress(OSError):  # no folder, or one that nobody can read from either
        yield from path.iterdir()


def _identify(path: Path) -> _Identity:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return os.path.realpath(path)
    return status.st_dev, status.st_ino


def _confirm(results: list[Path], ask: Callable[[str], bool], *, resume: bool) -> None:
    # What has its name already, while another result of the same run has not, was agreed to before.
    taken = [path for path in results if _is_regular(path) and not (resume and os.path.isdir(part_of(path)))]
    parts = [(path, part_of(path)) for path in results if os.path.exists(part_of(path))]
    for path, part in parts:
        _refuse_busy(path, part)
        if resume and part.is_dir():
            continue
        told = f"{part} is what was written before {path.name} was cut off. To keep it, run: {keep_command(part)}"
        if part.is_dir():
            told += ", or go on with it: --resume"
        if not ask(f"{told}\nOverwrite it?"):
            raise ConfigError(f"{told}, or overwrite it with: --force")
    if taken:
        told = f"{taken[0]} exists" if len(taken) == 1 else f"{taken[0]} and {len(taken) - 1} more exist"
        if not ask(f"{told} already. Overwrite?"):
            raise ConfigError(f"{told} already, and nothing was written. Name another, or overwrite with: --force")


def _ask_on_terminal(question: str) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _refuse_busy(path: Path, part: Path) -> None:
    try:
        fd = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise ConfigError(f"{path} is being written by another program. Name another file for the result") from None
    finally:
        os.close(fd)
