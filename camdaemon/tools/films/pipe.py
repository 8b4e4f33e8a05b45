"""A part of a film by the program ffmpeg, for encoders that PyAV's libraries lack: VAAPI and QSV."""

from __future__ import annotations

import os
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np

from camdaemon.errors import DeviceError
from camdaemon.linux.programs import FedProgram, ask
from camdaemon.tools.files.rendering import Pixels
from camdaemon.tools.films.encoder import FilmFormat, cannot_encode, sync
from camdaemon.tools.films.frames import FrameMaker

_RENDER_NODE = "/dev/dri/renderD128"
_LONGEST_S = 60.0  # for ffmpeg to write what it still holds


def find_ffmpeg(encoder: str) -> str:
    """Return the path of an ffmpeg that has `encoder`. Raises DeviceError."""
    program = shutil.which("ffmpeg")
    if program is None:
        raise DeviceError("the program ffmpeg is not installed. Run: sudo apt install ffmpeg")
    if encoder not in ask([program, "-hide_banner", "-encoders"]).out:
        raise DeviceError(f"{program} has no encoder {encoder}. Run: {program} -encoders")
    return program


class PipeEncoder:
    """A `PartEncoder` that hands frames to ffmpeg through a pipe.

    The part's frames are evenly spaced, since a pipe carries no times; `join_parts` gives each its own.

    Args:
        path: The part's file.
        film: What it is a part of; its encoding's pixel format is what goes through the pipe.
        program: The path of ffmpeg.

    Raises:
        DeviceError: It cannot be started.
    """

    def __init__(self, path: Path, film: FilmFormat, program: str) -> None:
        self._path = path
        self._frames = FrameMaker(film.encoding, film.declared)
        try:
            self._program = FedProgram(make_command(path, film, program))
        except OSError as exc:
            raise cannot_encode(path, exc) from None

    def write(self, pixels: Pixels, t: float) -> None:
        """See `PartEncoder`."""
        frame = self._frames.make(pixels)
        sample = 2 if frame.format.name == "p010le" else 1  # bytes
        try:
            for plane in frame.planes:  # all rows of NV12 and P010 are of one length
                rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)
                self._program.write(rows[:, : frame.width * sample].tobytes())
        except OSError as exc:
            raise self._fail(exc) from None

    def close(self) -> None:
        """See `PartEncoder`."""
        try:
            self._program.finish(_LONGEST_S)
        except OSError as exc:
            raise self._fail(exc) from None
        self._program.kill()
        sync(self._path)

    def abort(self) -> None:
        """See `PartEncoder`."""
        self._program.kill()

    def _fail(self, exc: OSError) -> DeviceError:
        why = self._program.kill() or exc
        return DeviceError(f"ffmpeg cannot write {self._path}: {why}. Run: ffmpeg -version")


def make_command(path: Path, film: FilmFormat, program: str) -> list[str]:
    """Return the command that encodes raw frames from its input into a part."""
    encoding, declared = film.encoding, film.declared
    width, height = film.size
    rate = Fraction(film.fps).limit_denominator(1001)
    command = [program, "-hide_banner", "-loglevel", "error", "-y"]
    filters = []
    if encoding.encoder.endswith("_vaapi"):
        command += ["-vaapi_device", os.environ.get("CAMDAEMON_RENDER_NODE", _RENDER_NODE)]
        filters = ["-vf", "hwupload"]
    command += ["-f", "rawvideo", "-pix_fmt", encoding.pixels, "-video_size", f"{width}x{height}"]
    command += ["-framerate", str(rate), "-i", "pipe:0", *filters, "-c:v", encoding.encoder]
    for name, value in encoding.options.items():
        command += [f"-{name}", value]
    if encoding.bitrate:
        command += ["-b:v", str(encoding.bitrate)]
    names = ("-color_range", "-colorspace", "-color_primaries", "-color_trc")
    for name, number in zip(names, declared, strict=True):
        command += [name, str(number)]
    return [*command, "-aspect", str(film.aspect * width / height), "-fflags", "+bitexact", "-f", "matroska", str(path)]
