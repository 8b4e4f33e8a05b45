"""The files that keep the virtual camera over a restart of the machine, and whose they are."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from camdaemon.system.setup.loopback import CONTROL_NODE, NAME
from camdaemon.system.setup.machine import Machine

MARK = "# Written by: camdaemon setup"
OPTIONS = "/etc/modprobe.d/camdaemon.conf"
LOAD = "/etc/modules-load.d/camdaemon.conf"
RULES = "/etc/udev/rules.d/83-camdaemon.rules"
OURS = (OPTIONS, LOAD, RULES)
_OPTION_FOLDERS = ("/etc/modprobe.d", "/run/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d")

BUFFERS = 4  # with the module's default of 2 a slow reader can get a torn picture


@dataclass(frozen=True, slots=True)
class Camera:
    """A virtual camera as it should be. label: at most 31 bytes; number −1: whichever is free."""

    number: int
    label: str
    exclusive: bool = True


def module_options(cameras: Sequence[Camera]) -> list[str]:
    """The module's parameters that make `cameras`. The kernel takes a value with spaces in double quotes."""
    labels = ",".join(camera.label for camera in cameras)
    return [
        f"devices={len(cameras)}",
        f"video_nr={','.join(str(camera.number) for camera in cameras)}",
        f'card_label="{labels}"' if " " in labels else f"card_label={labels}",
        f"exclusive_caps={','.join(str(int(camera.exclusive)) for camera in cameras)}",
        f"max_buffers={BUFFERS}",
    ]


def option_line(cameras: Sequence[Camera]) -> str:
    return " ".join(["options", NAME, *module_options(cameras)])


def contents(cameras: Sequence[Camera]) -> dict[str, str]:
    """Path → text of every file we write."""
    kernels_own = "|".join(f"video{camera.number}" for camera in cameras)
    rules = [
        f'KERNEL=="{CONTROL_NODE.removeprefix("/dev/")}", GROUP="video", MODE="0660"',
        f'SUBSYSTEM=="video4linux", KERNEL=="{kernels_own}", DEVPATH=="/devices/virtual/*", GROUP="video", MODE="0660"',
    ]
    return {
        OPTIONS: _marked(option_line(cameras)),
        LOAD: _marked(NAME),
        RULES: _marked(*rules),
    }


def _marked(*lines: str) -> str:
    return "\n".join([MARK, *lines, ""])


def is_ours(machine: Machine, path: str) -> bool:
    return (machine.text(path) or "").startswith(MARK)


def says_the_same(machine: Machine, path: str, text: str) -> bool:
    """Whether the file at `path` says what `text` says, whoever wrote it."""
    there = machine.text(path)
    return there is not None and _plain(there) == _plain(text)


def _plain(text: str) -> list[str]:
    """Its lines without comments."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def our_cameras(machine: Machine) -> list[Camera]:
    """Those that our own file of options names."""
    return _cameras(_option_words(machine, OPTIONS)) if is_ours(machine, OPTIONS) else []


def options_elsewhere(machine: Machine) -> dict[str, list[Camera]]:
    """Path → cameras of other files that give the module options. A file in /etc hides its namesakes in /usr/lib."""
    seen = set[str]()
    found = {}
    for folder in _OPTION_FOLDERS:
        for name in machine.names(folder, "*.conf"):
            path = f"{folder}/{name}"
            words = _option_words(machine, path)
            if name not in seen and path != OPTIONS and words:
                found[path] = _cameras(words)
            seen.add(name)
    return found


def _option_words(machine: Machine, path: str) -> dict[str, str]:
    """'video_nr' → '0,10' … of all lines that set options of the module."""
    words = []
    for line in _plain((machine.text(path) or "").replace("\\\n", " ")):
        try:
            first, *rest = shlex.split(line)
        except ValueError:  # a quote that does not end
            continue
        if first == "options" and rest[:1] == [NAME]:
            words += rest[1:]
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def _cameras(words: dict[str, str]) -> list[Camera]:
    numbers, labels, exclusive = (
        words[name].split(",") if words.get(name) else [] for name in ("video_nr", "card_label", "exclusive_caps")
    )
    asked = int(words["devices"]) if words.get("devices", "").isdigit() else 1
    count = max(asked, len(numbers), len(labels)) if words else 0

    def each(values: list[str], index: int) -> str:
        return values[index].strip() if index < len(values) else ""

    return [
        Camera(
            int(each(numbers, index)) if each(numbers, index).isdigit() else -1,
            each(labels, index),
            each(exclusive, index).lower() in ("1", "y"),
        )
        for index in range(count)
    ]
