"""Video files as sources: whatever FFmpeg decodes, at the file's own rate and in its own colors."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from camdaemon.errors import ConfigError, DeviceError, StreamEnded
from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.linux.threads import run_low_priority

log = logging.getLogger(__name__)

_BROKEN_IN_A_ROW = 15  # undecodable packets after which the file counts as broken
_CATCH_UP_S = 5.0  # behind by more than this (after a suspend), the clip goes on from where it was
_BT601 = (2, 5, 6)  # FFmpeg's AVCOL_SPC_UNSPECIFIED, _BT470BG and _SMPTE170M
# Without these flags swscale is 1 to 2 levels too dark (measured against the formula of BT.601).
_EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


class FileSource:
    """A clip; see the protocol `Source`. RGB by the matrix and range that the file declares, else limited BT.601.

    `size` is the picture's, cropped around its middle to multiples of 4. Rotation tags are ignored.

    Args:
        path: The file.
        loop: Whether the clip starts again at its end; else `read` raises StreamEnded there.
        paced: Whether frames come at their own times, and a late reader gets the newest one that is due; else every
            frame is delivered, as fast as it is read.
        raw: Whether `read` delivers I420 if the file's frames are exactly that, for a faster conversion elsewhere,
            which does not interpolate the subsampled colors.

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
        self.name = str(path)
        self._loop, self._paced = loop, paced
        self._container, self._stream = _open(path)
        self.fps = float(self._stream.average_rate or 30)
        self._frames = self._play()
        try:
            # The decoder starts its threads with the first frame, and they inherit the priority of the thread it is in.
            self._ahead: tuple[float, av.VideoFrame] | None = run_low_priority(lambda: next(self._frames), "decoder")
            self._full = self._ahead[1].width, self._ahead[1].height
            self.size = Size.within(*self._full)
            plain = raw and _is_i420(self._ahead[1]) and self._full == (self.size.width, self.size.height)
            self.fmt = PixelFormat.I420 if plain else PixelFormat.RGB
        except (StopIteration, DeviceError):
            self.close()
            raise ConfigError(f"cannot play source {path}: it has no whole frame. {_advise(path)}") from None
        except ConfigError as exc:
            self.close()
            raise ConfigError(
                f"cannot play source {path}: it is too small: {exc}. Run: camdaemon run --source FILE"
            ) from None
        self._start: float | None = None  # when the first frame was due
        self._reformatter = VideoReformatter()

    def read(self, into: HostFrame) -> None:
        """See Source.read."""
        due, frame = self._newest() if self._paced else self._next()
        if self.fmt is PixelFormat.I420:
            self._copy_planes(frame, into)
        else:
            self._convert(frame, into)
        into.t = time.monotonic() if self._paced else due

    def _copy_planes(self, frame: av.VideoFrame, into: HostFrame) -> None:
        width, height = self._full
        if not (_is_i420(frame) and (frame.width, frame.height) == self._full):  # the format may change within a file
            frame = self._reformat(frame, "yuv420p")
        luma, *chroma = (_rows(plane)[:, : plane.width] for plane in frame.planes)
        into.data[:height] = luma
        into.data[height:].reshape(2, height // 2, width // 2)[:] = chroma

    def _convert(self, frame: av.VideoFrame, into: HostFrame) -> None:
        width, height = self._full
        rows = _rows(self._reformat(frame, "rgb24").planes[0])
        left, top = (width - self.size.width) // 2, (height - self.size.height) // 2
        cropped = rows[top : top + self.size.height, 3 * left : 3 * (left + self.size.width)]
        into.data.reshape(cropped.shape)[:] = cropped

    def _reformat(self, frame: av.VideoFrame, name: str) -> av.VideoFrame:
        try:
            return self._reformatter.reformat(frame, *self._full, name, interpolation=_EXACT)
        except (av.FFmpegError, ValueError) as exc:
            raise DeviceError(f"cannot convert a frame of {self.name}: {exc}. {_advise(self.name)}") from None

    def close(self) -> None:
        """See Source.close."""
        self._container.close()

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

    def _play(self) -> Iterator[tuple[float, av.VideoFrame]]:
        """Yield decoded frames and when they are due; a loop's next turn follows at the clip's frame rate."""
        base = end = 0.0
        while True:
            first: float | None = None
            for frame in self._decoded():
                at = end if frame.time is None else frame.time
                first = at - base if first is None else first
                due = max(at - first, end - 1 / self.fps)  # a clip whose clock jumps back plays on
                end = due + 1 / self.fps
                yield due, frame
            if not self._loop:
                return
            if first is None:
                raise DeviceError(f"cannot decode anything of {self.name} any more. {_advise(self.name)}")
            base = end
            self._rewind()

    def _decoded(self) -> Iterator[av.VideoFrame]:
        broken = 0
        packets = self._container.demux(self._stream)
        while True:
            try:
                frames = next(packets).decode()
                broken = 0
            except StopIteration:
                return
            except av.FFmpegError as exc:
                broken += 1
                if broken == 1:
                    log.warning("frame skipped: %s cannot be decoded: %s", self.name, exc.strerror)
                if broken > _BROKEN_IN_A_ROW:
                    raise DeviceError(f"{self.name} is broken: {exc.strerror}. {_advise(self.name)}") from None
                continue
            yield from frames

    def _rewind(self) -> None:
        try:
            self._container.seek(0)
        except av.FFmpegError as exc:
            raise DeviceError(f"cannot play {self.name} again: {exc.strerror}. {_advise(self.name)}") from None


def _open(path: Path) -> tuple[InputContainer, VideoStream]:
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as exc:
        raise ConfigError(
            f"cannot play source {path}: not a video, or truncated: {exc.strerror}. {_advise(path)}"
        ) from None
    if not container.streams.video:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        container.close()
        raise ConfigError(
            f"cannot play source {path}: it has no video, only {kinds}. Run: camdaemon run --source pattern"
        )
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = 2  # the network needs the other cores
    return container, stream


def _is_i420(frame: av.VideoFrame) -> bool:
    """Tell whether a frame is `PixelFormat.I420`: 8 bits, and BT.601 in limited range unless declared otherwise."""
    return (
        frame.format.name == "yuv420p"
        and frame.colorspace in _BT601
        and frame.color_range in (ColorRange.UNSPECIFIED, ColorRange.MPEG)
    )


def _rows(plane: VideoPlane) -> NDArray[np.uint8]:
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)


def _advise(path: Path | str) -> str:
    return f"Run: ffprobe {path}, or: camdaemon run --source pattern"
