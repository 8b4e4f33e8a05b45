"""Encoders and decoders of graphics cards: each is tried on one frame first, and a line says what is used instead."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.codec.hwaccel import HWAccel

from camdaemon.errors import CamdaemonError
from camdaemon.frames.video import Video
from camdaemon.tools.films.encoder import FilmFormat, LibraryEncoder, PartEncoder
from camdaemon.tools.films.encodings import Encoding, Hardware
from camdaemon.tools.films.pipe import PipeEncoder, find_ffmpeg


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder of a graphics card.

    Attributes:
        kind: Of the card.
        codec: FFmpeg's name of the software encoder that it replaces.
        name: FFmpeg's name of it.
        quality: Its option for a constant quality, which takes numbers like the software encoder's crf.
        pixels: Its pixel formats, for 8 bits and for 10; "": it has none.
    """

    kind: Hardware
    codec: str
    name: str
    quality: str
    pixels: tuple[str, str]


ENCODERS = (
    Encoder(Hardware.NVIDIA, "libx264", "h264_nvenc", "cq", ("yuv420p", "")),
    Encoder(Hardware.NVIDIA, "libx265", "hevc_nvenc", "cq", ("yuv420p", "p010le")),
    Encoder(Hardware.VAAPI, "libx264", "h264_vaapi", "qp", ("nv12", "")),
    Encoder(Hardware.VAAPI, "libx265", "hevc_vaapi", "qp", ("nv12", "p010le")),
    Encoder(Hardware.QSV, "libx264", "h264_qsv", "global_quality", ("nv12", "")),
    Encoder(Hardware.QSV, "libx265", "hevc_qsv", "global_quality", ("nv12", "p010le")),
)
Make = Callable[[Path, FilmFormat, Encoder], PartEncoder]


class HardwareEncoders:
    """Makes encoders of parts: a graphics card's where one was asked for and works, else FFmpeg's own. For any thread.

    Args:
        wanted: What was asked for.
        warn: Told what is used instead of what.
        make: Makes a graphics card's encoder.
    """

    def __init__(self, wanted: Hardware, warn: Callable[[str], None], make: Make | None = None) -> None:
        self._wanted, self._warn, self._make = wanted, warn, make or make_encoder
        self._chosen: dict[tuple[str, str, tuple[int, int]], Encoder | None] = {}
        self._lock = threading.Lock()

    def __call__(self, path: Path, film: FilmFormat) -> PartEncoder:
        """Make the encoder of a part. Raises DeviceError."""
        found = self.find(film)
        return LibraryEncoder(path, film) if found is None else self._make(path, film, found)

    def find(self, film: FilmFormat) -> Encoder | None:
        """Return the graphics card's encoder for a film, tried once on one frame; None: FFmpeg's own is used."""
        key = film.encoding.encoder, film.encoding.pixels, film.size
        with self._lock:
            if key not in self._chosen:
                self._chosen[key] = self._try_all(film)
            return self._chosen[key]

    def name_all(self, films: dict[str, FilmFormat]) -> dict[str, str]:
        """Return FFmpeg's names of the encoders of films: all parts of one have to be of the same."""
        found = {name: self.find(film) for name, film in films.items()}
        return {
            name: film.encoding.encoder if (each := found[name]) is None else each.name for name, film in films.items()
        }

    def _try_all(self, film: FilmFormat) -> Encoder | None:
        if self._wanted is Hardware.NONE or film.encoding.is_full:
            return None
        candidates = [
            each
            for each in ENCODERS
            if each.codec == film.encoding.encoder
            and self._wanted in (Hardware.AUTO, each.kind)
            and _find_pixels(each, film.encoding)
        ]
        failures = []
        for each in candidates:
            try:
                self._try(film, each)
            except CamdaemonError as exc:
                failures.append(f"{each.name}: {exc}")
            else:
                return each
        if self._wanted is not Hardware.AUTO:
            why = "; ".join(failures) or f"{self._wanted} has no encoder for {film.encoding.pixels} of it"
            self._warn(f"{film.encoding.encoder} encodes on the processor instead: {why}")
        return None

    def _try(self, film: FilmFormat, encoder: Encoder) -> None:
        width, height = film.size
        with tempfile.TemporaryDirectory(prefix="camdaemon-") as folder:
            path = Path(folder) / "one.mkv"
            part = self._make(path, film, encoder)
            try:
                part.write(np.zeros((height, width, 3), np.uint8), 0.0)
                part.close()
            except BaseException:
                part.abort()
                raise
            with contextlib.closing(Video(path, "trial", "Run without --hardware")):
                pass


def make_encoder(path: Path, film: FilmFormat, encoder: Encoder) -> PartEncoder:
    """Make a graphics card's encoder of a part: through FFmpeg's libraries, or through the program ffmpeg.

    The libraries that come with PyAV have NVIDIA's alone. Raises DeviceError.
    """
    pixels = _find_pixels(encoder, film.encoding)
    options = {name: value for name, value in film.encoding.options.items() if name == "g"} | {"bf": "0"}
    if quality := film.encoding.options.get("crf"):
        options[encoder.quality] = quality
    encoding = film.encoding._replace(encoder=encoder.name, pixels=pixels, options=options)
    changed = FilmFormat(encoding, film.size, film.fps, film.tags, film.aspect)
    if encoder.kind is Hardware.NVIDIA:
        return LibraryEncoder(path, changed)
    return PipeEncoder(path, changed, find_ffmpeg(encoder.name))


def _find_pixels(encoder: Encoder, encoding: Encoding) -> str:
    if "444" in encoding.pixels or encoding.has_alpha:
        return ""
    return encoder.pixels["10" in encoding.pixels]


def find_decoder(wanted: Hardware, film: Path, warn: Callable[[str], None]) -> HWAccel | None:
    """Return NVIDIA's decoder for a film, tried on its first frame; None: the processor decodes."""
    if wanted not in (Hardware.AUTO, Hardware.NVIDIA) or os.path.isdir(film):
        return None
    try:
        accelerator = HWAccel(device_type="cuda", allow_software_fallback=False)
        with contextlib.closing(Video(film, "source", "Run without --hardware", hwaccel=accelerator)):
            return accelerator
    except (CamdaemonError, av.FFmpegError, RuntimeError, ValueError, NotImplementedError):
        if wanted is Hardware.NVIDIA:
            warn(f"{film.name} is decoded on the processor instead: no NVIDIA card here takes it. Run: nvidia-smi")
        return None
