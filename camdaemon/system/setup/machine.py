"""How setup and doctor read and change the system: one small object, so that a folder can stand for a machine."""

from __future__ import annotations

import getpass
import grp
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from camdaemon.linux import v4l2
from camdaemon.linux.devices import Device, describe

_LONGEST_S = 60.0  # for a question; torch on a cold disk takes half of that
_PROGRAMS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/run/wrappers/bin")


class Answer(NamedTuple):
    """How a command ended and what it said. `code`: 127 where there is no such program, 124 when it took too long."""

    code: int
    out: str = ""
    err: str = ""


def ask(command: Sequence[str]) -> Answer:
    """Run a command that changes nothing; never raises."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LONGEST_S,
            check=False,
            env=os.environ | {"LC_ALL": "C", "PATH": _path()},
        )
    except subprocess.TimeoutExpired:
        return Answer(124, "", f"{command[0]} has not ended in {_LONGEST_S:g} s")
    except OSError as exc:
        return Answer(127, "", f"{command[0]}: {exc.strerror}")
    return Answer(done.returncode, done.stdout, done.stderr)


def act(command: Sequence[str], text: str | None) -> int:
    """Run a command that changes something, in the user's terminal, with `text` as its input; its exit code."""
    silent = None if text is None else subprocess.DEVNULL  # tee repeats what it writes
    try:
        done = subprocess.run(
            command, input=text, stdout=silent, text=True, check=False, env=os.environ | {"PATH": _path()}
        )
    except OSError as exc:
        print(f"{command[0]}: {exc.strerror}", file=sys.stderr)
        return 127
    return done.returncode


def _path() -> str:
    """$PATH and where the tools of root are, which Debian's users do not have on it."""
    return ":".join([os.environ.get("PATH", ""), *_PROGRAMS]).lstrip(":")


def control(path: str, number: int) -> int | None:
    """The value of a V4L2 control of the node at `path`; None where it has none or may not be asked."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return v4l2.get_control(fd, number)
    except OSError:
        return None
    finally:
        os.close(fd)


def may_use(path: str) -> bool:
    """Whether this process may read and write the node at `path`."""
    return os.access(path, os.R_OK | os.W_OK)


def access_list(path: str) -> bytes:
    """The node's POSIX ACL as the kernel keeps it (see acl(5)); empty where it has none."""
    try:
        return os.getxattr(path, "system.posix_acl_access")
    except OSError:
        return b""


@dataclass(frozen=True, slots=True)
class Machine:
    """A Linux system. `root`: the folder that holds its /proc, /sys, /dev, /etc and /lib; paths are given as on it.

    uid, user, groups: who runs us, or who typed sudo (then uid is 0 and `user` is that person); groups by name, those
    of the process.   terminal: whether somebody can answer a question.   Any thread; nothing here raises.
    """

    root: Path = Path("/")
    ask: Callable[[Sequence[str]], Answer] = ask
    act: Callable[[Sequence[str], str | None], int] = act
    describe: Callable[[str], Device] = describe  # DeviceError when it cannot be opened or asked
    control: Callable[[str, int], int | None] = control
    may_use: Callable[[str], bool] = may_use
    access_list: Callable[[str], bytes] = access_list
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    uid: int = 0
    user: str = "root"
    groups: frozenset[str] = frozenset()
    terminal: bool = False

    def at(self, path: str) -> Path:
        """Where `path` of that machine lies on this one."""
        return self.root / path.lstrip("/")

    def text(self, path: str) -> str | None:
        """The text in the file at `path`; None when it is not there or not for us."""
        try:
            return self.at(path).read_text("utf-8", "replace")
        except OSError:
            return None

    def exists(self, path: str) -> bool:
        return os.path.lexists(self.at(path))

    def names(self, folder: str, pattern: str = "*") -> list[str]:
        """The names in `folder` that match, sorted; none where it is not there or not for us."""
        try:
            return sorted(entry.name for entry in self.at(folder).glob(pattern))
        except OSError:
            return []

    def has(self, program: str) -> bool:
        """Whether it is on $PATH or where root's tools are."""
        folders = [*self.environ.get("PATH", "").split(":"), *_PROGRAMS]
        return any(os.path.isfile(self.at(f"{folder}/{program}")) for folder in folders if folder)

    @property
    def kernel(self) -> str:
        """Its release, as `uname -r` says it."""
        return (self.text("/proc/sys/kernel/osrelease") or "").strip()


def this_machine() -> Machine:
    """The machine we run on."""
    try:
        user = os.environ.get("SUDO_USER") if os.geteuid() == 0 else None
        user = user or getpass.getuser()
    except (KeyError, OSError):  # a container's number without a name
        user = str(os.getuid())
    return Machine(
        uid=os.geteuid(),
        user=user,
        groups=frozenset(filter(None, (_group(number) for number in {*os.getgroups(), os.getegid()}))),
        terminal=sys.stdin.isatty() and sys.stdout.isatty(),
    )


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return ""
