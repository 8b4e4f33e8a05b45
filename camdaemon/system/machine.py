"""Reading and changing a Linux system: one small object, so that in tests a folder can stand for a machine."""

from __future__ import annotations

import getpass
import grp
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from camdaemon.linux import hidden, v4l2
from camdaemon.linux.devices import Device, describe
from camdaemon.linux.holders import list_holders
from camdaemon.linux.programs import ROOTS_FOLDERS, CommandResult, act, ask

MARK = "# Written by: camdaemon "  # the first line of our files, followed by the command that wrote them
LUA_MARK = "-- Written by: camdaemon "  # the same in Lua, where # is no comment


def is_ours(text: str | None) -> bool:
    """Whether a file with this text was written by camdaemon. None: there is no such file."""
    return text is not None and text.startswith((MARK, LUA_MARK))


def read_control(path: str, number: int) -> int | None:
    """Return the value of a V4L2 control of the node at `path`; None where it has none or may not be asked."""
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


def read_access_list(path: str) -> bytes:
    """Return the POSIX ACL of the node at `path` as the kernel keeps it (see acl(5)); empty where it has none."""
    try:
        return os.getxattr(path, "system.posix_acl_access")
    except OSError:
        return b""


@dataclass(frozen=True, slots=True)
class Machine:
    """A Linux system. Paths are given as on that machine. Any thread; no method raises.

    Attributes:
        root: the folder that holds its /proc, /sys, /dev, /etc and /lib.
        ask: runs a command that changes nothing.
        act: runs a command that changes something.
        describe: describes a video node; DeviceError when it cannot be opened or asked.
        read_control: reads a V4L2 control.
        list_holders: lists the other programs that hold a node open, as 'name (pid 12)'.
        may_use: whether we may read and write a node.
        read_access_list: reads a node's POSIX ACL.
        is_hidden: whether a node is a hidden camera.
        find_refusal: why the service of hidden cameras would hand this user none; '' if it would.
        environ: the environment of this process.
        uid: of this process.
        user: who runs us, or who typed sudo: then `uid` is 0 and `user` is that person.
        groups: the groups of this process by name.
        terminal: whether questions can be answered.
    """

    root: Path = Path("/")
    ask: Callable[[Sequence[str]], CommandResult] = ask
    act: Callable[[Sequence[str], str | None], int] = act
    describe: Callable[[str], Device] = describe
    read_control: Callable[[str, int], int | None] = read_control
    list_holders: Callable[[str], list[str]] = list_holders
    may_use: Callable[[str], bool] = may_use
    read_access_list: Callable[[str], bytes] = read_access_list
    is_hidden: Callable[[str], bool] = hidden.is_hidden
    find_refusal: Callable[[], str] = hidden.find_refusal
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    uid: int = 0
    user: str = "root"
    groups: frozenset[str] = frozenset()
    terminal: bool = False

    def _locate(self, path: str) -> Path:
        """Return where `path` of that machine is on this one."""
        return self.root / path.lstrip("/")

    def text(self, path: str) -> str | None:
        """Return the text in the file at `path`; None when it is missing or unreadable."""
        try:
            return self._locate(path).read_text("utf-8", "replace")
        except OSError:
            return None

    def exists(self, path: str) -> bool:
        """Whether there is a file, a folder, a node or a link at `path`."""
        return os.path.lexists(self._locate(path))

    def target(self, path: str) -> str | None:
        """Return the last name of what the link at `path` leads to; None when it is no link."""
        try:
            return os.path.basename(os.readlink(self._locate(path)))
        except OSError:
            return None

    def names(self, folder: str, pattern: str = "*") -> list[str]:
        """Return the names in `folder` that match `pattern`, sorted; none where it is missing or unreadable."""
        try:
            return sorted(entry.name for entry in self._locate(folder).glob(pattern))
        except OSError:
            return []

    def has(self, program: str) -> bool:
        """Whether `program` is on $PATH or among root's tools."""
        folders = [*self.environ.get("PATH", "").split(":"), *ROOTS_FOLDERS]
        return any(os.path.isfile(self._locate(f"{folder}/{program}")) for folder in folders if folder)

    @property
    def kernel(self) -> str:
        """The release of the running kernel, as in `uname -r`."""
        return (self.text("/proc/sys/kernel/osrelease") or "").strip()


def this_machine() -> Machine:
    """Return the machine we run on."""
    try:
        user = os.environ.get("SUDO_USER") if os.geteuid() == 0 else None
        user = user or getpass.getuser()
    except (KeyError, OSError):  # a container's number without a name
        user = str(os.getuid())
    return Machine(
        uid=os.geteuid(),
        user=user,
        groups=frozenset(filter(None, (_group_name(number) for number in {*os.getgroups(), os.getegid()}))),
        terminal=sys.stdin.isatty() and sys.stdout.isatty(),
    )


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return ""
