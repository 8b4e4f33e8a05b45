"""Sources: where camera frames come from. `open_source` chooses one; adding a kind is a file and a case here."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from camdaemon.config.schema import Config
from camdaemon.errors import ConfigError
from camdaemon.frames.frame import HostFrame, PixelFormat, Size


class Source(Protocol):
    """A camera, or something that plays one. Opened, read and closed by the capture thread alone.

    name: what people call it, stable across restarts (a clip's path, a camera's by-id name).
    live: True for a device that can come back after a loss; False for a clip, whose end is the end.
    fmt, size: what `read` delivers, fixed for the source's life.   fps: frames per second it announces, > 0.
    """

    name: str
    live: bool
    fmt: PixelFormat
    size: Size
    fps: float

    def read(self, into: HostFrame) -> None:
        """Wait for the newest frame, write it into `into.data` (fmt.shape(size), uint8) and stamp `into.t`.

        `into` is borrowed for the call. `t` is time.monotonic() at
        capture; of a clip that is not paced, seconds of its own time. Never delivers an old frame from a queue.
        Raises StreamEnded at the end of a clip and DeviceError when the device fails, stalls for over 2 s or is gone.
        """

    def close(self) -> None:
        """Give the device back. May be called twice, and after a failed read."""


def open_source(config: Config, *, loop: bool, paced: bool) -> Source:
    """Open what `config.source` names at (about) `config.size` and `config.fps`.

    loop: a clip begins anew at its end.   paced: a clip plays in real time, else as fast as it is read.
    Raises DeviceError where a device cannot be opened and ConfigError where the name makes no sense.
    """
    spec = config.source
    match spec:
        case "pattern":
            from camdaemon.capture.pattern import PatternSource

            return PatternSource(config.size or Size(1280, 720), config.fps, loop=loop, paced=paced)
        case _ if spec.startswith("/dev/"):
            from camdaemon.capture.v4l2 import V4l2Source

            return V4l2Source(spec, config.size or Size(1280, 720), config.fps)
        case _ if Path(spec).is_file():
            from camdaemon.capture.file import FileSource

            return FileSource(Path(spec), loop=loop, paced=paced, raw=True)
        case _:
            raise ConfigError(
                f"source {spec!r} is neither a camera, a video file that exists, nor 'pattern'; "
                "see your cameras with: camdaemon devices"
            )
