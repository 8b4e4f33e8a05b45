"""The session: hotkeys, PipeWire, and browsers in sandboxes."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator

from camdaemon.system.doctor.findings import Context, Finding, note, ok
from camdaemon.system.setup.machine import Machine

_PORTAL = "org.freedesktop.portal"
_PORTAL_QUESTION = [
    "busctl", "--user", "get-property", f"{_PORTAL}.Desktop", "/org/freedesktop/portal/desktop",
    f"{_PORTAL}.GlobalShortcuts", "version",
]  # fmt: skip
_BIND = "bind keys to commands such as 'camdaemon card' in your desktop's keyboard settings"
_FLATPAKS = {
    "org.mozilla.firefox": "Firefox",
    "org.chromium.Chromium": "Chromium",
    "com.google.Chrome": "Chrome",
    "com.brave.Browser": "Brave",
    "us.zoom.Zoom": "Zoom",
    "com.github.IsmaelMartinez.teams_for_linux": "Teams for Linux",
}
_SNAPS = {"firefox": "Firefox", "chromium": "Chromium", "brave": "Brave", "zoom-client": "Zoom"}


def check(context: Context) -> Iterator[Finding]:
    yield from hotkeys(context)
    yield from pipewire(context)
    yield from sandboxes(context.machine)


def hotkeys(context: Context) -> Iterator[Finding]:
    """By which way keys would come, in the order in which the daemon chooses."""
    machine = context.machine
    of_session = machine.environ
    if not context.config.hotkeys:
        yield ok("hotkeys", "hotkeys are switched off in the configuration")
    elif of_session.get("WAYLAND_DISPLAY") or of_session.get("XDG_SESSION_TYPE") == "wayland":
        said = machine.ask(_PORTAL_QUESTION)
        if said.code == 0:
            yield ok("hotkeys", "Wayland, and the desktop's portal offers global shortcuts")
        elif said.code == 127:
            yield note("hotkeys", "Wayland; busctl is not here to ask whether the portal offers shortcuts", _BIND)
        else:
            yield note("hotkeys", "Wayland, and the desktop's portal offers no global shortcuts", _BIND)
    elif of_session.get("DISPLAY"):
        if importlib.util.find_spec("pynput"):
            yield ok("hotkeys", f"X11 ({of_session['DISPLAY']}), by pynput")
        else:
            yield note(
                "hotkeys", "X11, but pynput is not installed", f"pipx inject camdaemon 'pynput>=1.7.7', or: {_BIND}"
            )
    else:
        yield note(
            "hotkeys",
            "neither WAYLAND_DISPLAY nor DISPLAY is set, so there is no desktop here to take keys from",
            _BIND,
        )


def pipewire(context: Context) -> Iterator[Finding]:
    """Browsers that ask the desktop's portal see what PipeWire knows, not /dev."""
    machine, sink = context.machine, context.config.sink
    folder = machine.environ.get("XDG_RUNTIME_DIR", "")
    if not folder or not machine.exists(f"{folder}/pipewire-0"):
        yield ok("pipewire", "PipeWire does not run for this user; browsers look into /dev themselves")
        return
    said = machine.ask(["pw-dump"])
    paths = _camera_paths(said.out) if said.code == 0 else None
    if paths is None:
        yield note("pipewire", "PipeWire runs; what cameras it knows cannot be seen without pw-dump (pipewire-bin)")
    elif sink in paths:
        yield ok("pipewire", f"PipeWire knows {sink}, for browsers that ask the desktop's portal")
    elif sink.startswith("/dev/"):
        yield note(
            "pipewire",
            f"PipeWire does not know {sink} as a camera: it looked before anything fed it. It matters only to browsers "
            "that ask the portal for cameras (Firefox on Fedora and in Flatpak)",
            "while camdaemon runs: systemctl --user restart wireplumber",
        )


def _camera_paths(dump: str) -> set[str] | None:
    """The nodes in /dev behind PipeWire's video sources; None for what is no dump."""
    try:
        objects = json.loads(dump)
        properties = [(each.get("info") or {}).get("props") or {} for each in objects]
    except (ValueError, AttributeError, TypeError):
        return None
    return {str(each.get("api.v4l2.path", "")) for each in properties if str(each.get("media.class")) == "Video/Source"}


def sandboxes(machine: Machine) -> Iterator[Finding]:
    """Programs in sandboxes see only what these let through."""
    home = machine.environ.get("HOME", "")
    for name, people_say in _FLATPAKS.items():
        folders = ("/var/lib/flatpak/app", f"{home}/.local/share/flatpak/app")
        if any(machine.exists(f"{folder}/{name}") for folder in folders):
            yield note(
                "sandbox",
                f"{people_say} is a Flatpak; if it lists no camera, it may not see /dev",
                f"flatpak override --user --device=all {name}",
            )
    for name, people_say in _SNAPS.items():
        if machine.exists(f"/snap/{name}/current"):
            yield note(
                "sandbox",
                f"{people_say} is a Snap; if it lists no camera, the interface is not connected",
                f"sudo snap connect {name}:camera",
            )
