"""Notes on Intel's GPU and NPU that outlive this process: which went wrong, and what has been tried.

A note is written before a driver may end the process. One in the name of a process that is no more means that it did.
A device is then left out for a week, or until the file is removed. Loads no torch, so that the doctor can read it.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from camdaemon.linux.files import read_regular, replace_atomically
from camdaemon.linux.folders import find_folder

log = logging.getLogger(__name__)

_VALID_S = 7 * 86400
_MOST_BYTES = 1 << 20  # more is not of our making
_Entry = tuple[float, str, int]  # when (seconds since 1970), why, and the process that is at it; 0: none


def read_skipped() -> dict[str, str]:
    """Return by device ('GPU', 'NPU') why it is left out; without what a living process is preparing."""
    return {device: why for device, (_, why, pid) in _read("skipped").items() if not Path(f"/proc/{pid}").exists()}


def skip(device: str, why: str) -> None:
    """Leave out `device` from now on. `why`: a clause for users."""
    log.warning("OpenVINO's %s is left out from now on: %s", device, why)
    _change("skipped", {device: (time.time(), why, 0)})


@contextmanager
def noted(*devices: str) -> Iterator[None]:
    """Leave a note on `devices` while the block runs, which stays if this process does not survive it."""
    _change("skipped", dict.fromkeys(devices, (time.time(), "its driver ended camdaemon", os.getpid())))
    try:
        yield
    finally:
        _change("skipped", dict.fromkeys(devices))


def was_tried(key: str) -> bool:
    """Return whether `remember_tried` was called with `key` in the last week."""
    return key in _read("tried")


def remember_tried(key: str) -> None:
    """Remember that what `key` says went well."""
    _change("tried", {key: (time.time(), "", 0)})


def notes_file() -> Path:
    """Return the path of the notes; without it every device is tried again."""
    return find_folder("cache") / "devices.json"


def _read(part: str) -> dict[str, _Entry]:
    """Return the entries of 'tried' or 'skipped' that are younger than a week."""
    try:
        found = json.loads(read_regular(notes_file(), _MOST_BYTES))[part]
        entries = {str(name): (float(at), str(why), int(pid)) for name, (at, why, pid) in found.items()}
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError):  # no file, or other content
        return {}
    return {name: entry for name, entry in entries.items() if 0 <= time.time() - entry[0] < _VALID_S}


def _change(part: str, entries: Mapping[str, Sequence[object] | None]) -> None:
    """Write entries, or remove those that are None. A failure is logged: devices work without notes."""
    both: dict[str, dict[str, Any]] = {each: dict(_read(each)) for each in ("tried", "skipped")}
    both[part] = {name: entry for name, entry in {**both[part], **entries}.items() if entry is not None}
    try:
        replace_atomically(notes_file(), json.dumps(both, indent=1))
    except OSError as exc:
        log.info("not noted: %s: %s", part, exc)
