"""Running other programs, and waiting for them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
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


class DetachedProgram:
    """A program that outlives us, without a terminal; what it prints goes to `log`, its user's alone, from the start.

    Raises:
        OSError: It cannot be started, or the log cannot be written.
    """

    def __init__(self, command: Sequence[str], log: Path) -> None:
        streams = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.fspath(log), os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        # Not subprocess, which expects to be asked for the end of what it has started.
        self._pid = os.posix_spawnp(command[0], list(command), os.environ, file_actions=streams, setsid=True)
        self._has_ended = False

    def has_ended(self) -> bool:
        """Whether it has ended by now."""
        self._has_ended = self._has_ended or os.waitpid(self._pid, os.WNOHANG)[0] == self._pid
        return self._has_ended


class FedProgram:
    """A program that is handed its input bit by bit, and whose output is of no interest. Used by one thread.

    Args:
        command: The program and its arguments.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe that nobody reads would stop the program
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._said,
                start_new_session=True,  # Ctrl-C is for us: we end it
            )
        except OSError:
            self._said.close()
            raise

    def write(self, data: bytes) -> None:
        """Hand it more input. Raises OSError: it has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(data)

    def finish(self, timeout_s: float) -> None:
        """End the input, and wait for the program. Raises OSError: it failed, or has not ended in time."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"it has not ended in {timeout_s:g} s") from None
        if code:
            raise OSError(f"it ended with code {code}")

    def kill(self) -> str:
        """End it, and return the last line that it wrote to its error stream."""
        assert self._process.stdin is not None
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):  # what it has not read
            self._process.stdin.close()
        if self._said.closed:
            return ""
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        self._said.close()
        return lines[-1] if lines else ""


def _path() -> str:
    """$PATH and the folders of root's tools, which Debian's users do not have on it."""
    return ":".join([os.environ.get("PATH", ""), *ROOTS_FOLDERS]).lstrip(":")
