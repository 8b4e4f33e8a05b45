"""What is known of a film that is being matted, on the disk: so that it can go on after any interruption.

In the folder `.job` of the first result's work folder: `job.json` says what the job is; `00000.npz`, one for each whole
part, holds the times of its frames; and `00000.state.npz`, for the last one alone, what the matting had learned.
"""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camdaemon.errors import ConfigError
from camdaemon.linux.files import replace_atomically

FOLDER = ".job"
PART_FRAMES = 120  # a part of a film is as long as this, which is all that an interruption can cost
Arrays = dict[str, NDArray[Any]]
_TIMES, _NAMES = "times", "names"
# What NumPy raises where a file is not what it was.
_DAMAGED = (
    ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError, SyntaxError, TypeError,
    ValueError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


class JobRecord:
    """The record of one film. Written by one thread at a time.

    Args:
        work: The first result's work folder.
        facts: Everything that decides what the results look like, as JSON.

    Attributes:
        times: Of the frames of all whole parts, in seconds.
        names: Of those frames.
        parts: How many parts are whole.
        state: What the matting had learned by the end of the last whole part.
    """

    def __init__(self, work: Path, facts: Mapping[str, Any]) -> None:
        self._folder, self._facts = work / FOLDER, dict(facts)
        self.times: list[float] = []
        self.names: list[str] = []
        self.parts = 0
        self.state: Arrays = {}

    @classmethod
    def is_in(cls, work: Path) -> bool:
        """Whether a work folder holds the record of a film that can go on."""
        return os.path.isfile(work / FOLDER / "job.json")

    def start(self) -> None:
        """Write what the job is. Raises OSError."""
        replace_atomically(self._folder / "job.json", json.dumps(self._facts, indent=1) + "\n")

    def resume(self) -> None:
        """Read how far the job was.

        Raises:
            ConfigError: It was another job.
            OSError: It cannot be read.
        """
        before = self._read_facts()
        now = json.loads(json.dumps(self._facts))
        if changed := sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name)):
            told = ", ".join(f"{name} was {before.get(name)!r} and is {now.get(name)!r}" for name in changed)
            raise ConfigError(
                f"cannot go on with {self._folder.parent}: {told}. Run with what it was, or begin again with: --force"
            )
        while (part := self._read(f"{self.parts:05d}", _TIMES, _NAMES)) is not None:
            self.times += part[_TIMES].tolist()
            self.names += part[_NAMES].tolist()
            self.parts += 1
        if self.parts:
            state = self._read(f"{self.parts - 1:05d}.state")
            if state is None:
                raise ConfigError(
                    f"cannot go on with {self._folder.parent}: its record is damaged. Begin again with: --force"
                )
            self.state = state

    def find_fact(self, name: str) -> str:
        """Return what the record says of the job; '' if there is none."""
        try:
            return str(self._read_facts().get(name, ""))
        except OSError:
            return ""

    def _read_facts(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self._folder / "job.json").read_text("utf-8")))
        except (ValueError, TypeError):
            return {}

    def _read(self, name: str, *needed: str) -> Arrays | None:
        """Read what `_write` has written; None: it is not there, or damaged."""
        try:
            content = (self._folder / f"{name}.npz").read_bytes()
        except FileNotFoundError:
            return None
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                found = dict(file)
        except _DAMAGED:
            return None
        return found if found.keys() >= set(needed) else None

    def add_part(self, times: list[float], names: list[str], state: Arrays) -> None:
        """Record that the next part of every result is whole, and on the disk. Raises OSError."""
        number = self.parts
        self._write(f"{number:05d}.state", state)
        self._write(f"{number:05d}", {_TIMES: np.array(times), _NAMES: np.array(names)})
        (self._folder / f"{number - 1:05d}.state.npz").unlink(missing_ok=True)
        self.times += times
        self.names += names
        self.parts += 1

    def _write(self, name: str, arrays: Arrays) -> None:
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, **arrays)
        replace_atomically(self._folder / f"{name}.npz", content.getvalue())
