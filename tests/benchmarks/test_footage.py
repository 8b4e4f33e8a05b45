"""Footage shows a person, has a plate, and can be played as by a camera."""

import re
import time

import cv2
import numpy as np
import pytest

from camdaemon.config.schema import Config
from camdaemon.errors import ConfigError, StreamEnded
from camdaemon.frames import color, picture
from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.output.file import FileSink
from camdaemon.tools.bench.footage import load_footage
from tests.benchmarks.footage import CameraLike

SIZE = Size(128, 72)


@pytest.fixture
def clip(tmp_path):
    """8 s at 10 fps: as bright as its time, in steps of 3 levels a frame."""
    path = tmp_path / "clip.mp4"
    sink = FileSink.open(str(path), SIZE, 10, paced=False)
    frame = HostFrame.empty(PixelFormat.I420, SIZE)
    for number in range(80):
        frame.data[:72], frame.data[72:], frame.t = 16 + 2.5 * number, 128, number / 10
        sink.write(frame)
    sink.close()
    return path


def test_the_pattern_shows_a_person():
    footage = load_footage(Config(source="pattern", size=SIZE), 2)
    assert footage.plate.rgb.shape == (72, 128, 3)
    frame = footage.frames[0]
    apart = cv2.absdiff(color.host_to_rgb(frame.data, frame.fmt), footage.plate.rgb).max(2)
    assert (apart > 60).mean() > 0.05, "a person differs from the room"
    assert not np.array_equal(footage.frames[0].data, footage.frames[1].data)
    again = footage.open()
    frame = HostFrame.empty(again.fmt, again.size)
    again.read(frame)
    assert np.array_equal(frame.data, footage.frames[0].data)
    again.close()
    assert re.search("plate.*first", footage.about)


def test_a_clip_from_its_sixth_second_with_its_first_frame_as_plate(clip):
    footage = load_footage(Config(source=str(clip)), 3)
    assert footage.size == SIZE
    assert footage.plate.rgb.mean() < 10
    assert [round(color.host_to_rgb(frame.data, frame.fmt).mean()) for frame in footage.frames] == pytest.approx(
        [146, 149, 152], abs=6
    )
    source = footage.open()
    frame = HostFrame.empty(source.fmt, source.size)
    source.read(frame)
    source.close()
    assert np.array_equal(frame.data, footage.frames[0].data)
    assert re.search("plate.*first", footage.about)


def test_the_plate_beside_a_clip_is_taken_and_fitted(clip):
    picture.write(clip.with_name("clip-plate.png"), np.full((144, 256, 3), 200, np.uint8))
    footage = load_footage(Config(source=str(clip), size=Size(64, 64)), 1)
    assert footage.size == Size(64, 64)
    assert "plate: clip-plate.png" in footage.about
    assert footage.plate.rgb.shape == (64, 64, 3)
    assert footage.plate.rgb.min() == 200
    picture.write(clip.with_name("clip-plate.png"), np.full((144, 144, 3), 200, np.uint8))
    with pytest.raises(ConfigError, match=r"144x144.*128x72.*--source pattern"):
        load_footage(Config(source=str(clip)))


class _Numbered:
    """A source whose frames are as bright as their number; ends after 40."""

    name, live, fmt, size, fps = "numbered", False, PixelFormat.RGB, SIZE, 100.0
    has_controls = False

    def __init__(self) -> None:
        self.next, self.closed = 0, False

    def read(self, into: HostFrame) -> None:
        if self.next == 40:
            raise StreamEnded("over")
        into.data[:], self.next = self.next, self.next + 1

    def close(self) -> None:
        self.closed = True


def test_a_late_reader_gets_the_frame_that_is_due():
    source = _Numbered()
    camera = CameraLike(source)
    frame = HostFrame.empty(camera.fmt, camera.size)
    before = time.monotonic()
    camera.read(frame)
    start = frame.t
    assert frame.data.max() == 0
    camera.read(frame)
    number = int(frame.data.max())
    assert number >= 1
    assert frame.t - before >= number / 100, "not before it is due"
    while time.monotonic() < start + 0.1:
        pass
    camera.read(frame)
    assert frame.data.max() >= 9, "those that were due meanwhile are gone"
    source.next = 40
    with pytest.raises(StreamEnded):
        camera.read(frame)
    camera.close()
    assert source.closed
