"""`camdaemon video`: every frame of a video or of a folder of frames, in order, without dropped frames."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from camdaemon.capture.file import FileSource
from camdaemon.errors import ConfigError, StreamEnded
from camdaemon.frames import picture
from camdaemon.frames.frame import HostFrame, Size
from camdaemon.frames.job import JobFrame
from camdaemon.frames.picture import Picture
from camdaemon.linux.folders import expand_home
from camdaemon.plate.take import Plate, PlateJob, PlateRules
from camdaemon.tools.files.image import PICTURES, list_pictures
from camdaemon.tools.files.offline import OfflinePipeline, explain_card, fit_plate, pad_picture
from camdaemon.tools.files.progress import show_progress, warn
from camdaemon.tools.files.results import ResultPaths, open_backdrop, render_results
from camdaemon.tools.files.writers import check_video_path, open_writer


@dataclass(frozen=True, slots=True)
class FrameSequence:
    """A video file, or a folder of frames in the order of their names, in which numbers are numbers.

    Attributes:
        path: The file or folder.
        size: Width and height of its frames; those of a file are cropped to multiples of 4, as live.
        fps: Frames per second.
        count: Number of frames; None: unknown.
    """

    path: Path
    size: tuple[int, int]
    fps: float
    count: int | None

    @classmethod
    def open(cls, path: Path, fps: float | None) -> FrameSequence:
        """Read the facts of `path`.

        Args:
            path: The file or folder.
            fps: Frames per second; None: those of the video, 30 for a folder.

        Raises:
            ConfigError: It cannot be read.
        """
        if path.is_dir():
            files = _list_frames(path)
            height, width = picture.read(files[0], "another --src FOLDER").shape[:2]
            return cls(path, (width, height), fps or 30.0, len(files))
        with contextlib.closing(FileSource(path, loop=False, paced=False)) as source:
            size = source.size.width, source.size.height
            if size != source.shown:
                width, height = source.shown
                warn(f"{path} is {width}x{height}, cropped to {source.size} as live (multiples of 4).")
            return cls(path, size, fps or source.fps, source.count)

    def frames(self) -> Iterator[tuple[str, Picture]]:
        """Yield name and picture (H,W,3) of each frame; a picture is valid until the next one.

        Raises:
            ConfigError: A picture cannot be read, or has another size.
            DeviceError: The video cannot be read.
        """
        if not self.path.is_dir():
            yield from self._decode()
            return
        for file in _list_frames(self.path):
            rgb = picture.read(file, "another --src FOLDER")
            if (rgb.shape[1], rgb.shape[0]) != self.size:
                raise ConfigError(
                    f"{file} is {rgb.shape[1]}x{rgb.shape[0]}, the first frame {self.size[0]}x{self.size[1]}: frames "
                    "of one camera have one size. For single pictures, run: camdaemon image"
                )
            yield file.stem, rgb

    def _decode(self) -> Iterator[tuple[str, Picture]]:
        with contextlib.closing(FileSource(self.path, loop=False, paced=False)) as source:
            frame = HostFrame.empty(source.fmt, source.size)
            seq = 0
            with contextlib.suppress(StreamEnded):
                while True:
                    source.read(frame)
                    yield f"{seq:06d}", frame.data
                    seq += 1


def _list_frames(folder: Path) -> list[Path]:
    files = list_pictures(folder)
    if not files:
        raise ConfigError(f"{folder} has no pictures ({', '.join(PICTURES)}). Run with: --src FOLDER or --src VIDEO")
    return files


def get_plate(video: FrameSequence, pipeline: OfflinePipeline, plate: str, rules: PlateRules) -> Plate:
    """Return the plate, padded like the frames: read from the file `plate`, or for 'auto' taken from the video.

    'auto' works as live: the plate is the median of the first frames in which nothing moves.

    Raises:
        ConfigError: The file cannot be read, or the video ends before there is a plate.
        PlateRefused: The frames are no plate.
    """
    if plate != "auto":
        path = expand_home(plate)
        rgb = picture.read(path, "--plate auto")
        _, first = next(video.frames())
        return Plate(pad_picture(fit_plate(rgb, first, plate)))
    job = PlateJob(rules, countdown=0.0)
    for seq, (_, rgb) in enumerate(video.frames()):
        taken = job.feed(JobFrame(seq, seq / video.fps, pipeline.upload(pad_picture(rgb)), None, None))
        if taken is not None:
            return taken
    raise ConfigError(
        f"{video.path} ended before the room was empty and still for {rules.still_s:g} s. Name a picture of the empty "
        "room, run with: --plate FILE"
    )


def matte_video(
    video: FrameSequence,
    pipeline: OfflinePipeline,
    plate: Plate,
    wanted: ResultPaths,
    backdrop: str,
    max_coverage: float,
) -> int:
    """Matte every frame and write the wanted results.

    A result that is a file appears when all frames are done, or not at all; a folder fills frame by frame.

    Returns:
        The number of frames.

    Raises:
        ConfigError: A file cannot be read or written.
        MattingError: A frame cannot be matted.
    """
    for path in wanted.paths().values():
        check_video_path(path)
    pipeline.rewind()
    seq, covered = 0, 0
    with contextlib.ExitStack() as opened, show_progress("frames", video.count) as advance:
        bgr = None
        if wanted.composite is not None:
            height, width = plate.rgb.shape[:2]
            bgr = open_backdrop(backdrop, Size(width, height))
            opened.callback(bgr.close)
        writers = {
            name: opened.enter_context(
                open_writer(path, video.size, video.fps, gray=name not in ("foreground", "composite"))
            )
            for name, path in wanted.paths().items()
        }
        for name, rgb in video.frames():
            matte = pipeline.matte_frame(pad_picture(rgb), plate, seq)
            covered += bool(explain_card(matte, max_coverage))
            found = render_results(pipeline, matte, plate, wanted, bgr, seq / video.fps, rgb)
            for result, pixels in found.items():
                writers[result].write(pixels, name)
            seq += 1
            advance()
    if covered:
        warn(
            f"In {covered} of {seq} frames the matte covers more than {max_coverage:.0%} of the picture: live they "
            "would be the privacy card. If the camera or the light has changed, take another plate."
        )
    return seq
