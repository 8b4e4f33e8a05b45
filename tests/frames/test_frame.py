"""Sizes are legal or say what to type; cuts keep their shape; a format names the array that holds it."""

import dataclasses
import re

import numpy as np
import pytest

from camdaemon.errors import ConfigError
from camdaemon.frames.frame import Content, HostFrame, PixelFormat, Size

TELLS_WHAT_TO_TYPE = r"try --size (\d+x\d+)$"


def test_a_size_is_read_as_people_write_it():
    assert Size.parse("1280x720") == Size.parse(" 1280 X 720 ") == Size(1280, 720)
    assert str(Size(1280, 720)) == "1280x720"


@pytest.mark.parametrize("text", ["", "720p", "1280", "1280x", "1280*720", "64x72x3", "-1280x720", "12.5x64", "1e3x64"])
def test_what_is_no_size_says_what_to_type(text):
    with pytest.raises(ConfigError, match=TELLS_WHAT_TO_TYPE) as wrong:
        Size.parse(text)
    assert repr(text) in str(wrong.value)
    assert wrong.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("1281x720", "1280x720"),
        ("1280x722", "1280x720"),
        ("64x63", "64x64"),
        ("0x0", "64x64"),
        ("9000x720", "8192x720"),
        ("999999x999999", "8192x8192"),
        ("50x4000", "64x4000"),
    ],
)
def test_an_illegal_size_names_the_legal_one_nearby(text, near):
    with pytest.raises(ConfigError, match=TELLS_WHAT_TO_TYPE) as wrong:
        Size.parse(text)
    told = re.search(TELLS_WHAT_TO_TYPE, str(wrong.value))
    assert told is not None
    offered = told[1]
    assert offered == near
    assert str(Size.parse(offered)) == near, "what it tells to type must itself be legal"


@pytest.mark.parametrize(("width", "height"), [(64, 64), (67, 71), (1366, 768), (1920, 1080), (1919, 1083), (9999, 65)])
def test_the_size_within_is_the_largest_legal_one_that_fits(width, height):
    size = Size.within(width, height)
    assert size.width <= width < size.width + 4 or size.width == 8192
    assert size.height <= height < size.height + 4
    assert (size.width % 4, size.height % 4) == (0, 0)


def test_nothing_legal_fits_into_a_stamp():
    with pytest.raises(ConfigError, match=TELLS_WHAT_TO_TYPE):
        Size.within(63, 640)


SIZES = [Size(1280, 720), Size(640, 480), Size(64, 64), Size(720, 1280), Size(1280, 480), Size(8192, 64)]
PICTURES = [(1280, 720), (640, 480), (1000, 333), (333, 1000), (7, 5), (1, 1), (20, 20), (6000, 4000)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("width", "height"), PICTURES)
def test_the_cut_is_inside_centerd_full_on_one_side_and_of_the_right_shape(size, width, height):
    x, y, w, h = size.cover(width, height)
    assert w >= 1, "an empty cut cannot be scaled"
    assert h >= 1, "an empty cut cannot be scaled"
    assert x >= 0
    assert y >= 0
    assert x + w <= width
    assert y + h <= height
    assert abs(2 * x + w - width) <= 1
    assert abs(2 * y + h - height) <= 1
    assert w == width or h == height, "the largest part touches two edges"
    assert abs(w * size.height - h * size.width) <= max(size.width, size.height), "off by more than a pixel"


@pytest.mark.parametrize(
    ("fmt", "shape"),
    [
        (PixelFormat.RGB, (72, 128, 3)),
        (PixelFormat.BGR, (72, 128, 3)),
        (PixelFormat.YUYV, (72, 128, 2)),
        (PixelFormat.NV12, (108, 128)),
        (PixelFormat.I420, (108, 128)),
    ],
)
def test_an_empty_frame_has_the_shape_its_format_names(fmt, shape):
    frame = HostFrame.empty(fmt, Size(128, 72))
    assert frame.data.shape == fmt.shape(Size(128, 72)) == shape
    assert frame.data.dtype == np.uint8
    assert frame.data.flags.c_contiguous
    assert frame.content is Content.ROOM, "what nobody has marked must count as the room"
    assert not frame.may_publish(allow_raw=False)


def test_every_format_has_a_shape_for_every_legal_size():
    assert all(np.prod(fmt.shape(Size(68, 100))) > 0 for fmt in PixelFormat)


def test_a_size_cannot_be_changed_and_a_frame_says_what_it_is():
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(Size(64, 64), "width", 65)  # noqa: B010
    shown = repr(HostFrame.empty(PixelFormat.NV12, Size(128, 72)))
    assert all(part in shown for part in ("room", "NV12", "128x72", "seq=-1", "(108, 128)"))


@pytest.mark.parametrize(
    ("width", "height", "limited"),
    [
        (1280, 720, "1280x720"),
        (3840, 2160, "1280x720"),
        (1920, 1088, "1280x720"),
        (1600, 1200, "1280x720"),
        (1920, 1920, "1280x720"),
        (2560, 1080, "1280x720"),
        (640, 480, "640x480"),
        (646, 487, "644x484"),
        (1024, 768, "960x720"),
        (1920, 600, "1280x400"),
        (1080, 1920, "404x720"),
        (2160, 3840, "404x720"),
        (120, 4000, "64x720"),
    ],
)
def test_a_limit_is_never_passed_and_nothing_is_enlarged(width, height, limited):
    assert str(Size(1280, 720).limit(width, height)) == limited


def test_an_upright_limit_is_for_upright_pictures():
    assert Size(720, 1280).limit(2160, 3840) == Size(720, 1280)
    assert Size(720, 1280).limit(3840, 2160) == Size(720, 404)
