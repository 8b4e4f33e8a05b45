"""camdaemon as a service of the user's systemd: its unit, and what systemctl is told; and when it starts by itself."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.linux.desktop import DESKTOP
from camdaemon.linux.files import remove_empty_folders, write_for_user
from camdaemon.linux.folders import find_folder
from camdaemon.linux.programs import CommandResult, ask
from camdaemon.linux.shipped import read_shipped
from camdaemon.system import launcher
from camdaemon.system.machine import MARK, is_ours

_UNIT = "camdaemon.service"
_LOG = "journalctl --user -u camdaemon"
_PLACEHOLDER = "%h/.local/bin/camdaemon"
_TIMEOUT_S = 200.0  # more than TimeoutStartSec
_NO_SYSTEMD = "Your user's systemd does not answer here."

OUTDATED = "not as this camdaemon would write it"


def install(*, start: bool = True, force: bool = False, dry_run: bool = False) -> None:
    """Write unit, menu entry and icons for this camdaemon, and have systemd read the unit. Prints what it does.

    Without a user's systemd the files are written and the commands are printed instead of run; then the desktop is what
    starts camdaemon.

    Args:
        start: also start it, now and at each login.
        force: replace a unit that camdaemon did not write.
        dry_run: only print.

    Raises:
        ConfigError: there is a unit that camdaemon did not write, or the unit cannot be made or written.
        CamdaemonError: systemd refuses, or the service does not start.
    """
    path, text, commands = unit_path(), make_unit(), [["daemon-reload"]]
    if start:
        commands.append(["enable", "--now", _UNIT])
    _refuse_foreign(path, force, "install")
    print(f"{path}:\n\n{text}")
    if dry_run:
        _print_commands(commands)
        return
    is_changed = _read(path) not in (None, text)
    write_for_user(path, text)
    launcher.write(own_command())
    print(f"{launcher.entry_path()}: its place in the menu; tells a Wayland desktop whose hotkeys these are")
    if not has_systemd():
        print(f"{_NO_SYSTEMD} Type, in a session of that user:")
        _print_commands(commands)
        if start:
            _start_with_desktop()
        return
    was_active = _show_properties("ActiveState").get("ActiveState") == "active"
    _run_systemctl(commands)
    if was_active and is_changed:
        print("It still runs with the previous unit. To use the new one: systemctl --user restart camdaemon")
    elif start:
        print(f"It runs, now and after each login. Its log: {_LOG} -e")
    else:
        print("It is installed. To start it, now and at each login: systemctl --user enable --now camdaemon")


def remove(*, force: bool = False, dry_run: bool = False) -> None:
    """Stop the service and remove its unit; do nothing when there is none. Arguments and errors as for `install`."""
    path = unit_path()
    has_unit = os.path.lexists(path)
    files = [path] * has_unit + launcher.find_files() + _find_links()
    if not files:
        print(f"No service is installed at {path}; nothing to remove.")
        return
    _refuse_foreign(path, force, "remove")
    before, after = [["disable", "--now", _UNIT]], [["daemon-reload"]]
    answers = dry_run or has_systemd()
    if dry_run:
        _print_commands(before)
    elif answers and has_unit:
        _run_systemctl(before)
    for file in files:
        print(f"  rm {shlex.quote(str(file))}")
        if not dry_run:
            _unlink(file)
    if dry_run:
        _print_commands(after)
        return
    for file in files:
        for top in (find_folder("config", app=None), find_folder("data", app=None)):
            remove_empty_folders(file.parent, top)
    launcher.tell_of_icons()
    if not answers:
        print(f"{_NO_SYSTEMD} If the service runs elsewhere, type there:")
        _print_commands([["stop", _UNIT], *after])
        return
    _run_systemctl(after)
    _systemctl("reset-failed", _UNIT)  # else a failed unit stays listed; this itself fails where there is none


def set_autostart(when: str) -> None:
    """Decide when camdaemon starts by itself.

    Args:
        when: 'on' is at login, by systemd, and with the desktop where systemd does not answer; 'desktop' is with the
            desktop in any case; 'off' is never.

    Raises:
        ConfigError: it is not installed.
        CamdaemonError: systemd refuses.
    """
    if not os.path.lexists(unit_path()):
        raise ConfigError("camdaemon is not installed as a service. Run: camdaemon service install --no-start")
    answers = has_systemd()
    if answers:
        _run_systemctl([["enable" if when == "on" else "disable", _UNIT]])
    elif when != "on":
        for link in _find_links():
            _unlink(link)
    if when == "desktop" or (when == "on" and not answers):
        _start_with_desktop()
        return
    _unlink(launcher.autostart_path())
    no = "It no longer starts by itself. To start it: camdaemon service start"
    print("It starts at each login." if when == "on" else no)


def _find_links() -> list[Path]:
    """What has systemd start the unit with something else."""
    return [link for link in unit_path().parent.glob(f"*.wants/{_UNIT}") if link.is_symlink()]


def _start_with_desktop() -> None:
    launcher.write_autostart(own_command())
    print(f"{launcher.autostart_path()}: starts it with the desktop")


def start() -> None:
    """Have systemd start the service, and wait for its first frame. Raises CamdaemonError: it does not start."""
    known = [name for name in DESKTOP if name in os.environ]
    if known and "SSH_CONNECTION" not in os.environ:
        _systemctl("import-environment", *known)  # systemd may be older than the desktop, which hotkeys need
    _check(["start", _UNIT], _systemctl("start", _UNIT))


def status() -> None:
    """Print whether it is installed, enabled and running, and where its log is."""
    print(f"installed  {_describe_unit(unit_path())}")
    if os.path.lexists(launcher.autostart_path()):
        print(f"autostart  with the desktop: {launcher.autostart_path()}")
    if not has_systemd():
        print("running    unknown: your user's systemd does not answer here")
        return
    now = _show_properties(
        "UnitFileState", "ActiveState", "SubState", "StateChangeTimestamp", "StatusText", "NRestarts"
    )
    since = f" since {now['StateChangeTimestamp']}" if now.get("StateChangeTimestamp") else ""
    print(f"enabled    {now.get('UnitFileState') or 'no'}")
    print(f"running    {now.get('ActiveState')} ({now.get('SubState')}){since}")
    if now.get("StatusText"):
        print(f"status     {now['StatusText']}")
    if now.get("NRestarts", "0") != "0":
        print(f"restarts   {now['NRestarts']} after failures")
    print(f"log        {_LOG} -e")


def unit_path() -> Path:
    """Return where the user's systemd looks for our unit."""
    return find_folder("config", app=None) / "systemd" / "user" / _UNIT


def make_unit() -> str:
    """Return the unit for the camdaemon that is running; ConfigError: no template, or a path that no unit can name."""
    template = read_shipped("systemd", _UNIT)
    words = " ".join(_quote_for_unit(word) for word in own_command())
    return f"{MARK}service install\n" + template.replace(f"ExecStart={_PLACEHOLDER} ", f"ExecStart={words} ")


def own_command() -> list[str]:
    """Return how to call this camdaemon from anywhere: its executable (a link stays a link), else python -m."""
    called = Path(sys.argv[0]).absolute()
    if called.name == "camdaemon" and called.is_file() and os.access(called, os.X_OK):
        return [str(called)]
    return [sys.executable, "-m", "camdaemon"]


def has_systemd() -> bool:
    """Whether there is a user's systemd that answers."""
    return _systemctl("show", "--property=Version").code == 0


def _systemctl(*arguments: str) -> CommandResult:
    command = ["systemctl", "--user", *arguments]
    answer = ask(command, _TIMEOUT_S)
    if answer.code == 124:
        raise CamdaemonError(f"{shlex.join(command)} has not ended in {_TIMEOUT_S:.0f} s. Run: {_LOG} -e")
    return answer


def _show_properties(*names: str) -> dict[str, str]:
    """Properties of our unit, as systemd knows it now."""
    shown = _systemctl("show", _UNIT, f"--property={','.join(names)}").out
    return {name: value for name, _, value in (line.partition("=") for line in shown.splitlines())}


def _run_systemctl(commands: list[list[str]]) -> None:
    for command in commands:
        _print_commands([command])
        _check(command, _systemctl(*command))


def _check(command: list[str], answer: CommandResult) -> None:
    if answer.code:
        why = answer.err.strip() or "no reason given"
        raise CamdaemonError(f"systemctl --user {shlex.join(command)} failed: {why}\nRun: {_LOG} -e")


def _print_commands(commands: list[list[str]]) -> None:
    for command in commands:
        print("  systemctl --user " + shlex.join(command), flush=True)


def _refuse_foreign(path: Path, force: bool, verb: str) -> None:
    if os.path.lexists(path) and not force and not is_ours(_read(path)):
        effect = "replace" if verb == "install" else "remove"
        raise ConfigError(
            f"{path} was not written by camdaemon and is kept; inspect it. To {effect} it, run: "
            f"camdaemon service {verb} --force"
        )


def _read(path: Path) -> str | None:
    """None: there is no plain file. A link counts as none: `systemctl --user mask` makes one to /dev/null."""
    return path.read_text("utf-8", "replace") if path.is_file() and not path.is_symlink() else None


def _describe_unit(path: Path) -> str:
    if not os.path.lexists(path):
        return "no; install it with: camdaemon service install"
    if not is_ours(_read(path)):
        return f"{path}, not written by camdaemon"
    if _read(path) != make_unit():
        return f"{path}, {OUTDATED}; update it with: camdaemon service install"
    return str(path)


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)  # systemctl disable has removed the links already
    except OSError as exc:
        raise ConfigError(f"cannot remove {path}: {exc.strerror}. Run: ls -ld {path}") from None


def _quote_for_unit(word: str) -> str:
    """As systemd reads an executable's path: in quotes, which it must not contain itself; % begins a specifier."""
    if set(word) & set("'\"\\"):
        raise ConfigError(
            f"systemd cannot start a program whose path has quotes or backslashes: {word}. Move camdaemon elsewhere"
        )
    word = word.replace("%", "%%")
    return f'"{word}"' if set(word) & set(" \t;") else word
