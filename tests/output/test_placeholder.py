"""The module's time-out picture, against a file that stands for the node."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from camdaemon.linux import v4l2
from camdaemon.output import placeholder

REQBUFS, QUERYBUF, S_CTRL = 0xC0145608, 0xC0585609, 0xC008561C
TIMEOUT, IMAGE_IO = 0x0098F902, 0x0098F903
LENGTH = 8192  # of the module's buffer: whole pages


class Node:
    """Answers the ioctls as v4l2loopback does; what is mapped is the file itself."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self.length = path, LENGTH
        path.write_bytes(bytes(LENGTH))
        self.controls: list[tuple[int, int]] = []
        self.refuses: int | None = None
        self._asked = set[int]()
        monkeypatch.setattr(v4l2, "ioctl", self.ioctl)

    def ioctl(self, fd: int, number: int, buffer: bytearray) -> int:
        assert len(buffer) == number >> 16 & 0x3FFF
        if number == self.refuses:
            raise OSError(22, "Invalid argument")
        if number == S_CTRL:
            self.controls.append(struct.unpack("Ii", buffer))
        elif number == REQBUFS:
            assert self.controls == [(IMAGE_IO, 1)], "the node does not know that it is the picture"
            assert struct.unpack_from("III", buffer) == (1, 2, 1)  # one, OUTPUT, MMAP
            self._asked.add(fd)
        elif number == QUERYBUF:
            assert fd in self._asked
            struct.pack_into("II", buffer, 64, 0, 0)
            struct.pack_into("I", buffer, 72, self.length)
        else:
            raise AssertionError(hex(number))
        return 0


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(tmp_path / "video10", monkeypatch)


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (96, 64), np.uint8)


def test_the_picture_is_put_in_and_then_the_time_out_runs(node: Node, picture: np.ndarray) -> None:
    placeholder.install(str(node.path), picture, 1.5)
    assert node.path.read_bytes()[: picture.nbytes] == picture.tobytes()
    assert node.controls == [(IMAGE_IO, 1), (TIMEOUT, 1500)]


def test_taking_it_away_stops_the_time_out(node: Node) -> None:
    placeholder.remove(str(node.path))
    assert node.controls == [(TIMEOUT, 0)]


@pytest.mark.parametrize("refused", [REQBUFS, QUERYBUF, S_CTRL])
def test_a_module_may_refuse(node: Node, picture: np.ndarray, refused: int) -> None:
    node.refuses = refused
    with pytest.raises(OSError, match="Invalid argument"):
        placeholder.install(str(node.path), picture, 1.5)
    assert (TIMEOUT, 1500) not in node.controls, "a time-out without a picture shows garbage"


def test_a_buffer_that_is_too_small_is_refused(node: Node, picture: np.ndarray) -> None:
    node.length = 4096
    with pytest.raises(OSError, match=r"4096 bytes.* 6144"):
        placeholder.install(str(node.path), picture, 1.5)
    assert (TIMEOUT, 1500) not in node.controls
