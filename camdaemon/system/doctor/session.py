"""The user's session: permission to use the cameras, hotkeys, and the tray."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

from camdaemon.system import accounts
from camdaemon.system.doctor.findings import Context, Finding, note, ok, problem
from camdaemon.system.machine import Machine

_PORTAL = "org.freedesktop.portal"
_ASK_PORTAL = [
    "busctl", "--user", "get-property", f"{_PORTAL}.Desktop", "/org/freedesktop/portal/desktop",
    f"{_PORTAL}.GlobalShortcuts", "version",
]  # fmt: skip
_TRAY = "org.kde.StatusNotifierWatcher"
_ASK_TRAY = [
    "busctl", "--user", "get-property", _TRAY, "/StatusNotifierWatcher", _TRAY, "IsStatusNotifierHostRegistered",
]  # fmt: skip
_BIND = "bind keys to commands such as 'camdaemon card' in your desktop's keyboard settings"


def check_rights(context: Context) -> Iterator[Finding]:
    """Yield whether this user may use the configured nodes, and why."""
    machine = context.machine
    paths = [path for path in (*context.sinks, context.camera) if path.startswith("/dev/") and machine.exists(path)]
    paths = [path for path in paths if not machine.is_hidden(path)]  # nobody may; see `hidden`
    forbidden = [path for path in dict.fromkeys(paths) if not machine.may_use(path)]
    for path in forbidden:
        if accounts.must_log_in_again(machine):
            yield problem(
                "rights",
                f"{path} may not be used yet: {machine.user} is in the group video from the next login on",
                "log out and in again",
            )
        elif accounts.is_member(machine):
            fix = f"sudo chgrp video {path} && sudo chmod 660 {os.path.normpath(path)}"
            yield problem("rights", f"{path} is not open to the group video", fix)
        else:
            fix = f"sudo usermod -aG {accounts.GROUP} {machine.user}, then log out and in again"
            yield problem("rights", f"{machine.user} may not use {path}", fix)
    if forbidden or not paths:
        return
    if machine.uid == 0 and machine.user == "root":
        yield ok("rights", "root may use every device")
    elif accounts.is_member(machine):
        yield ok("rights", f"{machine.user} is in the group video")
    else:
        yield note(
            "rights",
            f"{machine.user} may use the cameras at this screen, but not over ssh or before login",
            f"only if you need that: sudo usermod -aG {accounts.GROUP} {machine.user}",
        )


def check_desktop(context: Context) -> Iterator[Finding]:
    """Yield what there is to say of the desktop."""
    yield _check_hotkeys(context)
    yield from _check_tray(context)


def _check_hotkeys(context: Context) -> Finding:
    """Return how hotkeys arrive, in the order in which the daemon chooses."""
    machine = context.machine
    session = machine.environ
    if not context.config.hotkeys:
        return ok("hotkeys", "hotkeys are switched off in the configuration")
    if session.get("WAYLAND_DISPLAY") or session.get("XDG_SESSION_TYPE") == "wayland":
        return _check_portal(machine)
    if session.get("DISPLAY"):
        if importlib.util.find_spec("pynput"):
            return ok("hotkeys", f"X11 ({session['DISPLAY']}), through pynput")
        fix = f"pipx inject camdaemon 'pynput>=1.7.7', or: {_BIND}"
        return note("hotkeys", "X11, but pynput is not installed", fix)
    return note("hotkeys", "no desktop: neither WAYLAND_DISPLAY nor DISPLAY is set", _BIND)


def _check_portal(machine: Machine) -> Finding:
    answer = machine.ask(_ASK_PORTAL)
    if answer.code == 0:
        return ok("hotkeys", "Wayland: the desktop's portal offers global shortcuts")
    if answer.code == 127:
        return note("hotkeys", "Wayland: without busctl the portal cannot be asked for global shortcuts", _BIND)
    return note("hotkeys", "Wayland: the desktop's portal offers no global shortcuts", _BIND)


def _check_tray(context: Context) -> Iterator[Finding]:
    """Yield whether this desktop shows icons of programs in a tray; nothing where there is no desktop."""
    machine = context.machine
    if not {"WAYLAND_DISPLAY", "DISPLAY"} & set(machine.environ):
        return
    if not context.config.tray:
        yield ok("tray", "the icon in the tray is switched off in the configuration")
        return
    answer = machine.ask(_ASK_TRAY)
    if answer.code == 127:
        yield note("tray", "without busctl the desktop cannot be asked for a tray")
    elif answer.code == 0 and "false" not in answer.out:
        yield ok("tray", "the desktop has a tray, which shows what viewers see")
    else:
        fix = "in GNOME, switch on the extension AppIndicator (package gnome-shell-extension-appindicator)"
        yield note("tray", "this desktop shows no icons of programs; all commands work without", fix)
