"""Formats on offer, formats that were agreed on, and what readers have in common with us."""

import pytest

from camdaemon.linux.pipewire import pods, video
from camdaemon.linux.pipewire.pods import Kind, Param, Type, Value
from camdaemon.linux.pipewire.video import Pixels, VideoFormat

OURS = [Pixels.I420, Pixels.NV12, Pixels.YUY2, Pixels.BGRx]
SIZE = (640, 360)
TYPE, SUBTYPE, FORMAT, SIZE_KEY = 1, 2, 0x20001, 0x20003


def enumerate_formats(*pixels: int, size: Value | None = None) -> bytes:
    """What a reader says it takes: one of `pixels`, at any size unless `size` says otherwise."""
    kind = Kind.ENUM if len(pixels) > 1 else Kind.NONE
    values = {
        TYPE: Value(Type.ID, (2,)),
        SUBTYPE: Value(Type.ID, (1,)),
        FORMAT: Value(Type.ID, (pixels[0], *pixels) if len(pixels) > 1 else pixels, kind),
    }
    return pods.build(Type.FORMAT, Param.ENUM_FORMAT, values | ({SIZE_KEY: size} if size else {}))


@pytest.mark.parametrize(("fps", "read"), [(30, 30), (30000 / 1001, 29.97), (14.99, 14.99)])
@pytest.mark.parametrize("pixels", OURS)
def test_an_offer_is_one_fixed_format_at_one_size(pixels, fps, read):
    pod = video.offer(pixels, *SIZE, fps)
    found = video.read_format(pod)
    assert found is not None
    assert found[:3] == (pixels, *SIZE)
    assert found.fps == pytest.approx(read, abs=0.01)
    assert all(value.kind is Kind.NONE for value in pods.parse(pod).properties.values())


@pytest.mark.parametrize(
    ("readers", "common"),
    [
        ([], OURS),
        ([[]], OURS),
        ([[enumerate_formats(Pixels.BGRx)]], [Pixels.BGRx]),
        ([[enumerate_formats(Pixels.BGRx, Pixels.I420)]], [Pixels.I420, Pixels.BGRx]),
        ([[enumerate_formats(Pixels.BGRx), enumerate_formats(Pixels.NV12)]], [Pixels.NV12, Pixels.BGRx]),
        ([[enumerate_formats(Pixels.I420)], [enumerate_formats(Pixels.BGRx)]], []),
        ([[enumerate_formats(Pixels.RGB)]], []),
        ([[enumerate_formats(Pixels.I420, size=Value(Type.RECTANGLE, ((1280, 720),)))]], []),
    ],
)
def test_readers_share_what_all_of_them_take_in_our_order(readers, common):
    assert video.common(OURS, readers, SIZE) == common


def test_a_camera_may_send_jpegs_or_what_is_no_video():
    jpeg = {TYPE: Value(Type.ID, (2,)), SUBTYPE: Value(Type.ID, (0x20002,)), SIZE_KEY: Value(Type.RECTANGLE, (SIZE,))}
    assert video.read_format(pods.build(Type.FORMAT, Param.FORMAT, jpeg)) == VideoFormat(None, *SIZE, 0)
    audio = {TYPE: Value(Type.ID, (1,)), SUBTYPE: Value(Type.ID, (1,))}
    assert video.read_format(pods.build(Type.FORMAT, Param.FORMAT, audio)) is None
    assert video.read_format(enumerate_formats(99, size=Value(Type.RECTANGLE, (SIZE,)))) is None
