"""PipeWire on a machine: whether it runs, and what it lists."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from camdaemon.linux.pipewire.camera import OWN
from camdaemon.linux.pipewire.library import locate_socket
from camdaemon.system.machine import Machine

# Who reads what, by what these programs do without a change of their settings.
PIPEWIRE_READERS = "Firefox on Fedora, OBS, GNOME's Camera and most Flatpaks"
DEVICE_READERS = "Chrome, Zoom, Teams and other programs that read /dev/videoN"

_START_TIME = 19  # its place in /proc/PID/stat behind the name, see proc(5): ticks since the start of the machine


@dataclass(frozen=True, slots=True)
class Graph:
    """What PipeWire lists.

    Attributes:
        version: of the server that runs.
        clients: the properties of each connected program.
        cameras: the properties of each camera, camdaemon's own ones too.
    """

    version: str
    clients: tuple[Mapping[str, Any], ...]
    cameras: tuple[Mapping[str, Any], ...]

    @property
    def own_cameras(self) -> list[str]:
        """The names of the cameras that camdaemon publishes now."""
        return [str(camera.get("node.name", "")) for camera in self.cameras if str(camera.get(OWN)).lower() == "true"]

    @property
    def paths(self) -> set[str]:
        """The nodes in /dev behind cameras."""
        return {str(camera.get("api.v4l2.path", "")) for camera in self.cameras}

    def find_program(self, *names: str) -> tuple[str, int | None] | None:
        """Return the one of `names` that is connected, with its process's number; None where none is."""
        for client in self.clients:
            program = f"{client.get('application.process.binary')} {client.get('application.name')}".lower()
            for name in names:
                if name in program:  # NixOS calls it .wireplumber-wrapped
                    number = str(client.get("pipewire.sec.pid") or client.get("application.process.id") or "")
                    return name, int(number) if number.isdecimal() else None
        return None


def is_running(machine: Machine) -> bool:
    """Whether this user has a PipeWire. Starts and asks nothing."""
    path = locate_socket(machine.environ)
    return path is not None and machine.exists(str(path))


def read_graph(machine: Machine) -> Graph | None:
    """Return what PipeWire lists; None where pw-dump is missing or does not get an answer."""
    answer = machine.ask(["pw-dump"])
    try:
        objects = json.loads(answer.out) if answer.code == 0 else None
        found = [(str(each.get("type")).rpartition(":")[2], each.get("info") or {}) for each in objects or ()]
        properties = [(kind, info, info.get("props") or {}) for kind, info in found]
    except (ValueError, AttributeError, TypeError):
        return None
    if objects is None:
        return None
    return Graph(
        version=next((str(info.get("version", "")) for kind, info, _ in properties if kind == "Core"), ""),
        clients=tuple(props for kind, _, props in properties if kind == "Client"),
        cameras=tuple(props for _, _, props in properties if props.get("media.class") == "Video/Source"),
    )


def read_start(machine: Machine, process: int | None) -> int | None:
    """Return when a process was started, in ticks since the start of the machine; None where it cannot be known."""
    behind_name = (machine.text(f"/proc/{process}/stat") or "").rpartition(")")[2].split()
    return int(behind_name[_START_TIME]) if len(behind_name) > _START_TIME else None
