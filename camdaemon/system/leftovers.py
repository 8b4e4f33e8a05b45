"""What stays on the disk when the virtual camera and the service are gone: named, and erased if the user says so.

Recordings and backdrops are the user's own: they are named and never erased.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from camdaemon.config.schema import default_backdrops, default_path, load
from camdaemon.control.client import Client
from camdaemon.errors import CamdaemonError, ConfigError, ControlError
from camdaemon.frames.kinds import VIDEOS
from camdaemon.linux.folders import expand_home, find_folder
from camdaemon.system import service
from camdaemon.system.setup import hidden_files
from camdaemon.system.setup.files import OURS

_RECORDINGS = (*VIDEOS, ".part")


@dataclass(frozen=True, slots=True)
class Leftover:
    """Files of one kind that camdaemon wrote.

    Attributes:
        what: What they are, a noun phrase.
        place: The folder or file that holds them.
        files: The files themselves, never empty.
    """

    what: str
    place: Path
    files: tuple[Path, ...]

    def __str__(self) -> str:
        count = "1 file" if len(self.files) == 1 else f"{len(self.files)} files"
        size = sum(file.lstat().st_size for file in self.files)
        weight = f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size} bytes"
        return f"{self.what}: {count}, {weight} in {self.place}"


def find_leftovers() -> list[Leftover]:
    """Return what can be erased: plates, state, configuration and cache; empty where nothing is left."""
    state = find_folder("state")
    plates = state / "plates"
    kinds = (
        ("plates, photographs of your room", plates, _walk(plates)),
        ("choices, camera settings and log", state, (file for file in _walk(state) if plates not in file.parents)),
        ("configuration", default_path(), iter([default_path()] if os.path.lexists(default_path()) else [])),
        ("cache", find_folder("cache"), _walk(find_folder("cache"))),
    )
    found = (Leftover(what, place, tuple(files)) for what, place, files in kinds)
    return [leftover for leftover in found if leftover.files]


def _walk(folder: Path) -> Iterator[Path]:
    """All files in `folder`, without recordings and backdrops that the user put there."""
    backdrops = _backdrop_folders()
    for parent, _, names in os.walk(folder):
        if any(Path(parent).is_relative_to(each) for each in backdrops):
            continue
        yield from (Path(parent, name) for name in names if not name.lower().endswith(_RECORDINGS))


def find_remarks() -> list[str]:
    """Return what else stays: what is the user's own, and what other commands remove."""
    remarks = []
    for folder in _backdrop_folders():
        if os.path.isdir(folder) and os.listdir(folder):
            remarks.append(f"Your backdrops in {folder} stay.")
    remarks.append("Recordings stay where you had them written (run --sink FILE).")
    if os.path.lexists(service.unit_path()):
        remarks.append("The service is installed. To remove it: camdaemon service remove")
    if any(os.path.lexists(path) for path in OURS):
        remarks.append("The virtual camera is set up. To remove it: camdaemon setup --remove")
    if any(os.path.lexists(path) for path in hidden_files.OURS):
        remarks.append("A camera is hidden. To give it back: camdaemon setup --unhide-camera")
    remarks.append("The program itself goes the way it came, for example: pipx uninstall camdaemon")
    return remarks


def _backdrop_folders() -> list[Path]:
    folders = [expand_home(default_backdrops())]
    with suppress(ConfigError, OSError):  # a wrong configuration names none
        folders.append(expand_home(load(None, {}).backdrops))
    return list(dict.fromkeys(folders))


def offer_to_erase(
    command: str, *, erase: bool, dry_run: bool, is_terminal: bool, agree: Callable[[str], bool]
) -> None:
    """Print what stays, and erase it if that is wished: with `erase`, or asked on a terminal.

    Args:
        command: What was typed, for how to erase it later.
        erase: Do not ask.
        dry_run: Only print.
        is_terminal: Whether questions can be answered.
        agree: Asks the user a question.

    Raises:
        ControlError: camdaemon runs and would write everything again.
        CamdaemonError: A file cannot be removed.
    """
    found = find_leftovers()
    if found:
        print("\nThis stays on the disk:")
        print("\n".join(f"  {leftover}" for leftover in found))
    print("\n".join(["", *find_remarks()]))
    if not found or dry_run:
        return
    if not erase and not (is_terminal and agree("\nErase the files listed above? [y/N] ")):
        print(f"\nNothing was erased. To erase the files listed above: {command} --erase")
        return
    _refuse_while_running(command)
    for leftover in found:
        _erase(leftover)
    _remove_empty_folders()
    print("\nErased.")


def _refuse_while_running(command: str) -> None:
    try:
        Client().status()
    except CamdaemonError:
        return
    raise ControlError(f"camdaemon runs and would write it again. Run: camdaemon stop && {command} --erase")


def _erase(leftover: Leftover) -> None:
    for file in leftover.files:
        try:
            file.unlink(missing_ok=True)
        except OSError as exc:
            raise CamdaemonError(
                f"cannot erase {file}: {exc.strerror}. Run: rm -r {shlex.quote(str(leftover.place))}"
            ) from None


def _remove_empty_folders() -> None:
    for top in (find_folder("state"), find_folder("cache"), find_folder("config")):
        for folder, _, _ in os.walk(top, topdown=False):
            with suppress(OSError):  # something of the user's is in it
                os.rmdir(folder)
