"""Sources for benchmarks: frames from memory, and a clip that behaves as a camera."""

from __future__ import annotations

import time
from dataclasses import replace

from camdaemon.capture import Source
from camdaemon.frames.frame import HostFrame
from camdaemon.tools.bench.footage import Footage


def keep_in_memory(footage: Footage) -> Footage:
    """Return `footage` whose source repeats its few frames, so that no decoder takes part."""
    return replace(footage, open=lambda: MemorySource(footage.frames, footage.fps))


class MemorySource:
    """Repeat a few frames, as fast as they are read (see the protocol `Source`).

    Attributes:
        given: Number of frames that were read.
    """

    live = False
    has_controls = False

    def __init__(self, frames: list[HostFrame], fps: float) -> None:
        self.name, self.fmt, self.size, self.fps = "memory", frames[0].fmt, frames[0].size, fps
        self._frames, self.given = frames, 0

    def read(self, into: HostFrame) -> None:
        """Copy the next frame."""
        into.data[:] = self._frames[self.given % len(self._frames)].data
        into.t = time.monotonic()
        self.given += 1

    def close(self) -> None:
        """Do nothing: nothing is open."""


class CameraLike:
    """Give the frames of an unpaced source as a camera does: one each 1/fps s, however late the reader is.

    See the protocol `Source`. Owns the source. Frames are decoded as they come, so that this work is measured, too.
    """

    live = False
    has_controls = False

    def __init__(self, source: Source) -> None:
        self.name, self.fmt, self.size, self.fps = source.name, source.fmt, source.size, source.fps
        self._source = source
        self._start: float | None = None
        self._next = 0  # number of the next frame

    def read(self, into: HostFrame) -> None:
        """Read the newest frame that is due; earlier ones are lost."""
        self._start = time.monotonic() if self._start is None else self._start
        due = max(self._next, int((time.monotonic() - self._start) * self.fps))
        for _ in range(due - self._next + 1):
            self._source.read(into)
        self._next = due + 1
        time.sleep(max(0.0, self._start + due / self.fps - time.monotonic()))
        into.t = time.monotonic()

    def close(self) -> None:
        """Close the source."""
        self._source.close()
