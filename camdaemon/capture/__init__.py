"""Sources: where camera frames come from. `camdaemon.frames.kinds` lists them; each is one file here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from camdaemon.frames import kinds

if TYPE_CHECKING:
    from camdaemon.frames.frame import HostFrame, PixelFormat, Size


class Source(Protocol):
    """A camera, or something that plays one. Opened, read and closed by the capture thread alone.

    Attributes:
        name: What people call it, the same after a restart: a camera's by-id name, a clip's path.
        live: Whether it films the present: it may come back after a loss. A clip's end is the end.
        has_controls: Whether exposure, white balance and focus can be locked, by the path it was opened with.
        fmt: Pixel format that `read` delivers, fixed for the source's life.
        size: Picture size that `read` delivers, fixed for the source's life.
        fps: Announced frames per second, above 0.
    """

    name: str
    live: bool
    has_controls: bool
    fmt: PixelFormat
    size: Size
    fps: float

    def read(self, into: HostFrame) -> None:
        """Wait for the newest frame and write it into a buffer. Never delivers an old frame from a queue.

        Args:
            into: Borrowed for the call. `into.data` is uint8 of shape fmt.shape(size). `into.t` becomes the capture
                time on the clock of time.monotonic(), or the clip's own time in seconds if it is not paced.

        Raises:
            StreamEnded: The clip is over.
            DeviceError: The device failed, is gone, or sent no frame for 2 s.
        """

    def close(self) -> None:
        """Give the device back. May be called twice, and after a failed read."""


class SourceClass(Protocol):
    """The class of a kind of source: what is known before one is opened, and how to open it."""

    live: bool
    has_controls: bool

    def open(self, spec: str, size: Size | None, fps: float, *, loop: bool, paced: bool) -> Source:
        """Open the source; see `open_source`."""


def find_source(spec: str) -> SourceClass:
    """Return the class of the source that `spec` names.

    Raises:
        ConfigError: `spec` names no kind of source.
    """
    found: SourceClass = kinds.find_class(kinds.SOURCES, spec, "source", "camdaemon devices")
    return found


def open_source(spec: str, size: Size | None, fps: float, *, loop: bool, paced: bool) -> Source:
    """Open the source that `spec` names.

    Args:
        spec: One of `kinds.SOURCES`.
        size: Picture size to ask for; None for the kind's own default. What came of it is in `Source.size`.
        fps: Frames per second to ask a camera for. What came of it is in `Source.fps`.
        loop: Whether a clip starts again at its end.
        paced: Whether a clip plays in real time, or as fast as it is read.

    Raises:
        DeviceError: A device cannot be opened.
        ConfigError: `spec` names no kind of source, or a file that cannot be played.
    """
    return find_source(spec).open(spec, size, fps, loop=loop, paced=paced)
