"""Pictures in buffers whose rows are padded, and whose planes lie in blocks of their own."""

import ctypes
from ctypes import c_void_p

import numpy as np
import pytest

from camdaemon.capture.planes import gather, to_rgb
from camdaemon.linux.pipewire import buffer as buffers
from camdaemon.linux.pipewire.buffer import Buffer
from camdaemon.linux.pipewire.video import Pixels

WIDTH, HEIGHT = 8, 4


class FakeBuffer(Buffer):
    """A buffer over memory of the test's own: for each block the bytes, their offset and their stride."""

    def __init__(self, *blocks: tuple[np.ndarray, int, int], flags: int = 0, header_flags: int = 0) -> None:
        self._kept = [np.ascontiguousarray(memory) for memory, _, _ in blocks]
        self._chunks = [
            buffers._Chunk(offset, memory.size - offset, stride, flags) for memory, offset, stride in blocks
        ]
        datas = (buffers._Data * len(blocks))()
        for data, memory, chunk in zip(datas, self._kept, self._chunks, strict=True):
            data.maxsize, data.data, data.chunk = memory.size, memory.ctypes.data, ctypes.pointer(chunk)
        self._head = buffers._Header(header_flags)
        metas = (buffers._Meta * 1)(buffers._Meta(1, ctypes.sizeof(self._head), ctypes.addressof(self._head)))
        self._spa = buffers._SpaBuffer(1, len(blocks), metas, datas)
        self._pointer = c_void_p(ctypes.addressof(self._spa))
        super().__init__(ctypes.addressof(self._pointer))


def planes():
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, shape, np.uint8) for shape in ((4, 8), (2, 4), (2, 4))]


def padded(plane: np.ndarray, stride: int) -> np.ndarray:
    made = np.full((plane.shape[0], stride), 255, np.uint8)
    made[:, : plane.shape[1]] = plane
    return made.ravel()


@pytest.mark.parametrize("offset", [0, 16])
def test_padded_rows_in_one_block_are_put_together(offset):
    y, u, v = planes()
    memory = np.concatenate([np.zeros(offset, np.uint8), padded(y, 12), padded(u, 6), padded(v, 6)])
    got = gather(FakeBuffer((memory, offset, 12)), Pixels.I420, WIDTH, HEIGHT)
    assert got is not None
    assert np.array_equal(got.ravel(), np.concatenate([y.ravel(), u.ravel(), v.ravel()]))
    assert got.shape == (6, 8)


def test_planes_in_blocks_of_their_own_have_strides_of_their_own():
    y, u, v = planes()
    blocks = (padded(y, 12), 0, 12), (padded(u, 16), 0, 16), (padded(v, 4), 0, 4)
    got = gather(FakeBuffer(*blocks), Pixels.I420, WIDTH, HEIGHT)
    assert got is not None
    assert np.array_equal(got.ravel(), np.concatenate([y.ravel(), u.ravel(), v.ravel()]))


def test_a_stride_of_zero_means_packed_rows_and_other_formats_keep_their_channels():
    rgb = np.arange(WIDTH * HEIGHT * 4, dtype=np.uint8)
    got = gather(FakeBuffer((rgb, 0, 0)), Pixels.BGRx, WIDTH, HEIGHT)
    assert got is not None
    assert np.array_equal(to_rgb(got, Pixels.BGRx), rgb.reshape(HEIGHT, WIDTH, 4)[..., 2::-1])


@pytest.mark.parametrize(
    "broken",
    [
        FakeBuffer((np.zeros(47, np.uint8), 0, 8)),
        FakeBuffer((np.zeros(48, np.uint8), 0, 4)),
        FakeBuffer((np.zeros(48, np.uint8), 48, 8)),
        FakeBuffer((np.zeros(48, np.uint8), 0, 8), flags=1),
        FakeBuffer((np.zeros(48, np.uint8), 0, 8), header_flags=2),
    ],
    ids=["short", "narrow", "empty", "corrupted", "header"],
)
def test_a_buffer_without_a_whole_picture_is_none(broken):
    assert gather(broken, Pixels.NV12, WIDTH, HEIGHT) is None
