"""v4l2loopback on a machine: whether the module is there and which version, and the virtual cameras it has made."""

from __future__ import annotations

import re
from dataclasses import dataclass

from camdaemon.errors import DeviceError
from camdaemon.system.machine import Machine

NAME = "v4l2loopback"
CONTROL_NODE = "/dev/v4l2loopback"  # since 0.13: devices come and go while the module stays
NODES = "/sys/devices/virtual/video4linux"
DEFAULT_LABEL = "Dummy video device"  # the module's label for a device without one

_SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Module:
    """The kernel module as this machine has it.

    Attributes:
        is_loaded: it is in the running kernel.
        version: as text; '' where nothing tells it.
        built_for: releases of the kernels that have it.
        is_installed: the running kernel is one of them.
        is_in_use: a program has one of its devices open.
        can_add: devices can be added without a reload.
    """

    is_loaded: bool
    version: str
    built_for: tuple[str, ...]
    is_installed: bool
    is_in_use: bool
    can_add: bool

    @property
    def number(self) -> Version:
        """The version as numbers; () where nothing tells it."""
        return parse_version(self.version)


@dataclass(frozen=True, slots=True)
class VirtualCamera:
    """A device of the module as sysfs describes it.

    Attributes:
        number: N of /dev/videoN.
        label: the name that programs list.
        format: '' while there is none.
        state: 'output', 'capture', or '' before 0.13.
    """

    number: int
    label: str
    format: str
    state: str

    @property
    def path(self) -> str:
        """Of its node."""
        return f"/dev/video{self.number}"

    @property
    def is_unnamed(self) -> bool:
        """Whether it has the module's default label."""
        return self.label.startswith(DEFAULT_LABEL)


def find_module(machine: Machine) -> Module:
    """Return what is known of the module. Changes nothing."""
    built_for = list_kernels(machine)
    is_loaded = machine.exists(f"/sys/module/{NAME}")
    version = _version(machine, is_loaded)
    return Module(
        is_loaded=is_loaded,
        version=version,
        built_for=built_for,
        is_installed=machine.kernel in built_for,
        is_in_use=(machine.text(f"/sys/module/{NAME}/refcnt") or "0").strip() not in ("0", ""),
        can_add=is_loaded and machine.exists(CONTROL_NODE) and _fits(_ctl_version(machine), parse_version(version)),
    )


def list_kernels(machine: Machine) -> tuple[str, ...]:
    """Return the releases of the kernels that have the module, by what depmod wrote for modprobe."""
    return tuple(
        release
        for release in machine.names("/lib/modules")
        if re.search(rf"(^|/){NAME}\.ko(\.\w+)?:", machine.text(f"/lib/modules/{release}/modules.dep") or "", re.M)
    )


def _version(machine: Machine, is_loaded: bool) -> str:
    """Up to 0.12.7 the module itself does not tell its version; then the folder of its source does."""
    told = machine.text(f"/sys/module/{NAME}/version") or ""
    if not told and not is_loaded:
        told = machine.ask(["modinfo", "-F", "version", NAME]).out
    sources = [name.removeprefix(f"{NAME}-") for name in machine.names("/usr/src", f"{NAME}-*")]
    old = [source for source in sources if not is_loaded or parse_version(source) < (0, 13)]
    return told.strip() or max(old, key=parse_version, default="")


def parse_version(text: str) -> Version:
    """Return '0.12.7-2' as (0, 12, 7); () where there is no number."""
    found = re.search(r"\d+(\.\d+)+", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def _ctl_version(machine: Machine) -> Version:
    """The version of v4l2loopback-ctl; () where it is missing or (up to 0.12) does not tell."""
    if not machine.has("v4l2loopback-ctl"):
        return ()
    answer = machine.ask(["v4l2loopback-ctl", "-v"])
    return parse_version(answer.out or answer.err)


def _fits(ctl: Version, module: Version) -> bool:
    """v4l2loopback-ctl 0.15 uses other ioctls than before, which an older module does not know."""
    return ctl >= (0, 13) and (ctl < (0, 15) or module >= (0, 15))


def list_virtual_cameras(machine: Machine) -> list[VirtualCamera]:
    """Return all devices of the module by number. Opens no node."""
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
    """Whether the device is camera or output, not both at once, as browsers require. None where it cannot be known.

    The node itself is asked; the module's parameters only where the node may not be opened, because they do not cover
    devices that were added later.
    """
    try:
        device = machine.describe(camera.path)
    except DeviceError:
        return _exclusive_parameter(machine, camera.number)
    return not (device.can_capture and device.can_output)


def is_stuck(machine: Machine, camera: VirtualCamera) -> bool:
    """Whether its last producer left it (0.12) as neither camera nor output: useless until the module is reloaded."""
    try:
        device = machine.describe(camera.path)
    except DeviceError:
        return False
    return device.is_loopback and not (device.can_capture or device.can_output)


def _exclusive_parameter(machine: Machine, number: int) -> bool | None:
    folder = f"/sys/module/{NAME}/parameters"
    numbers = (machine.text(f"{folder}/video_nr") or "").strip().split(",")
    exclusive = (machine.text(f"{folder}/exclusive_caps") or "").strip().split(",")
    pairs = dict(zip(numbers, exclusive, strict=False))
    return pairs[str(number)] == "Y" if str(number) in pairs else None


def is_secure_boot_on(machine: Machine) -> bool | None:
    """Whether the kernel refuses unsigned modules because of Secure Boot. None where it cannot be known."""
    if not machine.exists("/sys/firmware/efi"):
        return False  # started by a BIOS, or a container
    value = machine.text(_SECURE_BOOT)  # 4 bytes of attributes, then 0 or 1
    if value:
        return value[-1] == "\x01"
    state = machine.ask(["mokutil", "--sb-state"]).out.lower()
    return "enabled" in state if "secureboot" in state.replace(" ", "") else None
