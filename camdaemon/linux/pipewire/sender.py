"""One node that sends pictures in one pixel format."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camdaemon.linux.pipewire import video
from camdaemon.linux.pipewire.connection import Connection
from camdaemon.linux.pipewire.stream import Direction, Flag, State, Stream
from camdaemon.linux.pipewire.video import Pixels

log = logging.getLogger(__name__)

# Writes the picture into memory of a pixel format, uint8 of as many bytes as `Layout.size`.
Paint = Callable[[Pixels, NDArray[np.uint8]], None]

_BUFFERS = (16, 4, 16)  # default, least, most: how many frames a reader may be late
_CYCLE_S = 0.05  # the longest wait for readers to take a frame before the next one is sent


@dataclass(frozen=True, slots=True)
class Layout:
    """How a pixel format lies in memory: bytes of a picture, and of a row of its first plane."""

    size: int
    stride: int


class Sender:
    """The node that sends one pixel format, and its readers. Used with the connection's lock held."""

    def __init__(
        self,
        connection: Connection,
        properties: Mapping[str, str],
        offer: bytes,
        layout: Layout,
        on_change: Callable[[], None],
    ) -> None:
        self._layout, self._on_change = layout, on_change
        self._has_format = False
        self._taken = threading.Event()  # all readers have what was sent last
        self._taken.set()
        self._keeps_pace = True
        self._was_read = False
        self._stream = Stream(
            connection, properties["node.name"], properties, self._on_state, self._on_format, on_taken=self._on_taken
        )
        self._stream.connect(Direction.OUTPUT, Flag.DRIVER | Flag.MAP_BUFFERS, [offer])

    @property
    def node_id(self) -> int:
        """The id of its node; `library.ANY_ID` while there is none."""
        return self._stream.node_id

    @property
    def is_read(self) -> bool:
        """Whether somebody reads it: its stream is streaming."""
        return self._stream.state is State.STREAMING

    @property
    def is_spent(self) -> bool:
        """Whether its last reader has left. PipeWire then keeps a buffer or two, so it had better be made again."""
        return self._was_read and not self.is_read

    def wait_until_taken(self) -> None:
        """Wait a moment for the readers to take the last frame: none must get the next one before. Without the lock.

        For a reader that hangs it waits once.
        """
        self._keeps_pace = self._taken.wait(_CYCLE_S if self._keeps_pace else 0)

    def send(self, pixels: Pixels, paint: Paint, number: int) -> None:
        """Send a frame to the readers, if there are any. One that is later than there are buffers misses the oldest."""
        if not (self.is_read and self._has_format):
            return
        buffer = self._stream.dequeue()
        if buffer is None:
            return
        size, memory = 0, buffer.memory()
        try:
            if len(memory) >= self._layout.size:
                paint(pixels, memory[: self._layout.size])
                size = self._layout.size
        finally:
            if not size:  # never an old picture as if it were new
                memory[:] = 0
            buffer.write_chunk(size, self._layout.stride)
            if (header := buffer.header) is not None:
                header.flags, header.pts, header.dts_offset, header.seq = 0, time.monotonic_ns(), 0, number
            self._taken.clear()
            self._stream.queue(buffer)
            self._stream.trigger()

    def _on_state(self, state: State, why: str) -> None:
        if state is State.ERROR:
            log.warning("pipewire stream failed: %s", why)
        self._was_read |= state is State.STREAMING
        if state is not State.STREAMING:
            self._taken.set()
        self._on_change()

    def _on_format(self, pod: bytes | None) -> None:
        self._has_format = pod is not None and video.read_format(pod) is not None
        if self._has_format:
            self._stream.update(
                [video.ask_buffers(self._layout.size, self._layout.stride, _BUFFERS), *video.ask_metas()]
            )

    def _on_taken(self) -> None:
        self._taken.set()

    def close(self) -> None:
        """Take the node away."""
        self._stream.close()
