"""The daemon's picture in each format that PipeWire's readers take."""

import cv2
import numpy as np
import pytest

from camdaemon.frames import color
from camdaemon.frames.frame import PixelFormat, Size
from camdaemon.linux.pipewire.video import Pixels
from camdaemon.output.layouts import list_layouts, paint

SIZE = Size(128, 72)


@pytest.fixture
def picture():
    rgb = np.asarray(cv2.resize(np.random.default_rng(1).integers(0, 256, (9, 16, 3), np.uint8), (128, 72)), np.uint8)
    made = np.empty(PixelFormat.I420.shape(SIZE), np.uint8)
    color.rgb_to_host(rgb, PixelFormat.I420, made)
    return made


def paint_as(picture, pixels):
    out = np.full(list_layouts(SIZE)[pixels].size, 7, np.uint8)
    paint(picture, SIZE, pixels, out)
    return out


def test_the_formats_are_on_offer_in_the_order_of_their_cost():
    assert list(list_layouts(SIZE)) == [Pixels.I420, Pixels.NV12, Pixels.YUY2, Pixels.BGRx]


def test_i420_is_left_out_where_programs_disagree_about_its_rows():
    assert Pixels.I420 not in list_layouts(Size(132, 72))


def test_every_format_shows_the_same_picture(picture):
    expected = cv2.cvtColor(picture, cv2.COLOR_YUV2RGB_I420)
    i420 = paint_as(picture, Pixels.I420).reshape(108, 128)
    assert np.array_equal(cv2.cvtColor(i420, cv2.COLOR_YUV2RGB_I420), expected)
    nv12 = paint_as(picture, Pixels.NV12).reshape(108, 128)
    assert np.array_equal(cv2.cvtColor(nv12, cv2.COLOR_YUV2RGB_NV12), expected)
    yuy2 = paint_as(picture, Pixels.YUY2).reshape(72, 128, 2)
    assert np.array_equal(cv2.cvtColor(yuy2, cv2.COLOR_YUV2RGB_YUYV), expected)
    bgrx = paint_as(picture, Pixels.BGRx).reshape(72, 128, 4)
    assert np.array_equal(bgrx[..., 2::-1], expected)
    assert (bgrx[..., 3] == 255).all()


def test_a_format_that_is_not_on_offer_is_refused(picture):
    with pytest.raises(NotImplementedError, match="RGBA"):
        paint(picture, SIZE, Pixels.RGBA, np.empty(128 * 72 * 4, np.uint8))
