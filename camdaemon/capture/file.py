"""Video files as sources: whatever FFmpeg decodes, at the file's own times and in its own colors."""

from __future__ import annotations

import os
import time
from pathlib import Path

import av
from av.video.reformatter import ColorRange

from camdaemon.errors import ConfigError, StreamEnded
from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.frames.video import Video

_CATCH_UP_S = 5.0  # behind by more than this (after a suspend), the clip goes on from where it was
_BT601 = (2, 5, 6)  # FFmpeg's AVCOL_SPC_UNSPECIFIED, _BT470BG and _SMPTE170M


class FileSource:
    """A clip; see the protocol `Source`. RGB by the matrix and range that the file declares, else limited BT.601.

    Frames are upright and have square pixels, as players show them. `size` is theirs, cropped around its middle to
    multiples of 4.

    Args:
        path: The file.
        loop: Whether the clip starts again at its end; else `read` raises StreamEnded there.
        paced: Whether frames come at their own times, and a late reader gets the newest one that is due; else every
            frame is delivered, as fast as it is read.
        raw: Whether `read` delivers I420 if the file's frames are exactly that, for a faster conversion elsewhere,
            which does not interpolate the subsampled colors.

    Attributes:
        shown: Width and height of the whole frame, upright, before it is cropped.
        count: See `Video`.

    Raises:
        ConfigError: The file has no video that can be played.
    """

    live = False
    has_controls = False

    @classmethod
    def open(cls, spec: str, size: Size | None, fps: float, *, loop: bool, paced: bool) -> FileSource:
        """See `open_source`. Size and rate are the file's own; frames are raw where they can be."""
        return cls(Path(os.path.expanduser(spec)), loop=loop, paced=paced, raw=True)

    def __init__(self, path: Path, *, loop: bool, paced: bool, raw: bool = False) -> None:
        self.name, self._paced = str(path), paced
        self._video = Video(path, "source", f"Run: ffprobe {path}, or: camdaemon run --source pattern")
        self.fps, self.shown, self.count = self._video.fps, self._video.size, self._video.count if not loop else None
        try:
            self.size = Size.within(*self.shown)
        except ConfigError:
            self.close()
            width, height = self.shown
            raise ConfigError(
                f"cannot play source {path}: {width}x{height} is too small, a side has at least 64 pixels. "
                "Run: camdaemon run --source FILE"
            ) from None
        plain = raw and _is_i420(self._video.first) and self.shown == (self.size.width, self.size.height)
        self.fmt = PixelFormat.I420 if plain else PixelFormat.RGB
        self._frames = self._video.play(loop=loop)
        self._ahead: tuple[float, av.VideoFrame] | None = None
        self._start: float | None = None  # when the first frame was due

    def read(self, into: HostFrame) -> None:
        """See Source.read."""
        due, frame = self._newest() if self._paced else self._next()
        if self.fmt is PixelFormat.I420:
            height, width = self.size.height, self.size.width
            luma, *chroma = self._video.convert.planes(frame, "yuv420p")
            into.data[:height] = luma
            into.data[height:].reshape(2, height // 2, width // 2)[:] = chroma
        else:
            rgb = self._video.convert.picture(frame)
            left, top = (self.shown[0] - self.size.width) // 2, (self.shown[1] - self.size.height) // 2
            into.data[:] = rgb[top : top + self.size.height, left : left + self.size.width]
        into.t = time.monotonic() if self._paced else due

    def close(self) -> None:
        """See Source.close."""
        self._video.close()

    def _next(self) -> tuple[float, av.VideoFrame]:
        """Return the next decoded frame and when it is due, seconds after the first one."""
        frame, self._ahead = self._ahead or next(self._frames, None), None
        if frame is None:
            raise StreamEnded(f"{self.name} is over: it plays once")
        return frame

    def _newest(self) -> tuple[float, av.VideoFrame]:
        """Wait until a frame is due; return the newest one that is, and drop those before it."""
        due, frame = self._next()
        now = time.monotonic()
        if self._start is None or now - self._start - due > _CATCH_UP_S:
            self._start = now - due
        if (early := self._start + due - now) > 0:
            time.sleep(early)
            return due, frame
        while now - self._start >= due + 1 / self.fps and (later := next(self._frames, None)):
            if self._start + later[0] > now:
                self._ahead = later
                break
            due, frame = later
        return due, frame


def _is_i420(frame: av.VideoFrame) -> bool:
    """Tell whether a frame is `PixelFormat.I420`: 8 bits, and BT.601 in limited range unless declared otherwise."""
    return (
        frame.format.name == "yuv420p"
        and frame.colorspace in _BT601
        and frame.color_range in (ColorRange.UNSPECIFIED, ColorRange.MPEG)
    )
