"""The files that bring the virtual cameras back after a restart of the machine, and who wrote them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from camdaemon.system.loopback import CONTROL_NODE, NAME
from camdaemon.system.machine import MARK, Machine, is_ours

OPTIONS = "/etc/modprobe.d/camdaemon.conf"
LOAD = "/etc/modules-load.d/camdaemon.conf"
RULES = "/etc/udev/rules.d/83-camdaemon.rules"
OURS = (OPTIONS, LOAD, RULES)
_OPTION_FOLDERS = ("/etc/modprobe.d", "/run/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d")

BUFFERS = 4  # with the module's default of 2 a slow reader can get a torn picture


@dataclass(frozen=True, slots=True)
class CameraOptions:
    """One virtual camera as the module's options describe it.

    Attributes:
        number: N of /dev/videoN; −1: any free one.
        label: the name that programs list, at most 31 bytes.
        exclusive: camera or output, not both at once.
    """

    number: int
    label: str
    exclusive: bool = True


def module_options(cameras: Sequence[CameraOptions]) -> list[str]:
    """Return the module's parameters that make `cameras`. The kernel takes a value with spaces in double quotes."""
    labels = ",".join(camera.label for camera in cameras)
    return [
        f"devices={len(cameras)}",
        f"video_nr={','.join(str(camera.number) for camera in cameras)}",
        f'card_label="{labels}"' if " " in labels else f"card_label={labels}",
        f"exclusive_caps={','.join(str(int(camera.exclusive)) for camera in cameras)}",
        f"max_buffers={BUFFERS}",
    ]


def option_line(cameras: Sequence[CameraOptions]) -> str:
    """Return the line of modprobe.d that makes `cameras`."""
    return " ".join(["options", NAME, *module_options(cameras)])


def make_contents(cameras: Sequence[CameraOptions]) -> dict[str, str]:
    """Return path → text of every file we write."""
    nodes = "|".join(f"video{camera.number}" for camera in cameras)
    rules = [
        f'KERNEL=="{CONTROL_NODE.removeprefix("/dev/")}", GROUP="video", MODE="0660"',
        f'SUBSYSTEM=="video4linux", KERNEL=="{nodes}", DEVPATH=="/devices/virtual/*", GROUP="video", MODE="0660"',
    ]
    return {
        OPTIONS: _mark(option_line(cameras)),
        LOAD: _mark(NAME),
        RULES: _mark(*rules),
    }


def _mark(*lines: str) -> str:
    return "\n".join([f"{MARK}setup", *lines, ""])


def has_same_content(machine: Machine, path: str, text: str) -> bool:
    """Whether the file at `path` equals `text` but for comments and blank lines; its author does not matter."""
    present = machine.text(path)
    return present is not None and _strip_comments(present) == _strip_comments(text)


def _strip_comments(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def our_cameras(machine: Machine) -> list[CameraOptions]:
    """Return the cameras in the options file that setup wrote; none where there is no such file."""
    return _parse_cameras(_read_options(machine, OPTIONS)) if is_ours(machine.text(OPTIONS)) else []


def find_other_options(machine: Machine) -> dict[str, list[CameraOptions]]:
    """Return path → cameras of other files that give the module options.

    A file in /etc hides the files of the same name in /usr/lib.
    """
    seen = set[str]()
    found = {}
    for folder in _OPTION_FOLDERS:
        for name in machine.names(folder, "*.conf"):
            path = f"{folder}/{name}"
            words = _read_options(machine, path)
            if name not in seen and path != OPTIONS and words:
                found[path] = _parse_cameras(words)
            seen.add(name)
    return found


def _read_options(machine: Machine, path: str) -> dict[str, str]:
    """'video_nr' → '0,10' … of all lines that set options of the module."""
    words = []
    for line in _strip_comments((machine.text(path) or "").replace("\\\n", " ")):
        try:
            first, *rest = shlex.split(line)
        except ValueError:  # an unbalanced quote
            continue
        if first == "options" and rest[:1] == [NAME]:
            words += rest[1:]
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def _parse_cameras(words: dict[str, str]) -> list[CameraOptions]:
    numbers, labels, exclusive = (
        words[name].split(",") if words.get(name) else [] for name in ("video_nr", "card_label", "exclusive_caps")
    )
    asked = int(words["devices"]) if words.get("devices", "").isdigit() else 1
    count = max(asked, len(numbers), len(labels)) if words else 0

    def pick(values: list[str], index: int) -> str:
        return values[index].strip() if index < len(values) else ""

    return [
        CameraOptions(
            int(pick(numbers, index)) if pick(numbers, index).isdigit() else -1,
            pick(labels, index),
            pick(exclusive, index).lower() in ("1", "y"),
        )
        for index in range(count)
    ]
