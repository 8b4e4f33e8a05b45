"""A stream of pictures to or from PipeWire: its state, its format, and its buffers."""

from __future__ import annotations

import ctypes
import errno
import logging
from collections.abc import Callable, Mapping
from ctypes import c_char_p, c_int, c_uint32, c_void_p
from enum import IntEnum, IntFlag

from camdaemon.errors import DeviceError
from camdaemon.linux.pipewire import library, pods
from camdaemon.linux.pipewire.buffer import Buffer
from camdaemon.linux.pipewire.connection import Connection
from camdaemon.linux.pipewire.library import Listener, PodList

log = logging.getLogger(__name__)

_EVENTS_VERSION = 2  # PW_VERSION_STREAM_EVENTS
_STATE_CHANGED, _PARAM_CHANGED, _PROCESS, _TRIGGER_DONE = 1, 4, 7, 10  # places in pw_stream_events
_MOST_BUFFERS = 64


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
