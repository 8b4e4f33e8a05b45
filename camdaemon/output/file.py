"""A video file: H.264 in MP4, Matroska or QuickTime."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
from av.video.reformatter import ColorRange, Colorspace

from camdaemon.errors import ConfigError, DeviceError
from camdaemon.frames.frame import HostFrame, PixelFormat, Size

_TICKS = 90_000  # per second, MPEG's clock


class FileSink:
    """Writes a video file, replacing what was there; see the protocol `Sink`.

    Args:
        path: The file; its suffix names the container.
        size: Size of the frames.
        fps: Frames per second, if not paced.
        paced: Whether every frame is shown at its own time `t`, and a repeated one is not written again; else one
            frame each 1/fps s, whenever it came.

    Raises:
        ConfigError: The file cannot be created.
    """

    live = False
    can_reopen = False
    viewers = ()
    fmt = PixelFormat.I420

    @classmethod
    def open(cls, spec: str, size: Size, fps: float, *, paced: bool) -> FileSink:
        """See `open_sink`."""
        return cls(Path(spec), size, fps, paced=paced)

    def __init__(self, path: Path, size: Size, fps: float, *, paced: bool) -> None:
        self.name, self.size, self._paced, self._fps = str(path), size, paced, fps
        self._start: float | None = None
        self._count, self._last = 0, -1
        self._container = av.open(str(path), "w")
        self._stream = self._container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        self._stream.width, self._stream.height, self._stream.pix_fmt = size.width, size.height, "yuv420p"
        self._stream.time_base = self._stream.codec_context.time_base = Fraction(1, _TICKS)
        self._stream.codec_context.options = {"preset": "veryfast", "crf": "20"}
        self._stream.codec_context.colorspace = Colorspace.ITU601  # as frames/color.py converts
        self._stream.codec_context.color_range = ColorRange.MPEG
        try:
            self._container.start_encoding()  # creates the file
        except OSError as exc:
            raise ConfigError(f"cannot write {path}: {exc.strerror}. Run: camdaemon run --sink out.mp4") from None
        self._open = True

    def write(self, frame: HostFrame) -> None:
        """See Sink.write."""
        ticks = self._ticks(frame.t)
        if not self._open or ticks <= self._last:
            return
        self._last, self._count = ticks, self._count + 1
        picture = av.VideoFrame.from_ndarray(frame.data, format="yuv420p")
        picture.pts, picture.time_base = ticks, Fraction(1, _TICKS)
        self._mux(picture)

    def _mux(self, picture: av.VideoFrame | None) -> None:
        try:
            self._container.mux(self._stream.encode(picture))
            if picture is None:
                self._container.close()
        except OSError as exc:
            self._open = False  # FFmpeg crashes on any further call
            raise DeviceError(f"cannot write to {self.name}: {exc.strerror}; is the disk full? Run: df -h") from None

    def _ticks(self, t: float) -> int:
        if not self._paced:
            return round(self._count * _TICKS / self._fps)
        self._start = t if self._start is None else self._start
        return round((t - self._start) * _TICKS)

    def close(self) -> None:
        """See Sink.close."""
        if self._open:
            self._open = False
            self._mux(None)
