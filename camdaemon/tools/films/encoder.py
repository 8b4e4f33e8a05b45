"""A part of a film: some frames in a file of their own, which can be played and joined with others without encoding."""

from __future__ import annotations

import contextlib
import errno
import math
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol, cast

import av
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from camdaemon.errors import DeviceError
from camdaemon.linux.files import sync_file
from camdaemon.tools.files.rendering import Pixels
from camdaemon.tools.films.encodings import Encoding
from camdaemon.tools.films.frames import FrameMaker
from camdaemon.tools.films.source import Tags

TICK = Fraction(1, 90_000)  # seconds, MPEG's clock
_PIXELS_OF_A_THREAD = 1280 * 720  # of a frame: some 5 ms. By the size alone, so that every machine writes the same file
_MOST_THREADS = 8
_FULL, _LIMITED, _UNSPECIFIED = 2, 1, 2
_RGB = 0
_EXTERNAL = av.error.tag_to_code(b"EXT ")  # an error of a library that FFmpeg uses


@dataclass(frozen=True, slots=True)
class FilmFormat:
    """What all parts of a film have in common.

    Attributes:
        encoding: Of the frames.
        size: Width and height.
        fps: About how many frames come in a second.
        tags: Of the source's colors.
        aspect: Of a pixel, width to height.
    """

    encoding: Encoding
    size: tuple[int, int]
    fps: float
    tags: Tags
    aspect: Fraction

    @property
    def declared(self) -> Tags:
        """What the film says of its colors: as the source does, as far as its pixels can have that."""
        if self.encoding.is_full:
            return Tags(_FULL, _UNSPECIFIED, _UNSPECIFIED, _UNSPECIFIED)
        if self.encoding.pixels.startswith(("gbr", "bgr")):
            return self.tags._replace(range=_FULL, matrix=_RGB)
        if self.encoding.encoder == "prores_ks":  # has limited range alone
            return self.tags._replace(range=_LIMITED)
        return self.tags


class PartEncoder(Protocol):
    """Encodes the frames of one part. Used by one thread."""

    def write(self, pixels: Pixels, t: float) -> None:
        """Encode a frame that is shown at `t`, in seconds since the film's beginning. Raises DeviceError."""

    def close(self) -> None:
        """Finish the part: it is on the disk when this returns. Raises DeviceError."""

    def abort(self) -> None:
        """Leave the part as it is."""


class LibraryEncoder:
    """A `PartEncoder` by FFmpeg's libraries, into Matroska.

    Args:
        path: The part's file.
        film: What it is a part of.

    Raises:
        DeviceError: It cannot be written.
    """

    def __init__(self, path: Path, film: FilmFormat) -> None:
        self._path, self._last = path, -1
        declared = film.declared
        self._frames, self._declared = FrameMaker(film.encoding, declared), declared
        try:
            options = {"fflags": "+bitexact", "flush_packets": "1", "cluster_time_limit": "1000"}
            self._container = av.open(str(path), "w", format="matroska", container_options=options)
            self._stream = self._add_stream(film, declared)
            self._container.start_encoding()
        except (av.FFmpegError, OSError, ValueError, OverflowError) as exc:
            raise cannot_encode(path, exc) from None

    def _add_stream(self, film: FilmFormat, declared: Tags) -> VideoStream:
        encoding = film.encoding
        rate = Fraction(film.fps).limit_denominator(1001)
        stream = cast("VideoStream", self._container.add_stream(encoding.encoder, rate))
        context = stream.codec_context
        context.width, context.height = film.size
        context.pix_fmt = encoding.pixels
        stream.time_base = context.time_base = TICK
        context.sample_aspect_ratio = film.aspect
        context.options = encoding.options
        if encoding.bitrate:
            context.bit_rate = encoding.bitrate
        context.thread_count = _count_threads(film)
        _declare(context, declared)
        return stream

    def write(self, pixels: Pixels, t: float) -> None:
        """See `PartEncoder`."""
        frame = self._frames.make(pixels)
        _declare(frame, self._declared)  # ProRes has it in every frame
        self._last = max(round(t / TICK), self._last + 1)
        frame.pts, frame.time_base = self._last, TICK
        self._mux(frame)

    def _mux(self, frame: av.VideoFrame | None) -> None:
        try:
            self._container.mux(self._stream.encode(frame))
            if frame is None:
                self._container.close()
        except (av.FFmpegError, OSError) as exc:
            raise cannot_encode(self._path, exc) from None

    def close(self) -> None:
        """See `PartEncoder`."""
        self._mux(None)
        sync(self._path)

    def abort(self) -> None:
        """See `PartEncoder`."""
        with contextlib.suppress(av.FFmpegError, OSError):
            self._container.close()


def _count_threads(film: FilmFormat) -> int:
    """Return how many threads encode: as the size alone says, so that every machine writes the same file.

    Where each frame is encoded by itself, their number changes nothing: half of the processors, as matting needs the
    others at the same time.
    """
    if film.encoding.encoder in ("prores_ks", "ffv1"):
        return max(1, min(_MOST_THREADS, (os.cpu_count() or 1) // 2))
    return min(_MOST_THREADS, math.ceil(film.size[0] * film.size[1] / _PIXELS_OF_A_THREAD))


def _declare(what: VideoCodecContext | av.VideoFrame, tags: Tags) -> None:
    what.color_range, what.colorspace, what.color_primaries, what.color_trc = tags


def sync(path: Path) -> None:
    """Have a file on the disk. Raises DeviceError."""
    try:
        sync_file(path)
    except OSError as exc:
        raise cannot_encode(path, exc) from None


def cannot_encode(path: Path, exc: Exception) -> DeviceError:
    """Return the error for a part that cannot be written."""
    why = getattr(exc, "strerror", None) or exc
    is_refused = getattr(exc, "errno", None) in (errno.EPERM, errno.EINVAL, _EXTERNAL)  # by an encoder, not by a disk
    what = "Run with: --codec auto --hardware none" if is_refused else "Is the disk full? Run: df -h"
    return DeviceError(f"cannot write to {path}: {why}. {what}")
