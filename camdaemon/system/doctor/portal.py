"""The desktop's portal, through which programs ask PipeWire for cameras: is it there, in order, and does it permit?

Measured with xdg-desktop-portal 1.16: it looks for cameras only as it starts, and of one that comes later it says that
there is none. Reported of 1.20 (xdg-desktop-portal #2143): it says that there is one, and programs see none, if
WirePlumber was started before it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

from camdaemon.system.doctor.findings import Context, Finding, note, ok
from camdaemon.system.doctor.pipewire import MANAGERS
from camdaemon.system.machine import Machine
from camdaemon.system.pipewire import Graph, read_graph, read_start

_PORTAL = "org.freedesktop.portal"
_STORE = "org.freedesktop.impl.portal.PermissionStore"
_STORE_PATH = "/org/freedesktop/impl/portal/PermissionStore"
_ASK_CAMERA = [
    "busctl", "--user", "get-property", f"{_PORTAL}.Desktop", "/org/freedesktop/portal/desktop",
    f"{_PORTAL}.Camera", "IsCameraPresent",
]  # fmt: skip
_ASK_PERMISSIONS = [
    "busctl", "--user", "--json=short", "call", _STORE, _STORE_PATH, _STORE, "Lookup", "ss", "devices", "camera",
]  # fmt: skip
_NO_PROGRAM = 127
_RESTART_MANAGER = "systemctl --user restart wireplumber"
_RESTART = f"systemctl --user restart xdg-desktop-portal && {_RESTART_MANAGER}"


def check(context: Context) -> Iterator[Finding]:
    """Yield whether programs get cameras from the portal; nothing without PipeWire, whose cameras they are."""
    if not context.has_pipewire:
        return
    machine = context.machine
    answer = machine.ask(_ASK_CAMERA)
    if answer.code == _NO_PROGRAM:
        yield note("portal", "whether the desktop's portal offers cameras cannot be asked without busctl")
        return
    if answer.code:
        yield note(
            "portal",
            "the desktop's portal offers no cameras, which Firefox on Fedora and programs in Flatpak ask it for",
            "install your desktop's portal: xdg-desktop-portal-gnome, -kde or -gtk; then log in again",
        )
        return
    yield _check_order(machine, read_graph(machine), is_present=answer.out.split()[-1:] == ["true"])
    yield from _check_permissions(machine)


def _check_order(machine: Machine, graph: Graph | None, *, is_present: bool) -> Finding:
    cameras = [camera for camera in graph.cameras if camera.get("media.role") == "Camera"] if graph else []
    if cameras and not is_present:
        says = "PipeWire has a camera that the desktop's portal has not noticed: 1.16 looks only as it starts"
        return note("portal", says, _RESTART)
    if graph and _is_too_early(machine, graph):
        return note(
            "portal",
            "WirePlumber was started before the desktop's portal; on some systems (Debian 13) programs that ask the "
            "portal then list no camera",
            f"only if they list none: {_RESTART_MANAGER}",
        )
    none_yet = "" if is_present else "; at the moment there is none"
    return ok("portal", f"programs can ask the desktop's portal for cameras{none_yet}")


def _is_too_early(machine: Machine, graph: Graph) -> bool:
    """Whether the session manager was started before the portal."""
    manager, portal = graph.find_program(*MANAGERS), graph.find_program("xdg-desktop-portal")
    if manager is None or portal is None:
        return False
    first, second = read_start(machine, manager[1]), read_start(machine, portal[1])
    return first is not None and second is not None and first < second


def _check_permissions(machine: Machine) -> Iterator[Finding]:
    """Yield the programs that may not use cameras, by a choice that was made once and is never asked for again."""
    for program in _list_denied(machine):
        if machine.has("flatpak"):
            command = ["flatpak", "permission-set", "devices", "camera", program, "yes"]
        else:
            store = ["busctl", "--user", "call", _STORE, _STORE_PATH, _STORE]
            command = [*store, "SetPermission", "sbssas", "devices", "false", "camera", program, "1", "yes"]
        yield note(
            "portal",
            f"{program or 'every program outside of sandboxes'} was denied cameras and is not asked again",
            f"{shlex.join(command)}, then start it again: a running program does not notice",
        )


def _list_denied(machine: Machine) -> list[str]:
    """The programs that are denied cameras. '' stands for all that have no name there."""
    answer = machine.ask(_ASK_PERMISSIONS)
    try:
        permissions = json.loads(answer.out)["data"][0] if answer.code == 0 else {}  # code 1: nobody was ever asked
        return sorted(program for program, given in permissions.items() if "no" in given)
    except (ValueError, AttributeError, LookupError, TypeError):
        return []
