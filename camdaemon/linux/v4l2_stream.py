"""Streaming from a camera by memory-mapped buffers: the ioctls behind it. Standard library only.

For one thread. `fd` stays the caller's; a refused ioctl is an OSError.
"""

from __future__ import annotations

import mmap
import select
import struct
from contextlib import suppress
from dataclasses import dataclass

from camdaemon.linux import v4l2
from camdaemon.linux.v4l2 import READ, WRITE, Stream, request

_PIXELS = struct.Struct("=I4xIIIIII176x")  # v4l2_format: type, width height pixelformat field bytesperline sizeimage
_REQUEST = struct.Struct("=III8x")  # v4l2_requestbuffers: count type memory
# v4l2_buffer: index type bytesused flags field timestamp(s, µs) (timecode) sequence memory offset length
_BUFFER = struct.Struct("=IIIII4xqq16xIIQI12x")
_INT = struct.Struct("=i")

_G_FMT = request(READ | WRITE, 4, _PIXELS)
_REQBUFS = request(READ | WRITE, 8, _REQUEST)  # ask for buffers; the driver answers with how many there are
_QUERYBUF = request(READ | WRITE, 9, _BUFFER)  # where one lies
_QBUF = request(READ | WRITE, 15, _BUFFER)  # give it to the driver, to be filled
_DQBUF = request(READ | WRITE, 17, _BUFFER)  # take back the oldest that is filled
_STREAMOFF = request(WRITE, 19, _INT)

_MAPPED = 1  # V4L2_MEMORY_MMAP
_ERROR, _CLOCK, _MONOTONIC = 0x40, 0xE000, 0x2000  # V4L2_BUF_FLAG_ERROR, …_TIMESTAMP_MASK, …_TIMESTAMP_MONOTONIC


@dataclass(frozen=True, slots=True)
class Filled:
    """A buffer that the driver has filled.

    Attributes:
        index: its number.
        length: how many bytes of it count; 0 for a picture that the driver calls broken.
        t: when the picture was taken, on the clock of time.monotonic(); 0 where the driver uses another.
    """

    index: int
    length: int
    t: float


class Buffers:
    """A camera's buffers, all of them queued, and its stream running, from the beginning until `close`.

    Args:
        fd: of the camera, its format set; open until `close`.
        count: buffers to ask for; drivers may give more.

    Raises:
        OSError: the driver refuses; EBUSY when another program streams.
    """

    def __init__(self, fd: int, count: int) -> None:
        self._fd = fd
        self._maps: list[mmap.mmap] = []
        try:
            (given, *_) = v4l2.call(fd, _REQBUFS, _REQUEST, count, Stream.CAPTURE, _MAPPED)
            for index in range(given):
                offset, length = self._call(_QUERYBUF, index)[9:]
                self._maps.append(mmap.mmap(fd, length, mmap.MAP_SHARED, mmap.PROT_READ, offset=offset))
                self.give_back(index)
            v4l2.stream_on(fd, Stream.CAPTURE)
        except BaseException:
            self.close()
            raise

    def wait(self, seconds: float) -> bool:
        """Wait for a picture; return whether there is one, or the camera is gone."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(1000 * seconds))

    def take(self) -> Filled:
        """Return the oldest buffer that is filled; it is the caller's until `give_back`."""
        answer = self._call(_DQBUF, 0)
        index, length, flags, seconds, micros = answer[0], answer[2], answer[3], answer[5], answer[6]
        t = seconds + micros / 1e6 if flags & _CLOCK == _MONOTONIC else 0.0
        return Filled(index, 0 if flags & _ERROR else length, t)

    def memory(self, index: int) -> mmap.mmap:
        """Return the memory of the buffer, read-only and valid until `close`."""
        return self._maps[index]

    def give_back(self, index: int) -> None:
        """Have the driver fill the buffer again."""
        self._call(_QBUF, index)

    def close(self) -> None:
        """End the stream and the buffers. May be called twice."""
        with suppress(OSError):  # it was unplugged
            v4l2.call(self._fd, _STREAMOFF, _INT, Stream.CAPTURE)
        while self._maps:
            self._maps.pop().close()

    def _call(self, number: int, index: int) -> tuple[int, ...]:
        return v4l2.call(self._fd, number, _BUFFER, index, Stream.CAPTURE, 0, 0, 0, 0, 0, 0, _MAPPED, 0, 0)


def get_stride(fd: int) -> int:
    """Return how many bytes apart the picture's rows begin; 0 for compressed formats."""
    return int(v4l2.call(fd, _G_FMT, _PIXELS, Stream.CAPTURE, 0, 0, 0, 0, 0, 0)[5])
