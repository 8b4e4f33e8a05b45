"""A stream of pictures to or from PipeWire: its state, its format, and its buffers."""

from __future__ import annotations

import ctypes
import errno
import logging
from collections.abc import Callable, Mapping
from ctypes import POINTER, c_char_p, c_int, c_int32, c_int64, c_uint32, c_uint64, c_void_p
from enum import IntEnum, IntFlag

import numpy as np
from numpy.typing import NDArray

from camdaemon.errors import DeviceError
from camdaemon.linux.pipewire import library, pods
from camdaemon.linux.pipewire.connection import Connection
from camdaemon.linux.pipewire.library import Listener, PodList

log = logging.getLogger(__name__)

_EVENTS_VERSION = 2  # PW_VERSION_STREAM_EVENTS
_STATE_CHANGED, _PARAM_CHANGED, _PROCESS, _TRIGGER_DONE = 1, 4, 7, 10  # places in pw_stream_events
_META_HEADER = 1
_MOST_BUFFERS = 64
_CORRUPTED = 1  # SPA_CHUNK_FLAG_CORRUPTED, SPA_META_HEADER_FLAG_CORRUPTED is 2


class State(IntEnum):
    """PW_STREAM_STATE_*."""

    ERROR = -1
    UNCONNECTED = 0
    CONNECTING = 1
    PAUSED = 2
    STREAMING = 3


class Direction(IntEnum):
    """SPA_DIRECTION_*."""

    INPUT = 0
    OUTPUT = 1


class Flag(IntFlag):
    """PW_STREAM_FLAG_*."""

    AUTOCONNECT = 1 << 0
    INACTIVE = 1 << 1
    MAP_BUFFERS = 1 << 2
    DRIVER = 1 << 3
    NO_CONVERT = 1 << 5


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


class Stream:
    """A stream, for a thread that holds the connection's lock; see `Connection`. Callbacks run on the loop's thread.

    Args:
        connection: To which it belongs; must outlive it.
        name: What people call the stream.
        properties: Of its node.
        on_state: Called with each new state, and why where that is ERROR.
        on_format: Called with the format that was agreed on, a pod; None when it is dropped. Answer with `update`.
        on_process: Called when a buffer can be taken.
        on_taken: Called when all readers have taken what `trigger` sent.
    """

    def __init__(
        self,
        connection: Connection,
        name: str,
        properties: Mapping[str, str],
        on_state: Callable[[State, str], None],
        on_format: Callable[[bytes | None], None],
        on_process: Callable[[], None] | None = None,
        on_taken: Callable[[], None] | None = None,
    ) -> None:
        self._library, self.state = connection.library, State.UNCONNECTED
        self._on_state, self._on_format = on_state, on_format
        words = library.make_properties(self._library, properties)
        self._stream = self._library.pw_stream_new(connection.core, name.encode(), words) or 0
        if not self._stream:
            raise DeviceError("PipeWire makes no stream. Run: systemctl --user restart pipewire wireplumber")
        events: dict[int, tuple[list[object], Callable[..., None]]] = {
            _STATE_CHANGED: ([c_int, c_int, c_char_p], self._on_state_changed),
            _PARAM_CHANGED: ([c_uint32, c_void_p], self._on_param_changed),
        }
        if on_process is not None:
            events[_PROCESS] = ([], on_process)
        if on_taken is not None:
            events[_TRIGGER_DONE] = ([], on_taken)
        self._listener = Listener(_EVENTS_VERSION, events)
        self._library.pw_stream_add_listener(self._stream, self._listener.hook, self._listener.table, None)

    def connect(self, direction: Direction, flags: Flag, params: list[bytes]) -> None:
        """Have PipeWire make the node, which offers the formats `params`. Raises DeviceError if it refuses."""
        given = PodList(params)
        result = self._library.pw_stream_connect(
            self._stream, direction, library.ANY_ID, flags, given.array, given.count
        )
        if result < 0:
            raise DeviceError(f"PipeWire refuses the stream: errno {-result}. Run: systemctl --user status pipewire")

    def update(self, params: list[bytes]) -> None:
        """Replace params, each with all that have its id: what buffers must be like, or the formats on offer."""
        given = PodList(params)
        self._library.pw_stream_update_params(self._stream, given.array, given.count)

    @property
    def node_id(self) -> int:
        """The id of its node; `library.ANY_ID` while there is none."""
        if not self._stream:
            return library.ANY_ID
        return int(self._library.pw_stream_get_node_id(self._stream))

    def dequeue(self) -> Buffer | None:
        """Take a buffer: a free one of an output, the oldest filled one of an input. None if there is none."""
        for _ in range(_MOST_BUFFERS):
            address = self._library.pw_stream_dequeue_buffer(self._stream)
            if address:
                return Buffer(address)
            if ctypes.get_errno() != errno.EBUSY:  # else a reader still has that one: try the next
                break
        return None

    def queue(self, buffer: Buffer) -> None:
        """Give a buffer back."""
        self._library.pw_stream_queue_buffer(self._stream, buffer.address)

    def trigger(self) -> None:
        """Send what was queued, if it is this stream that drives its readers; otherwise their driver comes for it."""
        if self._library.pw_stream_is_driving(self._stream):
            self._library.pw_stream_trigger_process(self._stream)

    def close(self) -> None:
        """Take the node away. May be called twice."""
        if self._stream:
            stream, self._stream = self._stream, 0
            self._library.pw_stream_destroy(stream)

    def _on_state_changed(self, _old: int, state: int, error: bytes | None) -> None:
        self.state = State(state)
        self._on_state(self.state, (error or b"").decode("utf-8", "replace"))

    def _on_param_changed(self, param: int, pod: int | None) -> None:
        if param == pods.Param.FORMAT:
            self._on_format(pods.copy(pod))
