"""Sinks: where finished frames go. `open_sink` chooses one; adding a kind is a file and a case here."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from camdaemon.errors import ConfigError
from camdaemon.frames.frame import HostFrame, PixelFormat, Size


class Sink(Protocol):
    """Takes finished frames. Opened by the daemon; written and closed by the output thread alone.

    fmt, size: what `write` expects, fixed for the sink's life.   live: somebody may be watching, so that the last
    thing written must be the card (a file just ends).
    """

    name: str
    live: bool
    fmt: PixelFormat
    size: Size

    def write(self, frame: HostFrame) -> None:
        """Show `frame` (borrowed for the call) now. Raises DeviceError when it did not reach the device."""

    def close(self) -> None:
        """Finish the file or give the device back. May be called twice."""


def open_sink(spec: str, size: Size, fps: float, *, paced: bool) -> Sink:
    """Open the sink that `spec` names, for pictures of `size` at about `fps` a second.

    paced: frames come in real time (a file is then timed by their `t`, else one frame every 1/fps s).
    Raises DeviceError where a device cannot be opened and ConfigError where the name makes no sense.
    """
    match spec:
        case "null":
            from camdaemon.output.null import NullSink

            return NullSink(size)
        case "preview":
            from camdaemon.output.window import PreviewSink

            return PreviewSink(size)
        case _ if spec.startswith("/dev/"):
            from camdaemon.output.loopback import LoopbackSink

            return LoopbackSink(spec, size, fps)
        case _ if Path(spec).suffix.lower() in (".mp4", ".mkv", ".mov"):
            from camdaemon.output.file import FileSink

            return FileSink(Path(spec), size, fps, paced=paced)
        case _:
            raise ConfigError(
                f"sink {spec!r} is neither a virtual camera (/dev/videoN), a .mp4, .mkv or .mov file, 'preview' "
                "nor 'null'; see your virtual cameras with: camdaemon devices"
            )
