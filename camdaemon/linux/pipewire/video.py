"""Video formats as PipeWire writes them, and which of them two sides have in common."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from fractions import Fraction
from typing import NamedTuple

from camdaemon.linux.pipewire import pods
from camdaemon.linux.pipewire.pods import Kind, Param, Type, Value


class Pixels(IntEnum):
    """SPA_VIDEO_FORMAT_*, of those that are used here (spa/param/video/raw.h)."""

    I420 = 2
    YUY2 = 4
    RGBx = 7
    BGRx = 8
    RGBA = 11
    BGRA = 12
    RGB = 15
    BGR = 16
    NV12 = 23


_TYPE, _SUBTYPE = 1, 2  # SPA_FORMAT_mediaType, _mediaSubtype
_VIDEO, _RAW, _MJPG = 2, 1, 0x20002  # SPA_MEDIA_TYPE_video, SPA_MEDIA_SUBTYPE_raw, _mjpg
_FORMAT, SIZE, RATE = 0x20001, 0x20003, 0x20004  # SPA_FORMAT_VIDEO_*
_RANGE, _MATRIX = 0x2000C, 0x2000D
_LIMITED, _BT601 = 2, 4  # SPA_VIDEO_COLOR_RANGE_16_235, SPA_VIDEO_COLOR_MATRIX_BT601
_FULL, _RGB_MATRIX = 1, 1
_YUV = (Pixels.I420, Pixels.NV12, Pixels.YUY2)

_BUFFERS, _BLOCKS, _BYTES, _STRIDE, _ALIGN, _DATA_TYPE = range(1, 7)  # SPA_PARAM_BUFFERS_*
_META_TYPE, _META_SIZE = 1, 2  # SPA_PARAM_META_*
_HEADER, _HEADER_BYTES, _BUSY, _BUSY_BYTES = 1, 32, 7, 8  # SPA_META_*
_MEMORY_FD = 1 << 2  # SPA_DATA_MemFd
_MEMORY_POINTER = 1 << 1  # SPA_DATA_MemPtr


class VideoFormat(NamedTuple):
    """A format that was agreed on. `pixels` is None for MJPG; `fps` is 0 for a variable rate."""

    pixels: Pixels | None
    width: int
    height: int
    fps: float


def one(type_: Type, value: pods.Scalar) -> Value:
    """Return a value without a choice."""
    return Value(type_, (value,))


def offer(pixels: Pixels, width: int, height: int, fps: float) -> bytes:
    """Build the offer of one fixed format: BT.601 in limited range for YUV, full range for RGB."""
    rate = Fraction(fps).limit_denominator(1001)
    is_yuv = pixels in _YUV
    return pods.build(
        Type.FORMAT,
        Param.ENUM_FORMAT,
        {
            _TYPE: one(Type.ID, _VIDEO),
            _SUBTYPE: one(Type.ID, _RAW),
            _FORMAT: one(Type.ID, pixels),
            SIZE: one(Type.RECTANGLE, (width, height)),
            RATE: one(Type.FRACTION, (rate.numerator, rate.denominator)),
            _RANGE: one(Type.ID, _LIMITED if is_yuv else _FULL),
            _MATRIX: one(Type.ID, _BT601 if is_yuv else _RGB_MATRIX),
        },
    )


def ask(pixels: Sequence[Pixels | None], width: int, height: int, fps: float) -> list[bytes]:
    """Build what a reader takes: the pixel formats (None: MJPG), the preferred one first, at one size and any rate."""
    rate = Fraction(fps).limit_denominator(1001)
    rates = ((rate.numerator, rate.denominator), (0, 1), (1000, 1))
    wanted = []
    for each in pixels:
        values = {_TYPE: one(Type.ID, _VIDEO), _SUBTYPE: one(Type.ID, _MJPG if each is None else _RAW)}
        if each is not None:
            values[_FORMAT] = one(Type.ID, each)
        values[SIZE] = one(Type.RECTANGLE, (width, height))
        values[RATE] = Value(Type.FRACTION, rates, Kind.RANGE)
        wanted.append(pods.build(Type.FORMAT, Param.ENUM_FORMAT, values))
    return wanted


def list_pixels(pod: bytes) -> list[Pixels | None]:
    """Return the pixel formats of one offer that are known here, the preferred one first; None stands for MJPG."""
    found = pods.parse(pod).properties
    if _read(found, _TYPE) != _VIDEO:
        return []
    if _read(found, _SUBTYPE) == _MJPG:
        return [None]
    values = found[_FORMAT].values if _read(found, _SUBTYPE) == _RAW and _FORMAT in found else ()
    return [Pixels(each) for each in dict.fromkeys(values) if isinstance(each, int) and each in list(Pixels)]


def take_buffers() -> bytes:
    """Build what a reader asks of its buffers: memory that can be mapped."""
    return pods.build(
        Type.PARAM_BUFFERS,
        Param.BUFFERS,
        {
            _BUFFERS: Value(Type.INT, (4, 2, 16), Kind.RANGE),
            _DATA_TYPE: Value(Type.INT, (_MEMORY_FD | _MEMORY_POINTER,), Kind.FLAGS),
        },
    )


def ask_buffers(size: int, stride: int, count: tuple[int, int, int]) -> bytes:
    """Build what an output asks of its buffers: `count` (default, least, most) of them, each one block of memory."""
    return pods.build(
        Type.PARAM_BUFFERS,
        Param.BUFFERS,
        {
            _BUFFERS: Value(Type.INT, count, Kind.RANGE),
            _BLOCKS: one(Type.INT, 1),
            _BYTES: one(Type.INT, size),
            _STRIDE: one(Type.INT, stride),
            _DATA_TYPE: Value(Type.INT, (_MEMORY_FD,), Kind.FLAGS),
        },
    )


def ask_metas() -> list[bytes]:
    """Build what goes with each buffer: its number and time, and how many readers are busy with it."""
    wanted = ((_HEADER, _HEADER_BYTES), (_BUSY, _BUSY_BYTES))
    return [
        pods.build(Type.PARAM_META, Param.META, {_META_TYPE: one(Type.ID, kind), _META_SIZE: one(Type.INT, size)})
        for kind, size in wanted
    ]


def read_format(pod: bytes) -> VideoFormat | None:
    """Read a format that was agreed on; None if it is no video that is known here."""
    found = pods.parse(pod).properties
    if _read(found, _TYPE) != _VIDEO or _read(found, _SUBTYPE) not in (_RAW, _MJPG):
        return None
    pixels, size, rate = _read(found, _FORMAT), _read(found, SIZE), _read(found, RATE)
    is_raw = _read(found, _SUBTYPE) == _RAW
    if not isinstance(size, tuple) or not isinstance(pixels, int | None) or (is_raw and pixels not in list(Pixels)):
        return None
    numerator, denominator = rate if isinstance(rate, tuple) else (0, 1)
    return VideoFormat(Pixels(pixels) if is_raw and pixels else None, *size, numerator / max(denominator, 1))


def common(offered: Sequence[Pixels], readers: Sequence[Sequence[bytes]], size: tuple[int, int]) -> list[Pixels]:
    """Return which of the pixel formats on offer, in that order, every reader takes at `size`.

    Args:
        offered: What we have.
        readers: For each reader the pods of the formats that it enumerates; one that enumerates none takes all.
        size: Width and height.
    """

    def takes(reader: Sequence[bytes], pixels: Pixels) -> bool:
        return not reader or any(_may_be(pod, pixels, size) for pod in reader)

    return [pixels for pixels in offered if all(takes(reader, pixels) for reader in readers)]


def _may_be(pod: bytes, pixels: Pixels, size: tuple[int, int]) -> bool:
    found = pods.parse(pod).properties
    wanted: dict[int, pods.Scalar] = {_TYPE: _VIDEO, _SUBTYPE: _RAW, _FORMAT: pixels, SIZE: size}
    return all(key not in found or found[key].has(value) for key, value in wanted.items())


def _read(found: object, key: int) -> pods.Scalar | None:
    value = found.get(key) if isinstance(found, dict) else None
    return value.default if isinstance(value, Value) else None
