"""Videos from files as players show them: each frame at its own time, upright, with square pixels."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import IO

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from camdaemon.errors import ConfigError, DeviceError
from camdaemon.frames.conversion import FrameConverter
from camdaemon.frames.door import MOST_VIDEO_PIXELS, Unreadable, check_file
from camdaemon.frames.picture import Color
from camdaemon.linux.threads import run_low_priority

log = logging.getLogger(__name__)

_BROKEN_IN_A_ROW = 15  # undecodable packets after which the file counts as broken
_LONGEST_S = 10.0  # that the last frame of a turn is shown before the next turn
# Files alone: no playlist, which would make FFmpeg open whatever it lists.
_FORMATS = (
    "mov,matroska,webm,avi,gif,mpegts,mpeg,mpegvideo,m4v,h264,hevc,av1,obu,ivf,flv,live_flv,asf,ogg,nut,mxf,dv,rm,wtv,"
    "yuv4mpegpipe,mjpeg,apng,jpeg_pipe,png_pipe,webp_pipe,bmp_pipe,tiff_pipe,image2,wav,mp3,flac,aac,aiff"
)


class Video:
    """A video file that is open, and whose first frame is decoded. Used by one thread at a time.

    Attributes:
        name: Of the file.
        convert: Converts its frames to arrays.
        size: Width and height of what `convert` returns: turned upright, with square pixels unless they are to be left
            as they are. All frames get the size of the first one.
        fps: Average frames per second, above 0.
        count: Number of frames that the file says it has, or about, by its duration; None: it does not say.
        first: The first frame as it is stored.
    """

    def __init__(
        self,
        file: Path | IO[bytes],
        what: str,
        advice: str,
        *,
        over: Color | None = None,
        fmt: str | None = None,
        square: bool = True,
        hwaccel: HWAccel | None = None,
    ) -> None:
        """Open the file.

        Args:
            file: A path, or what is open already.
            what: What the file is for, in error messages: "source", "backdrop".
            advice: What to type instead, the end of error messages.
            over: Color under transparent parts; None: transparency is ignored.
            fmt: FFmpeg's name of the format that it has to have; None: any.
            square: Whether pixels that are not square become so; see `FrameConverter`.
            hwaccel: What decodes instead of the processor, where it can.

        Raises:
            ConfigError: It has no video that can be played.
        """
        self.name = str(file) if isinstance(file, Path) else what
        self._file, self._fmt, self._advice, self._hwaccel = file, fmt, advice, hwaccel
        try:
            self._container, self._stream = _open(file, fmt, hwaccel)
        except Unreadable as exc:
            raise ConfigError(f"cannot play {what} {self.name}: {exc}. {advice}") from None
        self.fps = float(self._stream.average_rate or 0) or 30.0
        self.count = self._stream.frames or round((self._container.duration or 0) / av.time_base * self.fps) or None
        self._ahead = self._decoded()
        try:
            # The decoder starts its threads with the first frame, and they inherit the priority of the thread it is in.
            first = run_low_priority(lambda: next(self._ahead, None), "decoder")
            if first is None:
                raise Unreadable("it has no whole frame")
            self.convert = FrameConverter(self.name, advice, first, self._stream, over, square=square)
        except (Unreadable, DeviceError) as exc:
            self.close()
            why = exc if isinstance(exc, Unreadable) else "it has no whole frame"
            raise ConfigError(f"cannot play {what} {self.name}: {why}. {advice}") from None
        self.first: av.VideoFrame = first
        self.size = self.convert.size

    def play(self, *, loop: bool) -> Iterator[tuple[float, av.VideoFrame]]:
        """Yield each frame and when it is due, in seconds after the first one; the times increase.

        A frame without a time comes 1/fps after the one before. Where the clock jumps back, the clip plays on.

        Args:
            loop: Whether it starts again at its end; the last frame is shown for its own duration before.

        Raises:
            DeviceError: The file cannot be decoded any further.
        """
        begin, frames = 0.0, self._from_first()
        while True:
            due, shift, step = None, 0.0, 1 / self.fps
            for frame in frames:
                if due is None:
                    due, shift = begin, begin - (frame.time or 0.0)
                elif frame.time is None or frame.time + shift < due - 1:
                    due += step
                    shift = shift if frame.time is None else due - frame.time
                else:
                    due = max(frame.time + shift, due + 1e-3)
                yield due, frame
                step = float((frame.duration or 0) * (frame.time_base or 0)) or 1 / self.fps
            if not loop:
                return
            if due is None:
                raise DeviceError(f"cannot play {self.name} again: it is broken. {self._advice}")
            begin = due + min(step, _LONGEST_S)
            frames = self._decoded_again()

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._container.close()

    def _from_first(self) -> Iterator[av.VideoFrame]:
        yield self.first
        yield from self._ahead

    def _decoded(self) -> Iterator[av.VideoFrame]:
        broken = 0
        packets = self._container.demux(self._stream)
        while True:
            try:
                frames = next(packets).decode()
                broken = 0
            except StopIteration:
                return
            except av.FFmpegError:
                broken += 1
                if broken == 1:
                    log.warning("frame skipped: a part of %s is broken", self.name)
                if broken > _BROKEN_IN_A_ROW:
                    raise DeviceError(f"cannot play {self.name} on: it is broken. {self._advice}") from None
                continue
            for frame in frames:
                self._check_growth(frame)
                yield frame

    def _check_growth(self, frame: av.VideoFrame) -> None:
        """Refuse a frame that is larger than the first one: memory was planned for that."""
        first = getattr(self, "first", None)
        if first is not None and frame.width * frame.height > first.width * first.height:
            raise DeviceError(
                f"cannot play {self.name} on: its picture grows from {first.width}x{first.height} to {frame.width}x"
                f"{frame.height}. Run: ffmpeg -i {self.name} -vf scale={first.width}:{first.height} even.mp4"
            )

    def _decoded_again(self) -> Iterator[av.VideoFrame]:
        """Decode from the first frame on."""
        with suppress(av.FFmpegError):
            self._container.seek(min(0, self._container.start_time or 0))
            frames = self._decoded()
            if (first := next(frames, None)) is not None:
                return chain([first], frames)
        self._container.close()  # raw streams and single pictures cannot seek
        try:
            self._container, self._stream = _open(self._file, self._fmt, self._hwaccel)
        except Unreadable as exc:
            raise DeviceError(f"cannot play {self.name} again: {exc}. {self._advice}") from None
        return self._decoded()


def _open(file: Path | IO[bytes], fmt: str | None, hwaccel: HWAccel | None) -> tuple[InputContainer, VideoStream]:
    """Open the file and choose its video. Raises Unreadable."""
    if isinstance(file, Path):
        check_file(file)
    # From its root on, a name with a colon is no protocol.
    opened = os.path.abspath(file) if isinstance(file, Path) else file
    options = {"format_whitelist": _FORMATS, "max_pixels": str(MOST_VIDEO_PIXELS)}
    try:
        container = av.open(opened, "r", format=fmt, options=options, hwaccel=hwaccel, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError):  # ValueError: text that PyAV cannot read
        raise Unreadable("it is not a video, or truncated") from None
    try:
        return container, _choose_stream(container)
    except Unreadable:
        container.close()
        raise


def _choose_stream(container: InputContainer) -> VideoStream:
    films = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not films:
        others = sorted({"a cover" if s.type == "video" else s.type for s in container.streams})
        raise Unreadable(f"it has no video{', only ' if others else ''}{' and '.join(others)}")
    stream = films[0]
    if stream.codec_context is None:
        raise Unreadable("its codec is unknown")
    if not 0 < stream.width * stream.height <= MOST_VIDEO_PIXELS:  # 0 where max_pixels has stopped the reader
        raise Unreadable("it is cut off, or has too many pixels (at most 8192x4320)")
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = 2  # the network needs the other cores
    stream.codec_context.options = {"max_pixels": str(MOST_VIDEO_PIXELS)}
    return stream
