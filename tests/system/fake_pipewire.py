"""PipeWire, its session manager and the desktop's portal on a fake machine, as pw-dump, busctl and /proc show them."""

from __future__ import annotations

import json
import sys
from typing import Any

from camdaemon.linux.programs import CommandResult
from camdaemon.system.doctor.pipewire import PROBE
from tests.system.fake_machine import FakeMachine

LIBRARY = f"{sys.executable} -c {PROBE}"
HAS_CAMERA = (
    "busctl --user get-property org.freedesktop.portal.Desktop /org/freedesktop/portal/desktop "
    "org.freedesktop.portal.Camera IsCameraPresent"
)
_STORE = "org.freedesktop.impl.portal.PermissionStore"
PERMISSIONS = (
    f"busctl --user --json=short call {_STORE} /org/freedesktop/impl/portal/PermissionStore {_STORE} "
    "Lookup ss devices camera"
)
LOOPBACK = {"media.class": "Video/Source", "media.role": "Camera", "api.v4l2.path": "/dev/video10"}
OWN = {"media.class": "Video/Source", "media.role": "Camera", "node.name": "camdaemon", "camdaemon.node": True}


class FakePipeWire:
    """It runs for alice, with WirePlumber, after the portal; nobody was denied a camera. Answers come in this order."""

    def __init__(self, fake: FakeMachine, *cameras: dict[str, Any]) -> None:
        self.fake = fake
        fake.environ |= {"XDG_RUNTIME_DIR": "/run/user/1000"}
        fake.put("/run/user/1000/pipewire-0")
        fake.answers = {LIBRARY: CommandResult(0)} | fake.answers  # before torch's, the first that fits counts
        self.clients: dict[str, int] = {}
        self.cameras = list(cameras)
        self.run("xdg-desktop-portal", 600, started=2000)
        self.run("wireplumber", 700, started=3000)
        self.portal(HAS_CAMERA, "b true\n")
        self.portal(PERMISSIONS, "", code=1)  # "No entry for camera"

    def run(self, program: str, process: int, *, started: int) -> None:
        """A program is connected. `started`: in ticks since the start of the machine."""
        self.clients[program] = process
        behind_name = ["S", "1", *["0"] * 17, str(started), "0"]
        self.fake.put(f"/proc/{process}/stat", f"{process} ({program[:15]}) {' '.join(behind_name)}\n")
        self.publish()

    def end(self, program: str) -> None:
        del self.clients[program]
        self.publish()

    def publish(self, *cameras: dict[str, Any]) -> None:
        """These cameras come."""
        self.cameras += cameras
        objects: list[dict[str, Any]] = [
            {"id": 0, "type": "PipeWire:Interface:Core", "info": {"version": "1.0.5", "props": {}}},
            {"id": 1, "type": "PipeWire:Interface:Metadata", "info": None},
        ]
        for program, process in self.clients.items():
            props = {"application.name": program, "application.process.binary": program, "pipewire.sec.pid": process}
            objects.append({"type": "PipeWire:Interface:Client", "info": {"props": props}})
        objects += [{"type": "PipeWire:Interface:Node", "info": {"props": props}} for props in self.cameras]
        self.fake.answers["pw-dump"] = CommandResult(0, json.dumps(objects))

    def portal(self, question: str, answer: str, *, code: int = 0) -> None:
        """What busctl says; before what it says to questions in general."""
        self.fake.answers.pop(question, None)
        self.fake.answers = {question: CommandResult(code, answer)} | self.fake.answers

    def permit(self, permissions: dict[str, list[str]]) -> None:
        """Who may use cameras, as xdg-permission-store tells busctl."""
        self.portal(PERMISSIONS, json.dumps({"type": "a{sas}v", "data": [permissions, {"type": "y", "data": 0}]}))
