"""The device list against a fake kernel behind a tree of files that stands for /dev."""

from __future__ import annotations

import errno
import os
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from camdaemon.errors import DeviceError
from camdaemon.linux import devices, v4l2
from camdaemon.linux.devices import Mode, Rates, Sizes

QUERYCAP, ENUM_FMT, ENUM_FRAMESIZES, ENUM_FRAMEINTERVALS = 0x80685600, 0xC0405602, 0xC02C564A, 0xC034564B
CAPTURE, OUTPUT, MPLANE = 0x1, 0x2, 0x1000
DISCRETE, CONTINUOUS, STEPWISE = 1, 2, 3

T = TypeVar("T")


def at(entries: Sequence[T], index: int) -> T:
    if index >= len(entries):
        raise OSError(errno.EINVAL, "the end")
    return entries[index]


@dataclass
class Node:
    """What a driver says: formats → (kind, numbers) of its sizes; sizes → (kind, numbers) of their intervals."""

    driver: bytes = b"uvcvideo"
    flags: int = CAPTURE
    stream: int = 1
    sizes: dict[bytes, list[tuple[int, list[int]]]] = field(default_factory=dict)
    intervals: dict[tuple[bytes, int, int], list[tuple[int, list[int]]]] = field(default_factory=dict)
    silent: tuple[int, ...] = ()  # ioctls it does not know

    def answer(self, number: int, buffer: bytearray) -> None:
        if number == QUERYCAP:
            struct.pack_into("16s32s32sIII", buffer, 0, self.driver, b"Cam", b"usb-2", 0, 0x80000000, self.flags)
            return
        if number in self.silent:
            raise OSError(errno.ENOTTY, "no such ioctl")
        index, pixels = struct.unpack_from("I4s", buffer)
        if number == ENUM_FMT:
            assert struct.unpack_from("I", buffer, 4) == (self.stream,)
            struct.pack_into("4s", buffer, 44, at(list(self.sizes), index))
        elif number == ENUM_FRAMESIZES:
            kind, numbers = at(self.sizes[pixels], index)
            struct.pack_into(f"I{len(numbers)}I", buffer, 8, kind, *numbers)
        elif number == ENUM_FRAMEINTERVALS:
            width, height = struct.unpack_from("II", buffer, 8)
            kind, numbers = at(self.intervals.get((pixels, width, height), []), index)
            struct.pack_into(f"I{len(numbers)}I", buffer, 16, kind, *numbers)


class Tree:
    """A directory as /dev, whose files `answer` as the nodes put there."""

    def __init__(self, dev: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dev, self.nodes = dev, dict[str, Node]()
        monkeypatch.setattr(v4l2, "ioctl", self.ioctl)

    def put(self, name: str, node: Node | None) -> None:
        (self.dev / name).touch()
        if node:
            self.nodes[str(self.dev / name)] = node

    def ioctl(self, fd: int, number: int, buffer: bytearray) -> int:
        assert len(buffer) == number >> 16 & 0x3FFF
        node = self.nodes.get(os.readlink(f"/proc/self/fd/{fd}"))
        if node is None:
            raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")
        node.answer(number, buffer)
        return 0


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    return Tree(tmp_path, monkeypatch)


def webcam() -> Node:
    return Node(
        sizes={
            b"MJPG": [(DISCRETE, [1280, 720]), (DISCRETE, [640, 480])],
            b"YUYV": [(STEPWISE, [160, 640, 32, 120, 480, 8])],
        },
        intervals={
            (b"MJPG", 1280, 720): [(DISCRETE, [1, 30]), (DISCRETE, [1, 15])],
            (b"MJPG", 640, 480): [(STEPWISE, [1, 60, 1, 5, 1, 60])],
            (b"YUYV", 640, 480): [(CONTINUOUS, [1001, 30000, 1, 1, 0, 0])],
        },
    )


def test_formats_sizes_and_rates_of_every_kind(tree: Tree) -> None:
    tree.put("video0", webcam())
    (device,) = devices.list_devices(tree.dev)
    assert (device.card, device.driver, device.bus_info) == ("Cam", "uvcvideo", "usb-2")
    assert (device.can_capture, device.can_output, device.is_loopback, device.problem) == (True, False, False, None)
    assert device.modes == (
        Mode("MJPG", Sizes((1280, 720), (1280, 720)), (Rates(30, 30), Rates(15, 15))),
        Mode("MJPG", Sizes((640, 480), (640, 480)), (Rates(5, 60),)),
        Mode("YUYV", Sizes((160, 120), (640, 480), (32, 8)), (Rates(1, 30000 / 1001),)),
    )
    assert [str(mode.sizes) for mode in device.modes] == ["1280x720", "640x480", "160x120..640x480"]
    assert [str(mode.rates[0]) for mode in device.modes] == ["30", "5..60", "1..29.97"]


@pytest.mark.parametrize(
    ("size", "held"), [((640, 480), True), ((192, 128), True), ((200, 128), False), ((672, 480), False)]
)
def test_stepwise_sizes_hold_their_steps_only(size: tuple[int, int], held: bool) -> None:
    assert Sizes((160, 120), (640, 480), (32, 8)).has(*size) is held


@pytest.mark.parametrize(
    ("wanted", "nearest"),
    [((160, 120), (160, 120)), ((100, 100), (160, 120)), ((200, 130), (224, 136)), ((1280, 720), (640, 480))],
)
def test_the_nearest_size_covers_the_wanted_one_if_any_does(wanted: tuple[int, int], nearest: tuple[int, int]) -> None:
    assert Sizes((160, 120), (640, 480), (32, 8)).nearest(*wanted) == nearest


def test_devices_come_by_number_and_only_video_nodes(tree: Tree) -> None:
    for name in ("video10", "video2", "video0", "videofoo", "media0"):
        tree.put(name, webcam())
    assert [Path(device.path).name for device in devices.list_devices(tree.dev)] == ["video0", "video2", "video10"]


def test_a_loopback_without_a_producer_and_a_metadata_node(tree: Tree) -> None:
    tree.put("video10", Node(driver=b"v4l2 loopback", flags=OUTPUT))
    tree.put("video1", Node(flags=0x00800000))
    metadata, loopback = devices.list_devices(tree.dev)
    assert (loopback.is_loopback, loopback.can_output, loopback.can_capture) == (True, True, False)
    assert (metadata.can_capture, metadata.can_output, metadata.modes) == (False, False, ())


@pytest.mark.parametrize(
    ("flags", "sysfs", "is_fed"),
    [
        (CAPTURE, {}, True),  # exclusive_caps=1: a camera while it is fed
        (OUTPUT, {}, False),
        (CAPTURE | OUTPUT, {"state": "capture\n", "format": "YUYV:320x240@30\n"}, True),  # exclusive_caps=0
        (CAPTURE | OUTPUT, {"state": "output\n", "format": "YUYV:320x240@30\n"}, False),
        (CAPTURE | OUTPUT, {"format": "YUYV:320x240@30\n"}, True),  # 0.12
        (CAPTURE | OUTPUT, {"format": ""}, False),
        (CAPTURE | OUTPUT, {}, False),
    ],
)
def test_a_loopback_is_a_camera_while_a_program_feeds_it(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: int, sysfs: dict[str, str], is_fed: bool
) -> None:
    tree.put("video11", Node(driver=b"v4l2 loopback", flags=flags, sizes={b"YUYV": [(DISCRETE, [320, 240])]}))
    monkeypatch.setattr(devices, "_SYSFS", tmp_path / "sys")
    (tmp_path / "sys" / "video11").mkdir(parents=True)
    for name, text in sysfs.items():
        (tmp_path / "sys" / "video11" / name).write_text(text)
    device = devices.describe(str(tree.dev / "video11"), tree.dev)
    assert (device.is_loopback, device.is_fed, device.is_camera) == (True, is_fed, is_fed)


def test_the_same_node_is_found_by_its_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "is_device_path", lambda spec: spec.startswith(str(tmp_path)))
    node, link = tmp_path / "video10", tmp_path / "by-id"
    link.symlink_to(node)
    assert devices.is_one_of(str(node), ["out.mp4", str(link)])
    assert devices.is_one_of(str(link), ["out.mp4", str(node)])
    assert not devices.is_one_of(str(tmp_path / "video1"), ["out.mp4", str(node)])
    assert not devices.is_one_of("out.mp4", ["out.mp4"]), "which is no device"


def test_a_multiplanar_camera_is_asked_for_its_own_kind_of_buffers(tree: Tree) -> None:
    tree.put("video0", Node(flags=MPLANE, stream=9, sizes={b"NV12": [(DISCRETE, [640, 480])]}))
    assert devices.describe(str(tree.dev / "video0"), tree.dev).modes[0].fourcc == "NV12"


def test_the_stable_name_is_the_by_id_links(tree: Tree) -> None:
    tree.put("video0", webcam())
    tree.put("video2", webcam())
    links = tree.dev / "v4l" / "by-id"
    links.mkdir(parents=True)
    (links / "usb-Cam_1-video-index0").symlink_to("../../video2")
    first, second = devices.list_devices(tree.dev)
    assert (first.by_id, first.name) == (None, "Cam (usb-2)")
    assert (second.by_id, second.name) == (str(links / "usb-Cam_1-video-index0"), "usb-Cam_1-video-index0")
    named = devices.describe(str(links / "usb-Cam_1-video-index0"), tree.dev)
    assert named.name == "usb-Cam_1-video-index0"


def test_an_unreadable_node_is_listed_with_the_reason(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.put("video0", webcam())
    tree.put("video1", None)
    tree.put("video2", webcam())
    forbidden, really_open = str(tree.dev / "video2"), os.open

    def refuse(path: str, flags: int) -> int:
        if path == forbidden:
            raise PermissionError(errno.EACCES, "Permission denied")
        return really_open(path, flags)

    monkeypatch.setattr(os, "open", refuse)
    good, no_device, secret = devices.list_devices(tree.dev)
    assert good.problem is None
    assert no_device.problem is not None
    assert re.search(r"video1\b.*not a video device.*Run: camdaemon devices$", no_device.problem)
    assert secret.problem is not None
    assert re.search(f"{forbidden}.*permission denied", secret.problem)


def test_a_device_that_fails_while_it_is_asked(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(fd: int, number: int, buffer: bytearray) -> int:
        raise OSError(errno.ENODEV, "No such device")

    tree.put("video0", webcam())
    monkeypatch.setattr(v4l2, "ioctl", gone)
    with pytest.raises(DeviceError, match=r"video0.*not answer.*\(No such device\).*Run: camdaemon devices$"):
        devices.describe(str(tree.dev / "video0"), tree.dev)


def test_a_driver_without_a_list_of_sizes_may_be_asked_for_any(tree: Tree) -> None:
    tree.put("video0", Node(sizes={b"YUYV": []}, silent=(ENUM_FRAMESIZES, ENUM_FRAMEINTERVALS)))
    (mode,) = devices.describe(str(tree.dev / "video0"), tree.dev).modes
    assert (mode.fourcc, mode.sizes.has(1280, 720), mode.rates) == ("YUYV", True, ())


def test_a_list_that_never_ends_is_left(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = Node(sizes={b"YUYV": [(DISCRETE, [640, 480])] * 10_000})
    tree.put("video0", endless)
    assert len(devices.describe(str(tree.dev / "video0"), tree.dev).modes) == 256


def test_nothing_stays_open(tree: Tree) -> None:
    tree.put("video0", webcam())
    tree.put("video1", None)
    before = len(os.listdir("/proc/self/fd"))
    devices.list_devices(tree.dev)
    assert len(os.listdir("/proc/self/fd")) == before


def test_no_devices_is_an_empty_list(tmp_path: Path) -> None:
    assert devices.list_devices(tmp_path) == []
