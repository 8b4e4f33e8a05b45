"""The words of the doctor: a finding, and what a check is given to find it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from camdaemon.config.schema import Config
from camdaemon.frames.frame import Size
from camdaemon.system.setup.machine import Machine


class Level(StrEnum):
    """ok: as it should be.   note: worth knowing, or it cannot be known.   problem: something will not work."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """`about`: one word.   `says`: a sentence for people.   `fix`: what to type or to do; '' where nothing is to do."""

    level: Level
    about: str
    says: str
    fix: str = ""


def ok(about: str, says: str) -> Finding:
    return Finding(Level.OK, about, says)


def note(about: str, says: str, fix: str = "") -> Finding:
    return Finding(Level.NOTE, about, says, fix)


def problem(about: str, says: str, fix: str) -> Finding:
    return Finding(Level.PROBLEM, about, says, fix)


@dataclass(frozen=True, slots=True)
class Context:
    """What a check looks at. `config`: the defaults where the file is wrong.

    camera: path of the camera, or the clip, that the daemon would read.   status: the running daemon's, None without
    one.   measure: (path, size, wanted fps) → (frames per second, seconds of the longest gap); None: do not measure.
    """

    machine: Machine
    config: Config
    camera: str
    status: Mapping[str, object] | None = None
    measure: Callable[[str, Size, float], tuple[float, float]] | None = None

    @property
    def size(self) -> Size:
        return self.config.size or Size(1280, 720)

    @property
    def sinks(self) -> tuple[str, ...]:
        """Where the picture goes."""
        return (self.config.sink, *self.config.more_sinks)

    @property
    def daemon_pid(self) -> str:
        """'(pid 12)' as `holders` writes it; '' without a daemon."""
        return f"(pid {self.status['pid']})" if self.status and "pid" in self.status else ""


Check = Callable[[Context], Iterator[Finding]]
