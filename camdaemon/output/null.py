"""Nowhere: for measuring."""

from __future__ import annotations

from camdaemon.frames.frame import HostFrame, PixelFormat, Size


class NullSink:
    """Takes every frame and forgets it."""

    name = "null"
    live = False
    fmt = PixelFormat.I420

    def __init__(self, size: Size) -> None:
        self.size = size

    def write(self, frame: HostFrame) -> None:
        """See Sink.write."""

    def close(self) -> None:
        """Nothing to give back."""
