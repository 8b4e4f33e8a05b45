"""The pattern as a source: a webcam clip of 12 s that needs no camera. An empty room, then somebody comes in."""

from __future__ import annotations

import time

from camdaemon.capture.pattern.scene import Scene, Truth
from camdaemon.errors import StreamEnded
from camdaemon.frames.frame import HostFrame, PixelFormat, Size


class PatternSource:
    """A procedural clip (see the protocol `Source`): 3 s of an empty room, then a figure that walks in and stays.

    fps: frames per second of the clip's own time.   loop: it begins anew at its end, else StreamEnded.
    paced: frames come in real time and a late reader gets the newest, else every frame as fast as it is read.
    The same index always shows the same picture; `index` is that of the last frame read, -1 before the first.
    """

    name = "pattern"
    live = False
    has_controls = False
    fmt = PixelFormat.RGB

    @classmethod
    def open(cls, spec: str, size: Size | None, fps: float, *, loop: bool, paced: bool) -> PatternSource:
        """See `open_source`. 1280x720 without a size."""
        return cls(size or Size(1280, 720), fps, loop=loop, paced=paced)

    def __init__(self, size: Size, fps: float, *, loop: bool, paced: bool) -> None:
        self.size, self.fps, self.index = size, fps, -1
        self._loop, self._paced = loop, paced
        self._scene = Scene(size, fps)
        self._start: float | None = None  # when frame 0 was due; the clock runs from the first read

    def read(self, into: HostFrame) -> None:
        """Wait for the newest frame and draw it into `into.data` (H,W,3) uint8; `into.t` is when it was ready."""
        index = self._due() if self._paced else self.index + 1
        if index >= self._scene.frames and not self._loop:
            raise StreamEnded("the pattern is over (it plays once)")
        self._scene.film(index, into.data)
        self.index, into.t = index, time.monotonic() if self._paced else index / self.fps

    def truth(self, index: int) -> Truth:
        """The true alpha, foreground and plate of frame `index`, for tests and measurements."""
        return self._scene.truth(index)

    def close(self) -> None:
        """Nothing to give back."""

    def _due(self) -> int:
        """Index of the newest frame that has not been read yet; sleeps until there is one."""
        now = time.monotonic()
        if self._start is None:
            self._start = now
        index = max(self.index + 1, int((now - self._start) * self.fps))
        time.sleep(max(0.0, self._start + index / self.fps - now))
        return index
