"""The words of the doctor: a finding, and what a check is given to find it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from camdaemon.config.schema import Config
from camdaemon.errors import CamdaemonError
from camdaemon.frames.frame import CAMERA_SIZE, Size
from camdaemon.linux.devices import is_device_path
from camdaemon.system import pipewire
from camdaemon.system.loopback import is_secure_boot_on
from camdaemon.system.machine import Machine


class Level(StrEnum):
    """How serious a finding is."""

    OK = "ok"  # as it should be
    NOTE = "note"  # worth knowing, or it cannot be known
    PROBLEM = "problem"  # something will not work


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check.

    Attributes:
        level: how serious it is.
        about: one word.
        says: a sentence for users, without a period.
        fix: what to type or to do; '' where nothing is to be done.
    """

    level: Level
    about: str
    says: str
    fix: str = ""


def ok(about: str, says: str) -> Finding:
    """Return a finding of level ok."""
    return Finding(Level.OK, about, says)


def note(about: str, says: str, fix: str = "") -> Finding:
    """Return a finding of level note."""
    return Finding(Level.NOTE, about, says, fix)


def problem(about: str, says: str, fix: str) -> Finding:
    """Return a finding of level problem."""
    return Finding(Level.PROBLEM, about, says, fix)


@dataclass(frozen=True, slots=True)
class Context:
    """What a check looks at.

    Attributes:
        machine: the system.
        config: the configuration; the defaults where its file is wrong.
        camera: path of the camera, or the clip, that the daemon would read.
        status: of the running daemon; None without one.
        measure: (path, size, wanted fps) → (fps, longest gap in seconds); None: do not measure.
    """

    machine: Machine
    config: Config
    camera: str
    status: Mapping[str, object] | None = None
    measure: Callable[[str, Size, float], tuple[float, float]] | None = None

    @property
    def size(self) -> Size:
        """The size that the camera is asked for."""
        return self.config.size or CAMERA_SIZE

    @property
    def sinks(self) -> tuple[str, ...]:
        """Where the picture goes on this machine."""
        return tuple(self.config.list_sinks(self.machine.exists, has_pipewire=self.has_pipewire))

    @property
    def has_pipewire(self) -> bool:
        """Whether PipeWire runs for this user."""
        return pipewire.is_running(self.machine)

    @property
    def feeds_pipewire(self) -> bool:
        """Whether the picture goes to PipeWire, too."""
        return any(sink.partition(":")[0] == "pipewire" for sink in self.sinks)

    @property
    def needs_module(self) -> bool:
        """Whether nothing can be published as configured without v4l2loopback."""
        return not self.has_pipewire or any(is_device_path(sink) for sink in self.sinks)

    @property
    def daemon_pid(self) -> str:
        """'(pid 12)' as the holders of a device are written; '' without a daemon."""
        return f"(pid {self.status['pid']})" if self.status and "pid" in self.status else ""

    def without_daemon(self, users: list[str]) -> list[str]:
        """Return `users` ('name (pid 12)') but for the running daemon."""
        return [user for user in users if not (self.daemon_pid and user.endswith(self.daemon_pid))]


def lack_module(context: Context, about: str, says: str, fix: str) -> Finding:
    """Return what it means that v4l2loopback cannot be used: a problem, or a note where PipeWire is enough.

    Under Secure Boot the way that needs no key comes first.
    """
    if not context.needs_module:
        says = f"{says}; programs that read PipeWire need no module"
        return note(about, says, f"only for {pipewire.DEVICE_READERS}: {fix}")
    if context.has_pipewire and is_secure_boot_on(context.machine):
        fix = f"for programs that read PipeWire: camdaemon run --sink pipewire; for the others: {fix}"
    return problem(about, says, fix)


Check = Callable[[Context], Iterator[Finding]]

ONLY_LOOKING = ("wireplumber", "pipewire")  # they hold cameras open without using them


def first_sentence(error: CamdaemonError) -> str:
    """Return what failed and why, without what to type."""
    return split_error(error)[0]


def split_error(error: CamdaemonError) -> tuple[str, str]:
    """Return what failed and why, and what to type or to do, '' when the error does not say."""
    says, *rest = re.split(r"; |\. |\n", str(error), maxsplit=1)
    return says, "".join(rest).removeprefix("Run: ")
