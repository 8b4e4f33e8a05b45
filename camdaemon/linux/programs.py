"""Running other programs, and waiting for them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

_TIMEOUT_S = 60.0  # for a question; loading torch from a cold disk takes half of that
# of root's and the system's programs, which may not be on $PATH
ROOTS_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/run/wrappers/bin")


class CommandResult(NamedTuple):
    """The exit code and the output of a command; 127 when there is no such program, 124 when it took too long."""

    code: int
    out: str = ""
    err: str = ""


def ask(command: Sequence[str], timeout_s: float | None = None) -> CommandResult:
    """Run a command without input, in the C locale, and return its answer. Never raises."""
    timeout_s = timeout_s or _TIMEOUT_S
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
            env=os.environ | {"LC_ALL": "C", "PATH": _path()},
        )
    except subprocess.TimeoutExpired:
        return CommandResult(124, "", f"{command[0]} has not ended in {timeout_s:g} s")
    except OSError as exc:
        return CommandResult(127, "", f"{command[0]}: {exc.strerror}")
    return CommandResult(done.returncode, done.stdout, done.stderr)


def act(command: Sequence[str], text: str | None) -> int:
    """Run a command in the user's terminal, with `text` as its input, and return its exit code."""
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
    """$PATH and the folders of root's tools, which Debian's users do not have on it."""
    return ":".join([os.environ.get("PATH", ""), *ROOTS_FOLDERS]).lstrip(":")
