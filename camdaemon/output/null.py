"""No output at all, for measurements."""

from __future__ import annotations

from camdaemon.frames.frame import HostFrame, PixelFormat, Size


class NullSink:
    """Drops every frame; see the protocol `Sink`."""

    name = "null"
    live = False
    can_reopen = False
    is_file = False
    viewers = ()
    fmt = PixelFormat.I420

    @classmethod
    def open(cls, spec: str, size: Size, fps: float, *, paced: bool) -> NullSink:
        """See `open_sink`."""
        return cls(size)

    def __init__(self, size: Size) -> None:
        self.size = size

    def write(self, frame: HostFrame) -> None:
        """See Sink.write."""

    def close(self) -> None:
        """See Sink.close."""
