"""A result that is a folder with a picture of each frame: PNG, straight and coded; EXR, in linear light."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import av
import numpy as np
from numpy.typing import NDArray

from camdaemon.errors import ConfigError
from camdaemon.frames import light
from camdaemon.linux.files import prepare_replacement, take_name
from camdaemon.tools.files.progress import warn
from camdaemon.tools.files.rendering import Pixels
from camdaemon.tools.files.writers import cannot_write, write_png
from camdaemon.tools.films.frames import premultiply
from camdaemon.tools.films.record import FOLDER
from camdaemon.tools.films.times import TIMES_FILE, are_even, write_times
from camdaemon.tools.films.work import WorkFolder

PictureKind = Literal["png", "exr"]


class SequenceWriter:
    """Writes one picture for each frame into a folder. See `ResultWriter`.

    Where the frame rate varies, a file with each frame's time stands beside them. What else is in the folder stays.

    Args:
        path: The folder.
        kind: Of the pictures.
        transfer: How the colors' light is coded, as ITU-T H.273 numbers it.
        premultiplied: Whether colors are multiplied by alpha where there is one; None: in EXR alone.
        resumes: Whether frames that are there are gone on with.

    Raises:
        ConfigError: It cannot be written.
    """

    def __init__(
        self, path: Path, kind: PictureKind, transfer: int, premultiplied: bool | None, *, resumes: bool = False
    ) -> None:
        self.path, self._kind, self._transfer = path, kind, transfer
        self._premultiplied = kind == "exr" if premultiplied is None else premultiplied
        self.work = WorkFolder(path, is_folder=True, resumes=resumes)

    def check(self, parts: int, names: Sequence[str]) -> None:
        """See `ResultWriter`."""
        files = (self.work.path / f"{name}.{self._kind}" for name in names)
        target = Path(self.path).resolve()
        is_taking = self._mark.exists()
        self.work.check(file for file in files if not (is_taking and (target / file.name).is_file()))

    @property
    def _mark(self) -> Path:
        """Tells that pictures are taking their names."""
        return self.work.path / FOLDER / "taking"

    def begin(self, part: int) -> None:
        """See `ResultWriter`."""

    def write(self, pixels: Pixels, name: str, t: float) -> None:
        """See `ResultWriter`."""
        file = self.work.path / f"{name}.{self._kind}"
        has_alpha = pixels.ndim == 3 and pixels.shape[2] == 4
        if self._kind == "png":
            write_png(file, premultiply(pixels) if has_alpha and self._premultiplied else pixels)
        else:
            write_exr(file, to_light(pixels, self._transfer, premultiplied=self._premultiplied))

    def end(self) -> None:
        """See `ResultWriter`."""

    def abort(self) -> None:
        """See `ResultWriter`."""

    def finish(self, parts: int, times: Sequence[float], names: Sequence[str], advance: Callable[[], None]) -> None:
        """See `ResultWriter`."""
        files = [f"{name}.{self._kind}" for name in names]
        target = Path(self.path).resolve()
        varies = not are_even(times)
        try:
            if varies:
                write_times(self.work.path / TIMES_FILE, dict(zip(files, times, strict=True)))
                files.append(TIMES_FILE)
            target.mkdir(parents=True, exist_ok=True)
            self._mark.parent.mkdir(exist_ok=True)
            self._mark.touch()
            for file in files:
                if (self.work.path / file).exists():  # else an interrupted run has done it
                    take_name(self.work.path / file, target / file)
        except OSError as exc:
            raise cannot_write(self.path, exc) from None
        if varies:
            script = shlex.quote(str(self.path / TIMES_FILE))
            warn(f"The frame rate varies. For a film at the right times, run: ffmpeg -safe 0 -i {script} FILM.mkv")


def to_light(pixels: Pixels, transfer: int, *, premultiplied: bool) -> NDArray[np.float32]:
    """Decode results, uint8 or uint16 in full range, to linear light, float32 of the same shape; alpha is no light."""
    if pixels.ndim == 2:
        return np.asarray(pixels / np.float32(np.iinfo(pixels.dtype).max), np.float32)
    linear = light.to_linear(pixels, transfer)
    if pixels.shape[2] == 4:
        linear[..., 3] = pixels[..., 3] / np.float32(np.iinfo(pixels.dtype).max)
        if premultiplied:
            linear[..., :3] *= linear[..., 3:]
    return linear


def write_exr(path: Path, pixels: NDArray[np.float32]) -> None:
    """Write (H,W) gray, (H,W,3) RGB or (H,W,4) RGBA as OpenEXR in half floats, rounded to the nearest, compressed.

    Raises:
        ConfigError: It cannot be written.
    """
    values = pixels.astype(np.float16).astype(np.float32)  # FFmpeg's own conversion cuts off
    channels, names = ((0,), "grayf32le") if values.ndim == 2 else ((1, 2, 0), "gbrpf32le")
    if values.ndim == 3 and values.shape[2] == 4:
        channels, names = (*channels, 3), "gbrapf32le"
    height, width = values.shape[:2]
    frame = av.VideoFrame(width, height, names)
    for plane, channel in zip(frame.planes, channels, strict=True):
        rows = np.frombuffer(memoryview(plane), np.float32).reshape(height, -1)
        rows[:, :width] = values if values.ndim == 2 else values[..., channel]
    try:
        with (
            prepare_replacement(path) as draft,
            av.open(str(draft), "w", format="image2", options={"update": "1"}) as out,
        ):
            stream = out.add_stream("exr", 25)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = width, height, names
            stream.codec_context.options = {"format": "half", "compression": "zip16"}
            frame.pts = 0
            out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    except av.FFmpegError as exc:
        raise ConfigError(f"cannot write {path}: {exc.strerror}. Make room on that disk. Run: df -h") from None
    except OSError as exc:
        raise cannot_write(path, exc) from None
