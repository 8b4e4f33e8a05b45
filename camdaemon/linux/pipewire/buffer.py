"""The buffers that PipeWire lends: memory, what of it is valid, and a header (spa/buffer/buffer.h, meta.h)."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_int32, c_int64, c_uint32, c_uint64, c_void_p

import numpy as np
from numpy.typing import NDArray

_META_HEADER = 1
_CORRUPTED, _HEADER_CORRUPTED = 1 << 0, 1 << 1  # SPA_CHUNK_FLAG_CORRUPTED, SPA_META_HEADER_FLAG_CORRUPTED


class _Chunk(ctypes.Structure):
    _fields_ = [("offset", c_uint32), ("size", c_uint32), ("stride", c_int32), ("flags", c_int32)]


class _Data(ctypes.Structure):
    _fields_ = [
        ("type", c_uint32),
        ("flags", c_uint32),
        ("fd", c_int64),
        ("mapoffset", c_uint32),
        ("maxsize", c_uint32),
        ("data", c_void_p),
        ("chunk", POINTER(_Chunk)),
    ]


class _Header(ctypes.Structure):
    _fields_ = [
        ("flags", c_uint32),
        ("offset", c_uint32),
        ("pts", c_int64),
        ("dts_offset", c_int64),
        ("seq", c_uint64),
    ]


class _Meta(ctypes.Structure):
    _fields_ = [("type", c_uint32), ("size", c_uint32), ("data", c_void_p)]


class _SpaBuffer(ctypes.Structure):
    _fields_ = [("n_metas", c_uint32), ("n_datas", c_uint32), ("metas", POINTER(_Meta)), ("datas", POINTER(_Data))]


class Buffer:
    """A buffer that the stream has lent, to be given back by `Stream.queue`.

    Args:
        address: Of the pw_buffer, whose first field is the spa_buffer.
    """

    def __init__(self, address: int) -> None:
        self.address = address
        self._buffer = _SpaBuffer.from_address(c_void_p.from_address(address).value or 0)

    @property
    def planes(self) -> int:
        """Number of blocks of memory."""
        return int(self._buffer.n_datas)

    def memory(self, plane: int = 0) -> NDArray[np.uint8]:
        """Return a block's memory, uint8 (bytes,), valid until the buffer is given back; empty where it has none."""
        data = self._buffer.datas[plane] if plane < self.planes else None
        if data is None or not data.data or not data.maxsize:
            return np.empty(0, np.uint8)
        return np.ctypeslib.as_array((ctypes.c_uint8 * data.maxsize).from_address(data.data))

    def read_chunk(self, plane: int = 0) -> tuple[int, int, int, bool]:
        """Return where the valid bytes of a block begin, how many there are, their stride, and if they are whole."""
        chunk = self._buffer.datas[plane].chunk[0]
        return chunk.offset, chunk.size, chunk.stride, not chunk.flags & _CORRUPTED

    @property
    def is_corrupted(self) -> bool:
        """Whether its header says that the picture is broken."""
        header = self.header
        return header is not None and bool(header.flags & _HEADER_CORRUPTED)

    def write_chunk(self, size: int, stride: int) -> None:
        """Say that the block begins with `size` valid bytes in rows of `stride` bytes. A size of 0 is no picture."""
        chunk = self._buffer.datas[0].chunk[0]
        chunk.offset, chunk.size, chunk.stride = 0, size, stride
        chunk.flags = 0 if size else _CORRUPTED

    @property
    def header(self) -> _Header | None:
        """The number and time of the picture, if the stream carries them."""
        for index in range(self._buffer.n_metas):
            meta = self._buffer.metas[index]
            if meta.type == _META_HEADER and meta.size >= ctypes.sizeof(_Header):
                return _Header.from_address(meta.data)
        return None
