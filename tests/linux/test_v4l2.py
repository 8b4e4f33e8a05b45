"""The ioctl layer against a fake kernel that checks what linux/videodev2.h demands: number, size, offsets."""

from __future__ import annotations

import errno
import grp
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from camdaemon.errors import DeviceError
from camdaemon.linux import holders, v4l2
from camdaemon.linux.v4l2 import Format, Stream

# as the C compiler gives them for 64-bit Linux
QUERYCAP, G_FMT, S_FMT = 0x80685600, 0xC0D05604, 0xC0D05605
STREAMON, S_PARM, G_CTRL, S_CTRL = 0x40045612, 0xC0CC5616, 0xC008561B, 0xC008561C


class FakeKernel:
    """Answers the ioctls given to `on`; a buffer of another size than the number says is a bug of the caller."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.handlers: dict[int, Callable[[bytearray], None]] = {}
        monkeypatch.setattr(v4l2, "ioctl", self.ioctl)

    def on(self, number: int, handler: Callable[[bytearray], None]) -> None:
        self.handlers[number] = handler

    def ioctl(self, fd: int, number: int, buffer: bytearray) -> int:
        assert isinstance(buffer, bytearray), "the kernel could not write its answer"
        assert len(buffer) == number >> 16 & 0x3FFF
        if number not in self.handlers:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
        self.handlers[number](buffer)
        return 0


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    return FakeKernel(monkeypatch)


def capability(driver: bytes, whole: int, own: int) -> Callable[[bytearray], None]:
    def answer(buffer: bytearray) -> None:
        struct.pack_into("16s32s32sIII", buffer, 0, driver, b"A card", b"usb-1", 0x060B00, whole, own)

    return answer


def test_a_nodes_own_capabilities_count_before_its_devices(kernel: FakeKernel) -> None:
    kernel.on(QUERYCAP, capability(b"uvcvideo", 0x80000000 | 0x00800001, 0x00800000))  # the metadata node of a camera
    metadata = v4l2.query_capability(3)
    assert (metadata.driver, metadata.card, metadata.bus_info) == ("uvcvideo", "A card", "usb-1")
    assert not metadata.can_capture
    kernel.on(QUERYCAP, capability(b"old", 0x1, 0x2))  # a driver without DEVICE_CAPS: `own` means nothing
    assert v4l2.query_capability(3).can_capture
    assert not v4l2.query_capability(3).can_output


@pytest.mark.parametrize(
    ("flags", "capture", "output"), [(0x1, True, False), (0x1000, True, False), (0x2, False, True), (0, False, False)]
)
def test_capability_flags(kernel: FakeKernel, flags: int, capture: bool, output: bool) -> None:
    kernel.on(QUERYCAP, capability(b"v4l2 loopback", 0x80000000, flags))
    answer = v4l2.query_capability(3)
    assert (answer.can_capture, answer.can_output, answer.is_loopback) == (capture, output, True)


def test_set_format_asks_at_the_right_offsets_and_returns_what_the_driver_made_of_it(kernel: FakeKernel) -> None:
    def answer(buffer: bytearray) -> None:
        assert struct.unpack_from("I", buffer, 0) == (Stream.OUTPUT,)
        assert struct.unpack_from("II4s", buffer, 8) == (1280, 720, b"YU12")
        struct.pack_into("II4s", buffer, 8, 640, 480, b"YUYV")

    kernel.on(S_FMT, answer)
    got = v4l2.set_format(3, Stream.OUTPUT, Format("YU12", 1280, 720))
    assert got == Format("YUYV", 640, 480)
    assert str(got) == "640x480 YUYV"


def test_get_format(kernel: FakeKernel) -> None:
    kernel.on(G_FMT, lambda buffer: struct.pack_into("II4s", buffer, 8, 320, 240, b"GREY"))
    assert v4l2.get_format(3, Stream.CAPTURE) == Format("GREY", 320, 240)


@pytest.mark.parametrize(
    ("fps", "interval"), [(30.0, (1, 30)), (12.5, (2, 25)), (30000 / 1001, (1001, 30000)), (29.97, (100, 2997))]
)
def test_a_rate_is_asked_as_its_frame_interval(kernel: FakeKernel, fps: float, interval: tuple[int, int]) -> None:
    asked = []
    kernel.on(S_PARM, lambda buffer: asked.append(struct.unpack_from("II", buffer, 12)))
    assert v4l2.set_rate(3, Stream.OUTPUT, fps) == pytest.approx(fps)
    assert asked == [interval]


def test_stream_on_and_controls(kernel: FakeKernel) -> None:
    started = []
    kernel.on(STREAMON, lambda buffer: started.append(struct.unpack("i", buffer)[0]))
    kernel.on(G_CTRL, lambda buffer: struct.pack_into("i", buffer, 4, 1 if buffer[:4] == b"\0\xf9\x98\0" else 0))
    v4l2.stream_on(3, Stream.OUTPUT)
    assert started == [2]
    assert v4l2.get_control(3, v4l2.KEEP_FORMAT) == 1
    asked = []
    kernel.on(S_CTRL, lambda buffer: asked.append(struct.unpack("Ii", buffer)))
    v4l2.set_control(3, 0x00980903, -40)
    assert asked == [(0x00980903, -40)]


def test_a_refused_ioctl_is_an_oserror(kernel: FakeKernel) -> None:
    with pytest.raises(OSError, match="ioctl") as refused:
        v4l2.query_capability(3)
    assert refused.value.errno == errno.ENOTTY


@pytest.mark.parametrize(("number", "four"), [(0x56595559, "YUYV"), (0x20363159, "Y16"), (0xA0363159, "Y16")])
def test_four_characters_name_a_format(number: int, four: str) -> None:
    assert v4l2.fourcc(number) == four
    assert v4l2.code(four) == number & 0x7FFF_FFFF


def test_an_unknown_frame_interval_is_rate_zero() -> None:
    assert v4l2.rate(0, 0) == 0.0


def test_a_missing_node_says_what_the_caller_wants_typed(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"video7.*not exist.*Run: this$"):
        v4l2.open_node(str(tmp_path / "video7"), os.O_RDWR, if_missing="this")


@pytest.mark.parametrize(
    ("code", "ending"),
    [
        (errno.EBUSY, r"in use.*zoom \(pid 7\).*: fuser -v /dev/video7$"),
        (errno.ENODEV, r"No such device.*Run: camdaemon devices$"),
    ],
)
def test_a_node_that_does_not_open(monkeypatch: pytest.MonkeyPatch, code: int, ending: str) -> None:
    def refuse(path: str, flags: int) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(holders, "list_holders", lambda path: ["zoom (pid 7)"])
    with pytest.raises(DeviceError, match=ending):
        v4l2.open_node("/dev/video7", os.O_RDWR, if_missing="")


@pytest.mark.parametrize(
    ("group", "mode", "ending"),
    [
        (1, 0o20660, r"group {name}\b.*Run: sudo usermod -aG {name} \$USER\b.*log out"),
        (1, 0o20600, "sudo chgrp video /dev/video7 && sudo chmod 660 /dev/video7$"),
        (0, 0o20660, "sudo chgrp video /dev/video7 && sudo chmod 660 /dev/video7$"),
        (54321, 0o20660, "ls -l /dev/video7$"),  # a group without a name
    ],
)
def test_no_permission_names_the_group(monkeypatch: pytest.MonkeyPatch, group: int, mode: int, ending: str) -> None:
    def refuse(path: str, flags: int) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    status = os.stat_result((mode, 1, 1, 1, 0, group, 0, 0, 0, 0))
    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "stat", lambda path: status)
    name = grp.getgrgid(1).gr_name
    with pytest.raises(DeviceError, match="permission denied.*" + ending.format(name=name)):
        v4l2.open_node("/dev/video7", os.O_RDWR, if_missing="")
