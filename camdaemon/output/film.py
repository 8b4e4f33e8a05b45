"""A film on its way into a file: pictures at their own times, and the sound of the clip they were made from.

It is written as NAME.part, which can be played at any moment, even after the power failed: Matroska, or MP4 in
fragments that FFmpeg turns into an ordinary MP4 at the end. Only a finished film gets its name.
"""

from __future__ import annotations

import contextlib
import math
import os
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, cast

import av
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from camdaemon.errors import ConfigError, DeviceError
from camdaemon.frames.frame import Size
from camdaemon.linux.drafts import Draft
from camdaemon.output.sound import CONTAINERS, Sound

_TICK = Fraction(1, 90_000)  # seconds, MPEG's clock
# A cut costs a second at most, apart from the frames that the encoder holds.
_FRAGMENTED = {"movflags": "hybrid_fragmented+delay_moov", "frag_duration": "1000000"}
_PIXELS_OF_A_THREAD = 1280 * 720  # of a picture: some 5 ms
_OPTIONS = {"mp4": _FRAGMENTED, "mov": _FRAGMENTED, "matroska": {"cluster_time_limit": "1000"}}
SUFFIXES = tuple(CONTAINERS)


class Encoding(NamedTuple):
    """How the pictures are encoded: FFmpeg's names, and what the file says of its colors."""

    codec: str
    pixels: str
    options: dict[str, str]
    range: ColorRange | None = None
    matrix: Colorspace | None = None


# Without B-frames, every picture of an MP4 keeps its time to the tick, the last one included. Colors as frames/color.py
# converts them.
IN_ORDER = {"preset": "veryfast", "bf": "0"}
H264 = Encoding("libx264", "yuv420p", {**IN_ORDER, "crf": "20"}, ColorRange.MPEG, Colorspace.ITU601)


class Film:
    """Encodes pictures into a file. Used by one thread.

    Args:
        path: The file; its suffix, one of `SUFFIXES`, names the container. Its folder must be there.
        size: Size of the pictures.
        fps: About how many pictures come in a second.
        encoding: Of the pictures.
        sound: Copied into the file, as far as the pictures go; closed with the film.

    Raises:
        ConfigError: The file cannot be created.
    """

    def __init__(
        self, path: Path, size: Size, fps: float, encoding: Encoding = H264, sound: Sound | None = None
    ) -> None:
        self.name, self.frames = str(path), 0
        self._last, self._sound = -1, sound
        self._period = 1 / fps
        try:
            self._draft = Draft(path)
        except OSError as exc:
            raise _cannot_write(path, exc) from None
        container = CONTAINERS[path.suffix.lower()]
        options = {**_OPTIONS[container], "flush_packets": "1"}
        try:
            self._container = av.open(str(self._draft.path), "w", format=container, container_options=options)
            self._stream = self._add_stream(encoding, size, fps)
            if sound is not None:
                sound.add_to(self._container)
            self._container.start_encoding()
        except (av.FFmpegError, OSError) as exc:
            self._draft.remove()
            raise _cannot_write(path, exc) from None
        self._is_open = True

    def _add_stream(self, encoding: Encoding, size: Size, fps: float) -> VideoStream:
        stream = cast("VideoStream", self._container.add_stream(encoding.codec, Fraction(fps).limit_denominator(1001)))
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = size.width, size.height, encoding.pixels
        stream.time_base = context.time_base = _TICK
        context.options = encoding.options
        if encoding.codec == "libx264":
            context.thread_count = _count_threads(size)
        if encoding.range is not None:
            context.color_range = encoding.range
        if encoding.matrix is not None:
            context.colorspace = encoding.matrix
        return stream

    @property
    def part(self) -> Path:
        """Where it is until it is finished."""
        return self._draft.path

    def write(self, picture: av.VideoFrame, t: float) -> None:
        """Add a picture; its time is at least a tick after the previous one's.

        Args:
            picture: In the encoding's pixel format; borrowed for the call.
            t: When it is shown, in seconds since the film's beginning.

        Raises:
            DeviceError: It cannot be written. What was written stays as NAME.part.
        """
        if not self._is_open:
            return
        self._last, self.frames = max(round(t / _TICK), self._last + 1), self.frames + 1
        picture.pts, picture.time_base = self._last, _TICK
        self._mux(picture)

    def is_new(self, t: float) -> bool:
        """Whether `t` is later than the time of the last picture."""
        return round(t / _TICK) > self._last

    def finish(self, *, whole_sound: bool = False) -> None:
        """Finish the file and give it its name. A film without pictures leaves none. May be called twice.

        Args:
            whole_sound: Copy the sound to its end, even where it is longer than the pictures.

        Raises:
            DeviceError: It cannot be written. What was written stays as NAME.part.
        """
        if not self._is_open:
            return
        if whole_sound and self._sound is not None and self.frames:
            self._copy_sound(None)
        self._end()
        if not self.frames:
            self._draft.remove()
            return
        try:
            self._draft.finish()
        except OSError as exc:
            raise self._failed(exc) from None

    def cut_off(self) -> bool:
        """End the film where it is, as NAME.part; returns whether there is anything in it. May be called twice."""
        with contextlib.suppress(DeviceError):
            if self._is_open:
                self._end()
        if self.frames:
            self._draft.keep()
        else:
            self._draft.remove()
        return bool(self.frames)

    def _end(self) -> None:
        self._mux(None)
        self._is_open = False
        if self._sound is not None:
            self._sound.close()

    def _mux(self, picture: av.VideoFrame | None) -> None:
        try:
            self._container.mux(self._stream.encode(picture))
            self._copy_sound(float(self._last * _TICK) + self._period)
            if picture is None:
                self._container.close()
        except (av.FFmpegError, OSError) as exc:
            self._is_open = False  # FFmpeg crashes on any further call
            raise self._failed(exc) from None

    def _copy_sound(self, until: float | None) -> None:
        if self._sound is not None:
            self._sound.copy(self._container, until)

    def _failed(self, exc: Exception) -> DeviceError:
        why = getattr(exc, "strerror", None) or exc
        return DeviceError(f"cannot write to {self.name}: {why}; is the disk full? Run: df -h")


def _count_threads(size: Size) -> int:
    """Return how many threads of x264 encode pictures of `size`: no more than needed, since each costs something."""
    return min(os.cpu_count() or 1, math.ceil(size.width * size.height / _PIXELS_OF_A_THREAD))


def _cannot_write(path: Path, exc: Exception) -> ConfigError:
    why = getattr(exc, "strerror", None) or exc
    return ConfigError(f"cannot write {path}: {why}. Name a file in a folder of yours, such as: out.mp4")
