"""Whole JPEGs are decoded exactly, as cameras send them; broken ones are not decoded at all."""

from __future__ import annotations

import functools

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from camdaemon.capture.jpeg import decode
from camdaemon.frames.frame import Size
from tests.pattern.scene import Scene

Bytes = NDArray[np.uint8]
END = b"\xff\xd9"
RESTARTS = 20  # blocks of 16 pixels between two markers: a row


@functools.cache
def filmed() -> Bytes:
    frame = np.empty((180, 320, 3), np.uint8)
    Scene(Size(320, 180), 10.0).film(40, frame)
    return frame


def encode(restarts: int = 0) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, 85, cv2.IMWRITE_JPEG_RST_INTERVAL, restarts]
    return cv2.imencode(".jpg", filmed(), options)[1].tobytes()


def read(data: bytes) -> Bytes | None:
    return decode(np.frombuffer(data, np.uint8))


def shown(data: bytes) -> Bytes:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def join(before: bytes, after: bytes, at: float) -> bytes:
    """A frame whose buffer was overwritten while it was read: as much of one frame, and the rest of another."""
    return before[: int(at * len(before))] + after[int(at * len(before)) :]


@pytest.mark.parametrize("restarts", [0, RESTARTS])
@pytest.mark.parametrize(
    "as_sent",
    [
        lambda data: data,
        lambda data: data + bytes(500),  # a buffer of fixed size
        lambda data: data + b"\xff\xd8\xff\xe0 of an older frame" + END,
        lambda data: data[:-2] + bytes(300) + END,
        lambda data: data[:-2] + b"\xff" * 7 + END,
        lambda data: data[:-2] + b"\x3f\x8a\x51" + END,  # "3 extraneous bytes", as libjpeg says of many cameras
    ],
    ids=["plain", "zeros after", "garbage after", "zeros before the end", "fill bytes", "a few bytes too many"],
)
def test_a_whole_frame_is_decoded_exactly(restarts: int, as_sent) -> None:
    data = encode(restarts)
    picture = read(as_sent(data))
    assert picture is not None
    np.testing.assert_array_equal(picture, shown(data))


@pytest.mark.parametrize("restarts", [0, RESTARTS])
@pytest.mark.parametrize("end", [b"", END, bytes(900), bytes(900) + END], ids=["nothing", "end", "zeros", "zeros, end"])
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.1, 0.5, 0.9])
def test_a_frame_that_was_cut_is_broken(restarts: int, end: bytes, kept: float) -> None:
    data = encode(restarts)
    assert read(data[: int(kept * len(data))] + end) is None


@pytest.mark.parametrize("lost", [1024, 3072])  # bytes, as packets on USB
def test_a_frame_that_lost_a_packet_is_broken(lost: int) -> None:
    data = encode()
    middle = len(data) // 2
    assert read(data[:middle] + data[middle + lost :]) is None


def test_a_missing_restart_marker_is_noticed() -> None:
    data = encode(RESTARTS)
    third, fourth = data.index(b"\xff\xd2"), data.index(b"\xff\xd3")
    assert read(data[:third] + data[fourth:]) is None


@pytest.mark.parametrize("at", [0.2, 0.4, 0.6, 0.8])
def test_two_frames_in_one_are_noticed(at: float) -> None:
    """Not always: the data of frames that are alike may fit by chance. Then the gate holds back what jumps."""
    noise = np.random.default_rng(0).integers(0, 255, (180, 320, 3), np.uint8)
    other = cv2.imencode(".jpg", noise)[1].tobytes()
    assert read(join(encode(), other, at)) is None
    assert read(join(other, encode(), at / 4)) is None


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xff\xd8", b"\xff\xd8\xff\xda\x00", bytes(4096), b"\xff" * 4096, END])
def test_what_is_no_jpeg_is_broken(data: bytes) -> None:
    assert read(data) is None
