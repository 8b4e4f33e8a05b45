"""`camdaemon video`: every frame of a video or of a folder of frames, in order, without dropped frames."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from camdaemon.capture.file import FileSource
from camdaemon.daemon.progress import show_progress
from camdaemon.errors import ConfigError, DeviceError, Interrupted, MattingError, StreamEnded
from camdaemon.frames import picture
from camdaemon.frames.frame import HostFrame, Size
from camdaemon.frames.job import JobFrame
from camdaemon.frames.picture import Picture
from camdaemon.linux.folders import expand_home
from camdaemon.linux.results import check_results, keep_command
from camdaemon.output.sound import Sound, open_sound
from camdaemon.plate.parts import Plate
from camdaemon.plate.take import PlateJob, PlateRules
from camdaemon.plate.unknown import make_blank_plate
from camdaemon.tools.files.image import PICTURES, list_pictures
from camdaemon.tools.files.offline import OfflinePipeline, explain_card, fit_plate, pad_picture
from camdaemon.tools.files.progress import warn
from camdaemon.tools.files.results import NO_PLATE, ResultPaths, open_backdrop, render_results
from camdaemon.tools.files.times import TIMES_FILE
from camdaemon.tools.files.writers import FrameWriter, check_video_path, make_writer

_NUMBER = re.compile(r"\d{6,}")  # the names of a video's frames


@dataclass(frozen=True, slots=True)
class FrameSequence:
    """A video file, or a folder of frames in the order of their names, in which numbers are numbers.

    Attributes:
        path: The file or folder.
        size: Width and height of its frames; those of a file are cropped to multiples of 4, as live.
        fps: Frames per second.
        count: Number of frames; None: unknown.
        is_timed: Whether the frames have their own times, which the rate is the mean of; else they are evenly spaced.
    """

    path: Path
    size: tuple[int, int]
    fps: float
    count: int | None
    is_timed: bool = False

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
            return cls(path, size, fps or source.fps, source.count, is_timed=fps is None)

    def frames(self) -> Iterator[tuple[str, float, Picture]]:
        """Yield name, time in seconds, and picture (H,W,3) of each frame; a picture is valid until the next one.

        Times are the video's own, unless a frame rate was asked for.

        Raises:
            ConfigError: A picture cannot be read or has another size, or the video cannot be read any further.
        """
        if not self.path.is_dir():
            yield from self._decode()
            return
        for seq, file in enumerate(_list_frames(self.path)):
            rgb = picture.read(file, "another --src FOLDER")
            if (rgb.shape[1], rgb.shape[0]) != self.size:
                raise ConfigError(
                    f"{file} is {rgb.shape[1]}x{rgb.shape[0]}, the first frame {self.size[0]}x{self.size[1]}: frames "
                    "of one camera have one size. For single pictures, run: camdaemon image"
                )
            yield file.stem, seq / self.fps, rgb

    def _decode(self) -> Iterator[tuple[str, float, Picture]]:
        with contextlib.closing(FileSource(self.path, loop=False, paced=False)) as source:
            frame = HostFrame.empty(source.fmt, source.size)
            seq = 0
            while True:
                try:
                    source.read(frame)
                except StreamEnded:
                    return
                except DeviceError as exc:  # no device: the file that was named is not what it should be
                    raise ConfigError(str(exc)) from None
                yield f"{seq:06d}", frame.t if self.is_timed else seq / self.fps, frame.data
                seq += 1

    def list_overwritten(self, folder: Path) -> list[Path]:
        """List the files in `folder` that the PNGs of these frames would replace."""
        if not folder.is_dir():
            return []
        stems = {file.stem for file in _list_frames(self.path)} if self.path.is_dir() else None
        return [
            file
            for file in folder.iterdir()
            if file.name == TIMES_FILE
            or (file.suffix == ".png" and (file.stem in stems if stems is not None else _NUMBER.fullmatch(file.stem)))
        ]


def _list_frames(folder: Path) -> list[Path]:
    files = list_pictures(folder)
    if not files:
        raise ConfigError(f"{folder} has no pictures ({', '.join(PICTURES)}). Run with: --src FOLDER or --src VIDEO")
    return files


def get_plate(video: FrameSequence, pipeline: OfflinePipeline, plate: str, rules: PlateRules) -> Plate:
    """Return the plate, padded like the frames: read from the file `plate`, taken from the video, or blank.

    For 'none' nothing is known of the room.
    'auto' works as live: the plate is the median of the first frames in which nothing moves.

    Raises:
        ConfigError: The file cannot be read, or the video ends before there is a plate.
        PlateRefused: The frames are no plate.
    """
    if plate == NO_PLATE:
        height, width = pad_picture(next(video.frames())[2]).shape[:2]
        return make_blank_plate(width, height)
    if plate != "auto":
        path = expand_home(plate)
        rgb = picture.read(path, "--plate auto")
        _, _, first = next(video.frames())
        return Plate(pad_picture(fit_plate(rgb, first, plate)))
    job = PlateJob(rules, countdown=0.0)
    for seq, (_, t, rgb) in enumerate(video.frames()):
        taken = job.feed(JobFrame(seq, t, pipeline.upload(pad_picture(rgb)), None, None))
        if taken is not None:
            return taken
    raise ConfigError(
        f"{video.path} ended before the room was empty and still for {rules.still_s:g} s. Name a picture of the empty "
        "room, run with: --plate FILE"
    )


def check_video(video: FrameSequence, wanted: ResultPaths, inputs: Iterable[str | Path], *, force: bool) -> None:
    """Check that every result may be written; see `check_results`.

    Args:
        video: What is matted.
        wanted: The results.
        inputs: What is read besides it.
        force: Overwrite what is there.

    Raises:
        ConfigError: A result is one of the files that are read, is of no kind that can be written, or is there and the
            user did not agree to lose it.
    """
    results = list(wanted.paths().values())
    for path in results:
        check_video_path(path)
    overwritten = [file for path in results if not path.suffix for file in video.list_overwritten(path)]
    check_results(results, [video.path, *inputs], overwritten=overwritten, force=force)


def matte_video(
    video: FrameSequence,
    pipeline: OfflinePipeline,
    plate: Plate,
    wanted: ResultPaths,
    backdrop: str,
    max_coverage: float,
    *,
    strict: bool = False,
) -> int:
    """Matte every frame and write the wanted results, each frame at its own time; a composite with the video's sound.

    A result takes its name when all frames are done; until then, and where it was cut off, it is NAME.part.

    Returns:
        The number of frames.

    Raises:
        ConfigError: A file cannot be read or written.
        DeviceError: The video cannot be read any further, or the disk is full.
        MattingError: A frame cannot be matted, or `strict` and the plate does not fit one.
        Interrupted: The user has stopped it.
    """
    pipeline.rewind()
    seq, covered, doubted = -1, 0, 0
    with contextlib.ExitStack() as opened:
        bgr = None
        if wanted.composite is not None:
            height, width = plate.rgb.shape[:2]
            bgr = open_backdrop(backdrop, Size(width, height))
            opened.callback(bgr.close)
        writers = opened.enter_context(_open_writers(video, wanted))
        advance = opened.enter_context(show_progress("frames", video.count))
        for seq, (name, t, rgb) in enumerate(video.frames()):
            matte = pipeline.matte_frame(pad_picture(rgb), plate, seq)
            if doubt := pipeline.doubt_plate(matte):
                if strict:
                    raise MattingError(f"frame {seq}: {doubt}")
                if not doubted:  # at once, because the rest may take hours
                    warn(f"Frame {seq}: {doubt}")
                doubted += 1
                if pipeline.can_do_without:
                    matte = pipeline.matte_without_plate(pad_picture(rgb), seq)
            covered += bool(explain_card(matte, max_coverage))
            found = render_results(pipeline, matte, plate, wanted, bgr, t, rgb)
            for result, pixels in found.items():
                writers[result].write(pixels, name, t)
            advance()
    if doubted > 1:
        done = ", and these were matted without it" if pipeline.can_do_without else ""
        warn(f"In {doubted} of {seq + 1} frames the plate does not fit{done}.")
    if covered:
        warn(
            f"In {covered} of {seq + 1} frames the matte covers more than {max_coverage:.0%} of the picture: live they "
            "would be the privacy card. If the camera or the light has changed, take another plate."
        )
    return seq + 1


@contextlib.contextmanager
def _open_writers(video: FrameSequence, wanted: ResultPaths) -> Iterator[dict[str, FrameWriter]]:
    """Open the writers of the wanted results by name; they are finished when the block ends well, else cut off."""
    writers: dict[str, FrameWriter] = {}
    try:
        for name, path in wanted.paths().items():
            sound = _open_sound(video, path) if name == "composite" else None
            gray = name not in ("foreground", "composite")
            writers[name] = make_writer(path, video.size, video.fps, gray=gray, sound=sound)
        yield writers
        for writer in writers.values():
            writer.finish()
    except BaseException as exc:
        kept = [writer.part for writer in writers.values() if writer.cut_off()]
        told = ""
        if kept:
            parts = ", ".join(map(str, kept))
            told = f"What is done is in {parts}. To keep it, run: {'; '.join(map(keep_command, kept))}"
        if isinstance(exc, KeyboardInterrupt):
            raise Interrupted(f"stopped before the end. {told or 'Nothing was written'}") from None
        if told:
            warn(told)
        raise


def _open_sound(video: FrameSequence, path: Path) -> Sound | None:
    if video.path.is_dir() or not path.suffix:
        return None
    if video.is_timed:
        return open_sound(video.path, path, warn)
    warn(f"{path} has no sound: with --fps it would be out of step. For the video's own times, run without --fps.")
    return None
