"""The part of the machine in a folder that hides cameras: their place in sysfs, and what the commands change."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from camdaemon.linux.programs import CommandResult

if TYPE_CHECKING:
    from tests.system.fake_machine import FakeMachine

_ACTIVE = "systemctl is-active camdaemon-camera.socket"
_ENTRY = "camdaemon-camera:x:990:\n"


def plug(
    fake: FakeMachine,
    path: str = "/dev/video0",
    usb: tuple[str, str, str] = ("046d", "0825", "A1B2C3"),
    at: str = "1-4",
) -> None:
    """A camera's place in sysfs.

    usb: vendor, product, serial, each '' where it has none; without a vendor it is on another bus. at: the device.
    """
    device = fake.root / "sys/devices" / at
    interface = device / "interface" if usb[0] else device
    interface.mkdir(parents=True, exist_ok=True)
    for attribute, value in zip(("idVendor", "idProduct", "serial"), usb, strict=True):
        if value:
            (device / attribute).write_text(f"{value}\n")
    link = fake.root / f"sys/class/video4linux/{Path(path).name}/device"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(interface)
    fake.put("/run/systemd/system/.keep")
    fake.put("/usr/bin/python3")
    fake.answers[f"stat -c %U:%G %a {path}"] = CommandResult(0, "root:video 660\n")


def act(fake: FakeMachine, words: list[str]) -> int:
    """Do what one of the commands does that hide a camera or give it back."""
    if words[0] in ("install", "rmdir"):
        return _change_folders(fake, words)
    if words[0] == "systemctl":
        return _change_service(fake, words)
    match words:
        case ["chgrp", "camdaemon-camera", *nodes]:
            assert _ENTRY in fake.text("/etc/group")
            fake.hidden |= set(nodes)
            fake.forbidden |= set(nodes)
        case ["chown", "root:video", node]:
            fake.hidden.remove(node)
            fake.forbidden.remove(node)
        case ["systemd-sysusers" | "useradd", *_]:
            fake.put("/etc/group", fake.text("/etc/group") + _ENTRY)
        case ["sh", "-c", drop] if "userdel camdaemon-camera" in drop:
            assert not fake.hidden, "a node would belong to nobody"
            fake.put("/etc/group", fake.text("/etc/group").replace(_ENTRY, ""))
        case ["chmod" | "setfacl" | "/usr/bin/python3", *_]:
            pass
        case _:
            raise AssertionError(f"an unknown command: {words}")
    return 0


def _change_service(fake: FakeMachine, words: list[str]) -> int:
    match words[1:]:
        case ["enable", "--now", "camdaemon-camera.socket"]:
            assert fake.has("/etc/systemd/system/camdaemon-camera.socket")
            fake.answers[_ACTIVE] = CommandResult(0)
            (fake.root / "run/camdaemon").mkdir()
        case ["disable", "--now", "camdaemon-camera.socket"]:
            assert fake.has("/etc/systemd/system/camdaemon-camera.socket"), "systemd could not find it"
            del fake.answers[_ACTIVE]
        case ["daemon-reload"] | ["stop", "camdaemon-camera.service"]:
            pass
        case _:
            raise AssertionError(f"an unknown command: {words}")
    return 0


def _change_folders(fake: FakeMachine, words: list[str]) -> int:
    for folder in (fake.root / word.lstrip("/") for word in words if word.startswith("/")):
        if words[0] == "install":
            folder.mkdir(parents=True)
        else:
            with contextlib.suppress(OSError):  # it is not empty
                folder.rmdir()
    return 0
