"""v4l2loopback on a machine: is the module there and which, what virtual cameras it has made, who holds them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from camdaemon.errors import DeviceError
from camdaemon.system.setup.machine import Machine

NAME = "v4l2loopback"
CONTROL_NODE = "/dev/v4l2loopback"  # since 0.13: devices come and go while the module stays
NODES = "/sys/devices/virtual/video4linux"
DEFAULT_LABEL = "Dummy video device"  # what the module calls a device that nobody named

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Module:
    """The kernel module. `version` as text, '' where nothing tells it; `built_for`: kernels that have it.

    in_use: somebody has one of its devices open. can_add: devices can be added without a reload.
    """

    loaded: bool
    version: str
    built_for: tuple[str, ...]
    installed: bool
    in_use: bool
    can_add: bool

    @property
    def number(self) -> Version:
        return version_number(self.version)


@dataclass(frozen=True, slots=True)
class VirtualCamera:
    """A device of the module as sysfs describes it. `state`: output, capture, or '' before 0.13."""

    number: int
    label: str
    format: str
    state: str

    @property
    def path(self) -> str:
        return f"/dev/video{self.number}"

    @property
    def unnamed(self) -> bool:
        return self.label.startswith(DEFAULT_LABEL)


def module(machine: Machine) -> Module:
    """What is known of the module without changing anything."""
    built_for = kernels(machine)
    loaded = machine.exists(f"/sys/module/{NAME}")
    version = _version(machine, loaded)
    return Module(
        loaded=loaded,
        version=version,
        built_for=built_for,
        installed=machine.kernel in built_for,
        in_use=(machine.text(f"/sys/module/{NAME}/refcnt") or "0").strip() not in ("0", ""),
        can_add=loaded and machine.exists(CONTROL_NODE) and _fits(ctl_version(machine), version_number(version)),
    )


def kernels(machine: Machine) -> tuple[str, ...]:
    """The releases of the kernels that have the module, by what depmod wrote for modprobe."""
    return tuple(
        release
        for release in machine.names("/lib/modules")
        if re.search(rf"(^|/){NAME}\.ko(\.\w+)?:", machine.text(f"/lib/modules/{release}/modules.dep") or "", re.M)
    )


def _version(machine: Machine, loaded: bool) -> str:
    """Up to 0.12.7 the module itself does not say; then the folder of its source does."""
    said = machine.text(f"/sys/module/{NAME}/version") or ""
    if not said and not loaded:
        said = machine.ask(["modinfo", "-F", "version", NAME]).out
    sources = [name.removeprefix(f"{NAME}-") for name in machine.names("/usr/src", f"{NAME}-*")]
    old = [source for source in sources if not loaded or version_number(source) < (0, 13)]
    return said.strip() or max(old, key=version_number, default="")


def version_number(text: str) -> Version:
    """'0.12.7-2' → (0, 12, 7); () where there is none."""
    found = re.search(r"\d+(\.\d+)+", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def ctl_version(machine: Machine) -> Version:
    """Of v4l2loopback-ctl; () where it is missing or (up to 0.12) does not say."""
    if not machine.has("v4l2loopback-ctl"):
        return ()
    said = machine.ask(["v4l2loopback-ctl", "-v"])
    return version_number(said.out or said.err)


def _fits(ctl: Version, module: Version) -> bool:
    """v4l2loopback-ctl 0.15 speaks other ioctls than before, which an older module does not know."""
    return ctl >= (0, 13) and (ctl < (0, 15) or module >= (0, 15))


def virtual_cameras(machine: Machine) -> list[VirtualCamera]:
    """All devices of the module by number. No node is opened."""
    found = []
    for name in machine.names(NODES, "video*"):
        folder, number = f"{NODES}/{name}", name.removeprefix("video")
        if not number.isdigit() or not machine.exists(f"{folder}/max_openers"):  # another driver's
            continue
        label, form, state = (
            (machine.text(f"{folder}/{attribute}") or "").strip() for attribute in ("name", "format", "state")
        )
        found.append(VirtualCamera(int(number), label, form, state))
    return sorted(found, key=lambda camera: camera.number)


def is_exclusive(machine: Machine, camera: VirtualCamera) -> bool | None:
    """Whether the device is camera or output, not both at once: what browsers want. None where it cannot be known.

    The node itself is asked; its parameters only where it may not be opened, for they say nothing of added devices.
    """
    try:
        device = machine.describe(camera.path)
    except DeviceError:
        return _parameter(machine, camera.number)
    return not (device.can_capture and device.can_output)


def is_stuck(machine: Machine, camera: VirtualCamera) -> bool:
    """Whether its last producer left it (0.12) as neither camera nor output: of no use until a reload."""
    try:
        device = machine.describe(camera.path)
    except DeviceError:
        return False
    return device.is_loopback and not (device.can_capture or device.can_output)


def _parameter(machine: Machine, number: int) -> bool | None:
    folder = f"/sys/module/{NAME}/parameters"
    numbers = (machine.text(f"{folder}/video_nr") or "").strip().split(",")
    exclusive = (machine.text(f"{folder}/exclusive_caps") or "").strip().split(",")
    pairs = dict(zip(numbers, exclusive, strict=False))
    return pairs[str(number)] == "Y" if str(number) in pairs else None


def holders(machine: Machine, path: str) -> list[str]:
    """'firefox (pid 12)' of the other programs that have the node open; those of other users only when we are root."""
    found = []
    for pid in sorted((name for name in machine.names("/proc", "[0-9]*") if name.isdigit()), key=int):
        if pid != str(os.getpid()) and _holds(machine, pid, path):
            found.append(f"{(machine.text(f'/proc/{pid}/comm') or 'unknown').strip()} (pid {pid})")
    return found


def _holds(machine: Machine, pid: str, path: str) -> bool:
    try:
        return any(os.readlink(fd) == path for fd in machine.at(f"/proc/{pid}/fd").iterdir())
    except OSError:  # another user's, or it has just ended
        return False
