"""Browsers and meeting programs in sandboxes: what each reads, may it, and is there such a camera?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from camdaemon.linux.devices import is_device_path
from camdaemon.system.doctor.findings import Context, Finding, note, ok
from camdaemon.system.machine import Machine

_FLATPAKS = {
    "org.mozilla.firefox": "Firefox",
    "org.chromium.Chromium": "Chromium",
    "com.google.Chrome": "Chrome",
    "com.brave.Browser": "Brave",
    "us.zoom.Zoom": "Zoom",
    "com.github.IsmaelMartinez.teams_for_linux": "Teams for Linux",
}
_ASKS_PORTAL = ("org.mozilla.firefox",)  # the others read /dev alone
_SNAPS = {"firefox": "Firefox", "chromium": "Chromium", "brave": "Brave", "zoom-client": "Zoom"}
_SNAP_FOLDERS = ("/snap", "/var/lib/snapd/snap")


class _Sandboxed(NamedTuple):
    """A program in a sandbox. `is_open`: whether it may read /dev/videoN; None where that cannot be asked."""

    name: str
    is_open: bool | None
    why: str
    fix: str
    asks_portal: bool = False


def check(context: Context) -> Iterator[Finding]:
    """Yield for each program in a sandbox whether it gets the picture, and how it does."""
    has_device = any(is_device_path(sink) for sink in context.sinks)
    for program in (*_list_flatpaks(context.machine), *_list_snaps(context.machine)):
        yield _judge(program, has_device, context.feeds_pipewire)


def _judge(program: _Sandboxed, has_device: bool, has_node: bool) -> Finding:
    name = program.name
    if program.asks_portal and program.is_open is not None and has_node and not (program.is_open and has_device):
        says = f"{name} gets the picture from PipeWire only; if it does not list it, its PipeWire support is off"
        other = "camdaemon setup" if program.is_open else program.fix
        return note("sandbox", says, f"set media.webrtc.camera.allow-pipewire in its about:config, or: {other}")
    if not program.is_open:
        says = "may not read /dev/videoN" if program.is_open is False else "if it lists no camera"
        return note("sandbox", f"{name}: {says}, {program.why}", program.fix)
    if not has_device:
        return note("sandbox", f"{name} reads /dev/videoN, and there is no virtual camera in /dev", "camdaemon setup")
    return ok("sandbox", f"{name} may read /dev/videoN, where the virtual camera is")


def _list_flatpaks(machine: Machine) -> Iterator[_Sandboxed]:
    home = machine.environ.get("HOME", "")
    for package, name in _FLATPAKS.items():
        folders = ("/var/lib/flatpak/app", f"{home}/.local/share/flatpak/app")
        if any(machine.exists(f"{folder}/{package}") for folder in folders):
            answer = machine.ask(["flatpak", "info", "--show-permissions", package])  # with what was overridden
            is_open = _has_all_devices(answer.out) if answer.code == 0 else None
            fix = f"flatpak override --user --device=all {package}"
            yield _Sandboxed(f"{name} (Flatpak)", is_open, "which its sandbox hides", fix, package in _ASKS_PORTAL)


def _has_all_devices(permissions: str) -> bool:
    lines = (line.partition("=") for line in permissions.splitlines())
    return any(key == "devices" and "all" in value.split(";") for key, _, value in lines)


def _list_snaps(machine: Machine) -> Iterator[_Sandboxed]:
    for package, name in _SNAPS.items():
        if any(machine.exists(f"{folder}/{package}/current") for folder in _SNAP_FOLDERS):
            answer = machine.ask(["snap", "connections", package])
            is_open = _is_connected(answer.out) if answer.code == 0 else None
            why = "its camera interface is not connected"
            yield _Sandboxed(f"{name} (Snap)", is_open, why, f"sudo snap connect {package}:camera")


def _is_connected(connections: str) -> bool:
    """Whether the table of `snap connections` (interface, plug, slot, notes) gives the camera's plug a slot."""
    rows = (line.split() for line in connections.splitlines())
    return any(row[:1] == ["camera"] and len(row) > 2 and row[2] != "-" for row in rows)
