"""`camdaemon video`: every frame of a video, or of a folder of frames, in order, none dropped."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av

from camdaemon.capture.file import FileSource
from camdaemon.errors import ConfigError, StreamEnded
from camdaemon.frames import picture
from camdaemon.frames.frame import HostFrame, Size
from camdaemon.frames.job import JobFrame
from camdaemon.frames.picture import Picture
from camdaemon.plate.take import Plate, PlateJob, PlateRules
from camdaemon.tools.files.files import check_video, reel
from camdaemon.tools.files.image import PICTURES
from camdaemon.tools.files.progress import progress, say
from camdaemon.tools.files.results import Wanted, develop, open_backdrop
from camdaemon.tools.files.studio import Studio, covers_too_much, fitted, padded


@dataclass(frozen=True, slots=True)
class Film:
    """A video file, or a folder of frames in the order of their names.

    size: width and height of its frames (a file's are cropped to multiples of 4, as live).   fps: frames per second.
    count: frames, None where nobody knows.
    """

    path: Path
    size: tuple[int, int]
    fps: float
    count: int | None

    @classmethod
    def open(cls, path: Path, fps: float | None) -> Film:
        """Look at `path`; `fps` replaces a video's own and is 30 for a folder where it is None. Raises ConfigError."""
        if path.is_dir():
            files = _files(path)
            height, width = picture.read(files[0], "another --src FOLDER").shape[:2]
            return cls(path, (width, height), fps or 30.0, len(files))
        with contextlib.closing(FileSource(path, loop=False, paced=False)) as source, av.open(str(path)) as container:
            size, stream = (source.size.width, source.size.height), container.streams.video[0]
            if size != (stream.width, stream.height):
                say(
                    f"{path} is {stream.width}x{stream.height}; as live it is cropped to {source.size}, multiples of 4."
                )
            return cls(path, size, fps or source.fps, stream.frames or None)

    def frames(self) -> Iterator[tuple[str, Picture]]:
        """Name and picture (H,W,3), borrowed until the next one, of each frame. Raises ConfigError, DeviceError."""
        if not self.path.is_dir():
            yield from self._decoded()
            return
        for file in _files(self.path):
            rgb = picture.read(file, "another --src FOLDER")
            if (rgb.shape[1], rgb.shape[0]) != self.size:
                raise ConfigError(
                    f"{file} is {rgb.shape[1]}x{rgb.shape[0]}, the first frame {self.size[0]}x{self.size[1]}: frames "
                    "of one camera have one size; for single pictures use: camdaemon image"
                )
            yield file.stem, rgb

    def _decoded(self) -> Iterator[tuple[str, Picture]]:
        with contextlib.closing(FileSource(self.path, loop=False, paced=False)) as source:
            frame = HostFrame.empty(source.fmt, source.size)
            seq = 0
            with contextlib.suppress(StreamEnded):
                while True:
                    source.read(frame)
                    yield f"{seq:06d}", frame.data
                    seq += 1


def _files(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    if not files:
        raise ConfigError(f"{folder} has no pictures ({', '.join(PICTURES)}); name another folder or video with --src")
    return files


def plate_of(film: Film, studio: Studio, plate: str, rules: PlateRules) -> Plate:
    """The plate, padded as the frames will be: from the file `plate`, or for 'auto' taken from the film itself.

    'auto' is what happens live: the median of the first frames in which nothing moved. Raises ConfigError,
    PlateRefused.
    """
    if plate != "auto":
        path = Path(plate).expanduser()
        rgb = picture.read(path, "--plate auto")
        _, first = next(film.frames())
        return Plate(padded(fitted(rgb, first, plate)))
    job = PlateJob(rules, countdown=0.0)
    for seq, (_, rgb) in enumerate(film.frames()):
        taken = job.feed(JobFrame(seq, seq / film.fps, studio.upload(padded(rgb)), None, None))
        if taken is not None:
            return taken
    raise ConfigError(
        f"{film.path} ended before the room was empty and still for {rules.still_s:g} s; name a picture of the empty "
        "room with --plate FILE"
    )


def matte_film(film: Film, studio: Studio, plate: Plate, wanted: Wanted, backdrop: str, max_coverage: float) -> int:
    """Matte every frame and write what is wanted; returns the number of frames. Raises ConfigError, MattingError.

    A result that is a file appears when the film is done, or not at all; a folder fills as it goes.
    """
    for path in wanted.paths().values():
        check_video(path)
    studio.rewind()
    seq, covered = 0, 0
    with contextlib.ExitStack() as opened, progress("frames", film.count) as advance:
        behind = None
        if wanted.composite is not None:
            height, width = plate.rgb.shape[:2]
            behind = open_backdrop(backdrop, Size(width, height))
            opened.callback(behind.close)
        reels = {
            name: opened.enter_context(reel(path, film.size, film.fps, gray=name not in ("foreground", "composite")))
            for name, path in wanted.paths().items()
        }
        for name, rgb in film.frames():
            matte = studio.frame(padded(rgb), plate, seq)
            covered += bool(covers_too_much(matte, max_coverage))
            found = develop(studio, matte, plate, wanted, behind, seq / film.fps, rgb)
            for result, pixels in found.items():
                reels[result].write(pixels, name)
            seq += 1
            advance()
    if covered:
        say(
            f"In {covered} of {seq} frames the matte covers over {max_coverage:.0%} of the picture: live they would be "
            "the privacy card. Did the camera or the light change? Then take another plate."
        )
    return seq
