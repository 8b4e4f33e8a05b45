"""camdaemon as a service of the user's systemd: its unit file, and what systemctl has to be told."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import platformdirs

from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.linux.files import replace_atomically
from camdaemon.system import desktop_entry

UNIT = "camdaemon.service"
LOG = "journalctl --user -u camdaemon"
_MARK = "# Written by: camdaemon service install\n"
_PLACEHOLDER = "%h/.local/bin/camdaemon"
_LONGEST_S = 200.0  # TimeoutStartSec and some


def install(*, start: bool = True, force: bool = False, dry_run: bool = False) -> None:
    """Write the unit for this camdaemon and have systemd read it; start: also now and at each login.

    Prints what it does. ConfigError when somebody else's unit is there (force: replace it), CamdaemonError when it
    does not start. Without a user's systemd the file is written and the commands are printed instead of run.
    """
    path, text, commands = unit_path(), unit_text(), [["daemon-reload"]]
    if start:
        commands.append(["enable", "--now", UNIT])
    _leave_others_alone(path, force, "install")
    print(f"{path}:\n\n{text}")
    if dry_run:
        _print_commands(commands)
        return
    renewed = _text_of(path) not in (None, text)
    _write(path, text)
    _write(desktop_entry.path(), desktop_entry.text(own_command()))
    print(f"{desktop_entry.path()}: by it a Wayland desktop knows whose hotkeys these are")
    if not systemd_answers():
        print("No systemd of this user answers here. Type, in a session of the user:")
        _print_commands(commands)
        return
    ran_already = _properties("ActiveState").get("ActiveState") == "active"
    _tell_systemd(commands)
    if ran_already and renewed:
        print("It goes on as it was started. Change to the new unit: systemctl --user restart camdaemon")
    elif start:
        print(f"It runs, now and after each login. Its log: {LOG} -e")
    else:
        print("It is installed. Start it, now and at each login: systemctl --user enable --now camdaemon")


def remove(*, force: bool = False, dry_run: bool = False) -> None:
    """Stop the service and take its unit away; nothing happens when there is none. Errors as for `install`."""
    path = unit_path()
    there = os.path.lexists(path)
    entry = desktop_entry.path()
    files = (
        [path] * there
        + [entry] * entry.is_file()
        + [link for link in path.parent.glob(f"*.wants/{UNIT}") if link.is_symlink()]
    )
    if not files:
        print(f"No service is installed at {path}; nothing to remove.")
        return
    _leave_others_alone(path, force, "remove")
    before, after = [["disable", "--now", UNIT]], [["daemon-reload"]]
    answers = dry_run or systemd_answers()
    if dry_run:
        _print_commands(before)
    elif answers and there:
        _tell_systemd(before)
    for file in files:
        print(f"  rm {shlex.quote(str(file))}")
        if not dry_run:
            _unlink(file)
    if dry_run:
        _print_commands(after)
    elif answers:
        _tell_systemd(after)
        _systemctl("reset-failed", UNIT)  # else one that has failed stays listed; it fails where there is none
    else:
        print("No systemd of this user answers here. If the service runs somewhere, type there:")
        _print_commands([["stop", UNIT], *after])


def status() -> None:
    """Print whether it is installed, enabled and running, and where its log is."""
    print(f"installed  {_installed(unit_path())}")
    if not systemd_answers():
        print("running    unknown: no systemd of this user answers here")
        return
    now = _properties("UnitFileState", "ActiveState", "SubState", "StateChangeTimestamp", "StatusText", "NRestarts")
    since = f" since {now['StateChangeTimestamp']}" if now.get("StateChangeTimestamp") else ""
    print(f"enabled    {now.get('UnitFileState') or 'no'}")
    print(f"running    {now.get('ActiveState')} ({now.get('SubState')}){since}")
    if now.get("StatusText"):
        print(f"says       {now['StatusText']}")
    if now.get("NRestarts", "0") != "0":
        print(f"restarts   {now['NRestarts']} after failures")
    print(f"log        {LOG} -e")


def unit_path() -> Path:
    """Where the user's systemd looks for our unit."""
    return platformdirs.user_config_path() / "systemd" / "user" / UNIT


def unit_text() -> str:
    """The unit for the camdaemon that is running. ConfigError: no template, or a path that no unit can name."""
    package = Path(__file__).resolve().parents[1]
    folders = [package / "_systemd", package.parent / "systemd"]  # installed; in a checkout
    folder = next((folder for folder in folders if (folder / UNIT).is_file()), folders[0])
    try:
        template = (folder / UNIT).read_text("utf-8")
    except OSError as exc:
        raise ConfigError(f"cannot read {folder / UNIT}: {exc.strerror}; install camdaemon again") from None
    words = " ".join(_quoted(word) for word in own_command())
    return _MARK + template.replace(f"ExecStart={_PLACEHOLDER} ", f"ExecStart={words} ")


def own_command() -> list[str]:
    """How to call this camdaemon from anywhere: its executable (a link stays a link), else python -m camdaemon."""
    called = Path(sys.argv[0]).absolute()
    if called.name == "camdaemon" and called.is_file() and os.access(called, os.X_OK):
        return [str(called)]
    return [sys.executable, "-m", "camdaemon"]


def systemd_answers() -> bool:
    """Whether a user's systemd is there and can be asked."""
    return shutil.which("systemctl") is not None and _systemctl("show", "--property=Version").returncode == 0


def _systemctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["systemctl", "--user", *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LONGEST_S)
    except subprocess.TimeoutExpired:
        raise CamdaemonError(f"{shlex.join(command)} has not ended in {_LONGEST_S:.0f} s; see {LOG} -e") from None


def _properties(*names: str) -> dict[str, str]:
    """Of our unit, as systemd knows it now."""
    shown = _systemctl("show", UNIT, f"--property={','.join(names)}").stdout
    return {name: value for name, _, value in (line.partition("=") for line in shown.splitlines())}


def _tell_systemd(commands: list[list[str]]) -> None:
    for command in commands:
        _print_commands([command])
        done = _systemctl(*command)
        if done.returncode:
            raise CamdaemonError(
                f"systemctl --user {shlex.join(command)} failed: {done.stderr.strip() or 'it does not say why'}\n"
                f"The log says more: {LOG} -e"
            )


def _print_commands(commands: list[list[str]]) -> None:
    for command in commands:
        print("  systemctl --user " + shlex.join(command), flush=True)


def _leave_others_alone(path: Path, force: bool, verb: str) -> None:
    if os.path.lexists(path) and not force and not _is_ours(path):
        raise ConfigError(
            f"{path} was not written by camdaemon, so it stays as it is; look at it, and if it may go: "
            f"camdaemon service {verb} --force"
        )


def _is_ours(path: Path) -> bool:
    return (_text_of(path) or "").startswith(_MARK)


def _text_of(path: Path) -> str | None:
    """None: no plain file is there. A link is none: `systemctl --user mask` makes one to /dev/null."""
    return path.read_text("utf-8", "replace") if path.is_file() and not path.is_symlink() else None


def _installed(path: Path) -> str:
    if not os.path.lexists(path):
        return "no; install it with: camdaemon service install"
    if not _is_ours(path):
        return f"{path}, not written by camdaemon"
    if _text_of(path) != unit_text():
        return f"{path}, not as this camdaemon would write it; renew it with: camdaemon service install"
    return str(path)


def _write(path: Path, text: str) -> None:
    """Whole or not at all; a link at `path` is replaced, not followed."""
    try:
        replace_atomically(path, text)
    except OSError as exc:
        raise ConfigError(f"cannot write {path}: {exc.strerror}; is the folder yours? ls -ld {path.parent}") from None


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)  # systemctl disable has removed the links already
    except OSError as exc:
        raise ConfigError(f"cannot remove {path}: {exc.strerror}; look at it: ls -ld {path}") from None


def _quoted(word: str) -> str:
    """As systemd reads an executable's path: in quotes, which it must not contain itself, and % begins a specifier."""
    if set(word) & set("'\"\\"):
        raise ConfigError(f"systemd starts no program from a path with quotes or backslashes ({word}); move camdaemon")
    word = word.replace("%", "%%")
    return f'"{word}"' if set(word) & set(" \t;") else word
