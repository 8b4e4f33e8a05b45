"""The sound of a clip, copied without being encoded again into the film of its pictures."""

from __future__ import annotations

import contextlib
import io
import logging
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from camdaemon.errors import ConfigError
from camdaemon.frames.video import Video

# FFmpeg's names of the containers of a film, by suffix.
CONTAINERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
_HOLD_SOUND = {**CONTAINERS, ".webm": "webm"}

log = logging.getLogger(__name__)


class Sound:
    """Every audio track of a clip, timed from the clip's first picture on. Used by one thread.

    Args:
        path: The clip.
        start: What is before is left out, in seconds from the first picture on; the film begins with the picture there
            or after it.
        end: What begins later is left out.

    Raises:
        ConfigError, OSError, av.FFmpegError: It cannot be read.
    """

    def __init__(self, path: Path, start: float = 0.0, end: float = math.inf) -> None:
        self._begin = _find_begin(path)
        self._first = 0.0 if start else -math.inf
        if start:
            start = _find_picture(path, self._begin, start)
            self._begin += start
        self._end = end - start
        self._container = av.open(str(path))
        self.tracks: list[AudioStream] = list(self._container.streams.audio)
        self._packets: Iterator[Packet[Any]] = self._container.demux(self.tracks) if self.tracks else iter(())
        self._next: Packet[Any] | None = None
        self._out: dict[int, AudioStream] = {}

    def fits(self, container: str) -> bool:
        """Whether files of FFmpeg's format `container` can hold it as it is."""
        try:
            with av.open(io.BytesIO(), "w", format=container) as trial:
                for track in self.tracks:
                    trial.add_stream_from_template(track)
                trial.start_encoding()
        except (av.FFmpegError, ValueError, OSError):
            return False
        return True

    def add_to(self, container: OutputContainer) -> None:
        """Add its tracks to a film that has not begun."""
        for track in self.tracks:
            added = container.add_stream_from_template(track)
            added.metadata.update(track.metadata)
            self._out[track.index] = added

    def copy(self, container: OutputContainer, until: float | None) -> None:
        """Copy what begins before `until`, in seconds of the film; None: everything that is left."""
        while (packet := self._next or self._read()) is not None:
            self._next = None
            if packet.dts is None or packet.pts is None or packet.time_base is None:  # the end of a track
                continue
            t = float(packet.pts * packet.time_base) - self._begin
            if not self._first <= t < self._end:
                continue
            if until is not None and t >= until:
                self._next = packet
                return
            shift = round(self._begin / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = self._out[packet.stream_index]
            container.mux_one(packet)

    def _read(self) -> Packet[Any] | None:
        try:
            return next(self._packets, None)
        except av.FFmpegError as exc:
            log.warning("sound cut off: %s cannot be read any further: %s", self._container.name, exc.strerror)
            self._packets = iter(())
            return None

    def close(self) -> None:
        """Close the clip."""
        self._container.close()


def open_sound(
    clip: Path, film: Path, warn: Callable[[str], None], start: float = 0.0, end: float = math.inf
) -> Sound | None:
    """Open the sound of `clip` to copy it into `film`; None if it has none, or none that `film` can hold.

    Args:
        clip: A video.
        film: The file to write; its suffix names the container.
        warn: Told why a clip's sound is left out.
        start: See `Sound`.
        end: See `Sound`.
    """
    try:
        sound = Sound(clip, start, end)
    except (ConfigError, av.FFmpegError, OSError) as exc:
        warn(f"{film} has no sound: that of {clip} cannot be read: {getattr(exc, 'strerror', None) or exc}")
        return None
    if sound.tracks and sound.fits(_HOLD_SOUND[film.suffix.lower()]):
        return sound
    if sound.tracks:
        codecs = ", ".join(dict.fromkeys(track.codec_context.name for track in sound.tracks))
        other = f"Name: {film.with_suffix('.mkv')}" if film.suffix.lower() != ".mkv" else "Convert it with ffmpeg"
        warn(f"{film} has no sound: {film.suffix} files cannot hold that of {clip} ({codecs}). {other}")
    sound.close()
    return None


def _find_begin(path: Path) -> float:
    """Return the time of the first picture, in seconds of the clip."""
    with contextlib.closing(Video(path, "clip", f"Run: ffprobe {path}")) as clip:
        return clip.first.time or 0.0


def _find_picture(path: Path, begin: float, start: float) -> float:
    """Return when the first picture is shown that is not before `start`, in seconds after `begin`, or `start`."""
    found = math.inf
    with av.open(str(path)) as container:
        for packet in container.demux(container.streams.video[0]):
            if packet.pts is None or packet.dts is None:
                continue
            if float(packet.dts * packet.time_base) - begin > found:  # those that follow are shown later
                break
            t = float(packet.pts * packet.time_base) - begin
            found = min(found, t) if t >= start else found
    return found if math.isfinite(found) else start
