"""The files that hide a camera: udev's rule, the service with its program, user and group, and WirePlumber's rule."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from camdaemon.errors import ConfigError
from camdaemon.linux.hidden import GROUP
from camdaemon.linux.shipped import read_shipped
from camdaemon.system.machine import LUA_MARK, MARK, Machine, is_ours

RULES = "/etc/udev/rules.d/71-camdaemon-hidden.rules"  # after 70-uaccess, which tags; before 73-seat-late, which acts
USER = "/etc/sysusers.d/camdaemon.conf"
PROGRAM = "/usr/local/lib/camdaemon/camera_broker.py"
SOCKET_UNIT, SERVICE_UNIT = "camdaemon-camera.socket", "camdaemon-camera.service"
UNITS = "/etc/systemd/system"
WIREPLUMBER = "/etc/wireplumber/wireplumber.conf.d/60-camdaemon-hidden.conf"  # from 0.5 on
WIREPLUMBER_4 = "/etc/wireplumber/main.lua.d/60-camdaemon-hidden.lua"
OURS = (USER, PROGRAM, f"{UNITS}/{SOCKET_UNIT}", f"{UNITS}/{SERVICE_UNIT}", RULES, WIREPLUMBER, WIREPLUMBER_4)

_VIDEO = "/sys/class/video4linux"
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:-]{0,63}")  # what a device says of itself goes into root's files
_PLAIN = re.compile(r"[A-Za-z0-9-]{1,64}")  # udev changes other characters of a serial number
_HEX = re.compile(r"[0-9a-f]{4}")
_CAMERA = re.compile(r'SUBSYSTEM=="video4linux", (?P<match>.*?), TAG-="uaccess"')
_ATTRIBUTE = re.compile(r'(?P<key>[A-Za-z{}]+)=="(?P<value>[^"]*)"')
_BEFORE = re.compile(r"# before: (?P<node>/dev/video\d+) (?P<owner>[\w-]+:[\w-]+) (?P<mode>[0-7]{3,4})")


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera by what stays the same when it is plugged in again, at any socket.

    Attributes:
        vendor: of a USB camera, four hexadecimal digits; '' for others.
        product: of a USB camera, likewise.
        serial: of a USB camera that has one; without, all of its model are meant.
        parent: the kernel's name of the device behind another camera: '0000:00:05.0'.
    """

    vendor: str = ""
    product: str = ""
    serial: str = ""
    parent: str = ""

    @property
    def conditions(self) -> dict[str, str]:
        """What udev compares, by key."""
        usb = {"SUBSYSTEMS": "usb", "ATTRS{idVendor}": self.vendor, "ATTRS{idProduct}": self.product}
        serial = {"ATTRS{serial}": self.serial} if self.serial else {}
        return usb | serial if self.vendor else {"KERNELS": self.parent}

    def __str__(self) -> str:
        return " ".join(filter(None, (self.vendor and f"{self.vendor}:{self.product}", self.serial, self.parent)))


@dataclass(frozen=True, slots=True)
class Before:
    """Whose a node was before it was hidden: '/dev/video0', 'root:video', '660'."""

    node: str
    owner: str
    mode: str


def identify(machine: Machine, name: str) -> Camera | None:
    """Return what identifies the camera of the node `name` ('video0'); None for a virtual one, or none at all."""
    device = f"{_VIDEO}/{name}/device"
    parent = machine.target(device)
    if parent is None:
        return None
    vendor, product, serial = (
        (machine.text(f"{device}/../{attribute}") or "").strip() for attribute in ("idVendor", "idProduct", "serial")
    )
    if _HEX.fullmatch(vendor) and _HEX.fullmatch(product):
        return Camera(vendor, product, serial if _WORD.fullmatch(serial) else "")
    return Camera(parent=parent) if _WORD.fullmatch(parent) else None


def list_nodes(machine: Machine, camera: Camera) -> list[str]:
    """Return the names of the camera's nodes: with that of the pictures also that of their metadata."""
    names = machine.names(_VIDEO, "video*")
    found = [name for name in names if (known := identify(machine, name)) and _covers(camera, known)]
    return sorted(found, key=lambda name: (len(name), name))


def _covers(camera: Camera, known: Camera) -> bool:
    return camera == known or (not camera.serial and camera == Camera(known.vendor, known.product, "", known.parent))


def list_cameras(machine: Machine) -> list[Camera]:
    """Return the cameras that our rule hides."""
    text = machine.text(RULES)
    found = []
    for match in _CAMERA.finditer(text or "") if is_ours(text) else ():
        values = {pair["key"]: pair["value"] for pair in _ATTRIBUTE.finditer(match["match"])}
        keys = "ATTRS{idVendor}", "ATTRS{idProduct}", "ATTRS{serial}", "KERNELS"
        found.append(Camera(*(values.get(key, "") for key in keys)))
    return found


def list_before(machine: Machine) -> list[Before]:
    """Return whose nodes were when they were hidden, by our rule's comments."""
    text = machine.text(RULES)
    return [Before(*match.groups()) for match in _BEFORE.finditer(text or "")] if is_ours(text) else []


def make_contents(machine: Machine, cameras: Sequence[Camera], before: Sequence[Before]) -> dict[str, str]:
    """Return path → text of every file that hides `cameras`. WirePlumber's only where there is one."""
    texts = {
        USER: f'{MARK}setup\nu {GROUP} - "Hands hidden cameras to camdaemon"\n',
        PROGRAM: _read_program(),
        f"{UNITS}/{SOCKET_UNIT}": f"{MARK}setup\n{read_shipped('systemd', SOCKET_UNIT)}",
        f"{UNITS}/{SERVICE_UNIT}": f"{MARK}setup\n{read_shipped('systemd', SERVICE_UNIT)}",
        RULES: make_rules(cameras, before),
    }
    if machine.exists("/usr/share/wireplumber/main.lua.d"):
        texts[WIREPLUMBER_4] = _make_lua(cameras)
    elif machine.exists("/usr/share/wireplumber"):
        texts[WIREPLUMBER] = _make_wireplumber(cameras)
    return texts


def make_rules(cameras: Sequence[Camera], before: Sequence[Before]) -> str:
    """Return udev's rules. What comes before MODE identifies a camera, and is read again by `list_cameras`."""
    lines = [f"{MARK}setup", *(f"# before: {each.node} {each.owner} {each.mode}" for each in before)]
    for camera in cameras:
        match = ", ".join(f'{key}=="{value}"' for key, value in camera.conditions.items())
        lines.append(f'SUBSYSTEM=="video4linux", {match}, TAG-="uaccess", GROUP="{GROUP}", MODE="0660"')
    return "\n".join([*lines, ""])


def _read_program() -> str:
    path = Path(__file__).parents[1] / "camera_broker.py"
    try:
        return path.read_text("utf-8")
    except OSError as exc:
        raise ConfigError(f"cannot read {path}: {exc.strerror}. Run: pipx reinstall camdaemon") from None


def _list_matches(camera: Camera) -> list[dict[str, str]]:
    """PipeWire's properties of the camera, * for anything. Its versions write numbers in three ways."""
    if not camera.vendor:
        return [{"device.sysfs.path": f"*/{camera.parent}/*"}]
    vendor, product = camera.vendor, camera.product
    pairs = [(f"0x{vendor}", f"0x{product}"), (vendor, product), (str(int(vendor, 16)), str(int(product, 16)))]
    serial = {"device.serial": f"*{camera.serial}"} if _PLAIN.fullmatch(camera.serial) else {}
    return [{"device.vendor.id": first, "device.product.id": second} | serial for first, second in pairs]


def _make_wireplumber(cameras: Sequence[Camera]) -> str:
    """The rule as WirePlumber 0.5 reads it: a value that begins with ~ is a regular expression."""

    def write(value: str) -> str:
        expression = "~" + ".*".join(part.replace(".", "[.]") for part in value.split("*"))
        return expression if "*" in value else value

    rows = [
        "      { " + ", ".join(f'{key} = "{write(value)}"' for key, value in match.items()) + " }"
        for camera in cameras
        for match in _list_matches(camera)
    ]
    head = [f"{MARK}setup", "monitor.v4l2.rules = [", "  {", "    matches = ["]
    tail = ["    ]", "    actions = { update-props = { device.disabled = true } }", "  }", "]", ""]
    return "\n".join([*head, *rows, *tail])


def _make_lua(cameras: Sequence[Camera]) -> str:
    """The rule as WirePlumber 0.4 reads it: a program in Lua. One that does not compile would leave it without all."""
    rows = [
        "    { " + ", ".join(f'{{ "{key}", "matches", "{value}" }}' for key, value in match.items()) + " },"
        for camera in cameras
        for match in _list_matches(camera)
    ]
    head = [f"{LUA_MARK}setup", "table.insert(v4l2_monitor.rules, {", "  matches = {"]
    tail = ["  },", '  apply_properties = { ["device.disabled"] = true },', "})", ""]
    return "\n".join([*head, *rows, *tail])
