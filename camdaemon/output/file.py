"""A video file: H.264 in MP4, Matroska or QuickTime."""

from __future__ import annotations

import av

from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.linux.folders import expand_home
from camdaemon.output.film import Film


class FileSink:
    """Writes a video file, every frame at its own time `t` after the first one's; see the protocol `Sink`.

    The file appears when the sink is closed; until then it is NAME.part, which can be played.

    Args:
        film: The file.
        size: Size of the frames.
        paced: Whether a frame that is not newer than the last one is a repetition, and not written again.
    """

    live = False
    can_reopen = False
    is_file = True
    viewers = ()
    fmt = PixelFormat.I420

    @classmethod
    def open(cls, spec: str, size: Size, fps: float, *, paced: bool) -> FileSink:
        """See `open_sink`. A file that is there is replaced: ask before, with `check_results`."""
        return cls(Film(expand_home(spec), size, fps), size, paced=paced)

    def __init__(self, film: Film, size: Size, *, paced: bool) -> None:
        self.name, self.size, self._paced, self._film = film.name, size, paced, film
        self._start: float | None = None

    def write(self, frame: HostFrame) -> None:
        """See Sink.write."""
        self._start = frame.t if self._start is None else self._start
        t = frame.t - self._start
        if not self._paced or self._film.is_new(t):
            self._film.write(av.VideoFrame.from_ndarray(frame.data, format="yuv420p"), t)

    def close(self) -> None:
        """See Sink.close."""
        self._film.finish()
