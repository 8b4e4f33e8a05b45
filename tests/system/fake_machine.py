"""A folder that stands for a Linux machine: what is read is files, and what commands change is those files."""

from __future__ import annotations

import errno
import json
import re
import struct
import sys
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path
from typing import Any

from camdaemon.errors import DeviceError
from camdaemon.linux.devices import Device, Mode, Rates, Sizes
from camdaemon.linux.programs import CommandResult
from camdaemon.system.machine import Machine
from tests.system import fake_hiding

MODULE = "/sys/module/v4l2loopback"
NODES = "/sys/devices/virtual/video4linux"
DEBIAN = 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'
UBUNTU = 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\nVERSION_CODENAME=jammy\n'
FEDORA = "ID=fedora\nVERSION_ID=42\n"
SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
UID = 1000


class FakeMachine:
    """`machine` is what is under test; the rest is for the test to arrange and to look at.

    done: every command that was to change something, without sudo. broken: the first word of one that fails.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.done: list[str] = []
        self.broken = ""
        self.answers: dict[str, CommandResult] = {}  # by how the command begins
        self.controls: dict[tuple[str, int], int] = {}
        self.devices: dict[str, Device] = {}
        self.forbidden: set[str] = set()
        self.holders: dict[str, list[str]] = {}
        self.acl: dict[str, bytes] = {}
        self.hidden: set[str] = set()  # nodes that belong to the group of hidden cameras
        self.refusal = ""  # of their service
        self.environ = {"PATH": "/usr/bin", "HOME": "/home/alice"}
        self.put("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n")
        self.put("/lib/modules/6.1.0-18-amd64/modules.dep", "kernel/drivers/media/mc/mc.ko:\n")
        self.put("/etc/os-release", DEBIAN)
        self.put("/etc/group", "root:x:0:\nvideo:x:44:bob\n")
        self.put("/etc/passwd", f"root:x:0:0::/root:/bin/sh\nalice:x:{UID}:{UID}::/home/alice:/bin/sh\n")
        self.put("/usr/bin/sudo")
        self.put("/usr/bin/udevadm")
        self.version = "0.15.3"  # of the module, once there is one
        self.machine = self.made()

    def made(
        self, *, uid: int = UID, user: str = "alice", groups: AbstractSet[str] = frozenset(), terminal: bool = True
    ):
        """The Machine; also kept as `machine`."""
        self.machine = Machine(
            root=self.root,
            ask=self._ask,
            act=self._act,
            describe=self._describe,
            read_control=lambda path, number: self.controls.get((path, number)),
            list_holders=lambda path: self.holders.get(path, []),
            may_use=lambda path: path not in self.forbidden,
            read_access_list=lambda path: self.acl.get(path, b""),
            is_hidden=lambda path: path in self.hidden,
            find_refusal=lambda: self.refusal,
            environ=self.environ,
            uid=uid,
            user=user,
            groups=frozenset(groups),
            terminal=terminal,
        )
        return self.machine

    # what a test arranges

    def put(self, path: str, text: str = "") -> None:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def text(self, path: str) -> str:
        return (self.root / path.lstrip("/")).read_text()

    def has(self, path: str) -> bool:
        return (self.root / path.lstrip("/")).exists()

    def drop(self, path: str) -> None:
        (self.root / path.lstrip("/")).unlink()

    def kernel(self, release: str) -> None:
        self.put("/proc/sys/kernel/osrelease", f"{release}\n")
        self.put(f"/lib/modules/{release}/modules.dep", "")

    def build(self, release: str | None = None) -> None:
        """The module is there for that kernel, or for the one that runs."""
        release = release or self.text("/proc/sys/kernel/osrelease").strip()
        self.put(f"/lib/modules/{release}/modules.dep", "updates/dkms/v4l2loopback.ko.xz: kernel/videodev.ko.xz\n")
        self.answers["modinfo -F version"] = CommandResult(0, "" if self.old else f"{self.version}\n")

    def install_ctl(self, version: str | None = None) -> None:
        self.put("/usr/bin/v4l2loopback-ctl")
        self.answers["v4l2loopback-ctl -v"] = CommandResult(0, f"v4l2loopback-ctl v{version or self.version}\n")

    def load(self, options: str = "devices=1 video_nr=10 card_label=camdaemon exclusive_caps=1 max_buffers=4") -> None:
        """Load the module by hand, before the test begins."""
        self._modprobe(re.findall(r'(?:[^\s"]|"[^"]*")+', options))

    def camera(self, path: str = "/dev/video0", **more: Any) -> Device:
        """A webcam: MJPG at 30 fps and YUYV at 10 in 1280x720, YUYV at 30 in 640x480."""
        hd, vga = Sizes((1280, 720), (1280, 720)), Sizes((640, 480), (640, 480))
        modes = (
            Mode("MJPG", hd, (Rates(30, 30),)),
            Mode("YUYV", hd, (Rates(10, 10),)),
            Mode("YUYV", vga, (Rates(30, 30),)),
        )
        known: dict[str, Any] = {"card": "HD Webcam", "driver": "uvcvideo", "bus_info": "usb-0000:00:14.0-1"}
        known |= {"can_capture": True, "modes": modes} | more
        self.devices[path] = Device(path, **known)
        self.put(path)
        self.put(f"/sys/class/video4linux/{Path(path).name}/name", f"{known['card']}\n")
        return self.devices[path]

    def add(self, number: int, label: str, *, exclusive: bool = True) -> None:
        """A device of the module appears."""
        path = f"/dev/video{number}"
        self.put(path)
        for folder in (NODES, "/sys/class/video4linux"):
            self.put(f"{folder}/video{number}/name", f"{label}\n")
        self.put(f"{NODES}/video{number}/max_openers", "10\n")
        self.put(f"{NODES}/video{number}/format", "\n")
        if not self.old:
            self.put(f"{NODES}/video{number}/state", "output\n")
        self.devices[path] = Device(
            path, card=label, driver="v4l2 loopback", bus_info=f"platform:v4l2loopback-{number:03}",
            can_capture=not exclusive, can_output=True, is_loopback=True,
        )  # fmt: skip

    def feed(self, number: int, *, exclusive: bool = True) -> None:
        """A program writes 320x240 YUYV into a device of the module."""
        path = f"/dev/video{number}"
        modes = (Mode("YUYV", Sizes((320, 240), (320, 240)), (Rates(30, 30),)),)
        self.devices[path] = replace(
            self.devices[path], can_capture=True, can_output=not exclusive, is_fed=True, modes=modes
        )
        self.put(f"{NODES}/video{number}/format", "YUYV:320x240@30\n")
        if not self.old:
            self.put(f"{NODES}/video{number}/state", "capture\n")

    def hold(self, pid: int, name: str, path: str) -> None:
        """A process has a node open."""
        self.holders.setdefault(path, []).append(f"{name} (pid {pid})")
        if self.has(MODULE):
            self.put(f"{MODULE}/refcnt", "1\n")

    def seat(self, path: str) -> None:
        """udev lets alice use the node, because she sits at the screen."""
        entries = [(0x01, 6, 0xFFFFFFFF), (0x02, 6, UID), (0x04, 6, 0xFFFFFFFF), (0x10, 6, 0xFFFFFFFF), (0x20, 0, 0)]
        self.acl[path] = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)

    def says_torch(self, **facts: object) -> None:
        """What the doctor's probe prints: a working one on a GPU, but for `facts`; without one `version` is None."""
        known: dict[str, object] = {
            "version": "2.9.0",
            "cuda": "12.8",
            "hip": None,
            "available": True,
            "names": ["RTX 3060"],
            "why": "",
        }
        known |= {"capability": [8, 6], "built_for": ["sm_75", "sm_86", "sm_120"]}
        said = facts if facts.get("version", "") is None else known | facts
        self.answers[sys.executable] = CommandResult(0, f"a warning\n{json.dumps(said)}\n")

    @property
    def old(self) -> bool:
        """0.12 says no version, has no control node and no state."""
        return self.version.startswith("0.12")

    # what the machine does

    def _ask(self, command: Sequence[str]) -> CommandResult:
        line = " ".join(command)
        known = [answer for begin, answer in self.answers.items() if line.startswith(begin)]
        return known[0] if known else CommandResult(127, "", f"{command[0]}: No such file or directory")

    def _describe(self, path: str) -> Device:
        if path in self.forbidden:
            raise DeviceError(f"{path}: permission denied: only the group video may use it. Run: sudo usermod")
        if path not in self.devices:
            raise DeviceError(f"{path} does not exist. Run: camdaemon devices")
        return self.devices[path]

    def _act(self, command: Sequence[str], text: str | None) -> int:
        words = list(command)
        assert (words[0] == "sudo") is (self.machine.uid != 0)
        words = words[words[0] == "sudo" :]
        self.done.append(" ".join(words))
        if words[0] == self.broken:
            return 1
        if words[0] in ("tee", "rm", "usermod", "apt"):
            return self._change_files(words, text)
        if words[0] in ("modprobe", "v4l2loopback-ctl", "udevadm"):
            return self._load(words)
        return fake_hiding.act(self, words)

    def _change_files(self, words: list[str], text: str | None) -> int:
        match words:
            case ["tee", path]:
                assert text is not None
                self.put(path, text)
            case ["rm", "-f", *paths]:
                for path in paths:
                    self.drop(path)
            case ["usermod", "-aG", "video", user]:
                self.put("/etc/group", f"root:x:0:\nvideo:x:44:bob,{user}\n")
            case ["apt", "install", *_]:
                self.build()
            case _:
                raise AssertionError(f"an unknown command: {words}")
        return 0

    def _load(self, words: list[str]) -> int:
        match words:
            case ["modprobe", "-r", "v4l2loopback"]:
                return self._unload()
            case ["modprobe", "v4l2loopback", *options]:
                return self._modprobe(options)
            case ["v4l2loopback-ctl", "add", "-n", label, "-x", "1", "-b", "4", path]:
                if self.has(path):
                    return errno.EEXIST
                self.add(int(path.removeprefix("/dev/video")), label)
            case ["v4l2loopback-ctl", "delete", path]:
                self._delete(path)
            case ["udevadm", *_]:
                pass
            case _:
                raise AssertionError(f"an unknown command: {words}")
        return 0

    def _modprobe(self, options: Sequence[str]) -> int:
        given = dict(option.split("=", 1) for option in options)
        numbers = given["video_nr"].split(",")
        labels = given.get("card_label", "").strip('"').split(",")
        exclusive = given.get("exclusive_caps", "").split(",")
        for index, number in enumerate(numbers):
            label = labels[index] if index < len(labels) and labels[index] else f"Dummy video device (0x{index:04})"
            self.add(int(number), label, exclusive=exclusive[index : index + 1] == ["1"])
        self.put(f"{MODULE}/refcnt", "0\n")
        self.put(f"{MODULE}/parameters/video_nr", ",".join([*numbers, "-1"]) + "\n")
        self.put(f"{MODULE}/parameters/exclusive_caps", ",".join("Y" if e == "1" else "N" for e in exclusive) + "\n")
        self.put(f"{MODULE}/parameters/max_buffers", f"{given.get('max_buffers', '2')}\n")
        if not self.old:
            self.put(f"{MODULE}/version", f"{self.version}\n")
            self.put("/dev/v4l2loopback")
        return 0

    def _unload(self) -> int:
        if self.text(f"{MODULE}/refcnt").strip() != "0":
            return 1
        for path in [path for path, device in self.devices.items() if device.is_loopback]:
            self._delete(path)
        for file in sorted((self.root / MODULE.lstrip("/")).rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        (self.root / MODULE.lstrip("/")).rmdir()
        return 0

    def _delete(self, path: str) -> None:
        del self.devices[path]
        self.drop(path)
        for folder in (NODES, "/sys/class/video4linux"):
            for file in (self.root / folder.lstrip("/") / Path(path).name).iterdir():
                file.unlink()
            (self.root / folder.lstrip("/") / Path(path).name).rmdir()
