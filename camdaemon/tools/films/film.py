"""A film, matted in parts: read, matted and written at the same time, and resumed where it was interrupted."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count, pairwise

import numpy as np

from camdaemon.backdrop import Backdrop
from camdaemon.errors import CamdaemonError, Interrupted, MattingError
from camdaemon.frames.composite import Matte
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import DeepPicture
from camdaemon.pipeline.threads import SWITCH_S
from camdaemon.tools.files.fitting import pad_picture
from camdaemon.tools.files.offline import OfflinePipeline
from camdaemon.tools.files.progress import warn
from camdaemon.tools.files.rendering import Pixels, explain_card
from camdaemon.tools.files.results import open_backdrop, render_results
from camdaemon.tools.files.writers import cannot_write
from camdaemon.tools.films.conveyor import Ahead, Writers, take_groups
from camdaemon.tools.films.encoder import LibraryEncoder
from camdaemon.tools.films.film_writer import MakeEncoder
from camdaemon.tools.films.job import FilmJob, close_writers
from camdaemon.tools.films.plates import BestPlate, FilmPlates
from camdaemon.tools.films.record import PART_FRAMES, Arrays, JobRecord
from camdaemon.tools.films.source import Frame
from camdaemon.tools.films.work import ResultWriter

_PLATES = "plates."  # before the names of what `FilmPlates` keeps in the state


@dataclass(slots=True)
class Report:
    """What is to be said of a film that was matted.

    Attributes:
        frames: How many it has.
        doubted: Numbers of those that the plate did not fit.
        covered: Numbers of those that would be the privacy card live.
        end: When the last one is shown, in seconds since the first one.
    """

    frames: int = 0
    doubted: list[int] = field(default_factory=list)
    covered: list[int] = field(default_factory=list)
    end: float = 0.0


def matte_film(
    job: FilmJob,
    pipeline: OfflinePipeline,
    plates: FilmPlates,
    max_coverage: float,
    *,
    strict: bool = False,
    resume: bool = False,
    make_encoder: MakeEncoder = LibraryEncoder,
    advance: Callable[[int], None] = lambda _: None,
) -> Report:
    """Matte every frame of a film and write the results, each frame at its own time.

    Args:
        job: The film.
        pipeline: Mattes it. In bytes only for films and results of 8 bits without maps.
        plates: Of the film.
        max_coverage: Share of the picture, 0..1, above which live it would be the card.
        strict: Whether a plate that does not fit is an error.
        resume: Whether to go on where an earlier run of the same job was interrupted.
        make_encoder: Encodes the parts of films.
        advance: Called with the number of frames that are done.

    Raises:
        ConfigError: A file cannot be read or written, or it was another job that was interrupted.
        DeviceError: The disk is full.
        MattingError: A frame cannot be matted, or `strict` and the plate does not fit one.
        Interrupted: The user has stopped it.
    """
    resumes = resume and job.can_resume
    record = JobRecord(job.work, job.facts())
    try:
        if resumes:
            record.resume()
    except OSError as exc:
        raise cannot_write(job.work, exc) from None
    writers = job.open_writers(make_encoder, resumes=resumes)
    run = _Run(job, pipeline, plates, writers, record, max_coverage, strict=strict)
    try:
        if not resumes:
            _start(record, job)
        for writer in writers.values():
            writer.check(record.parts, record.names)
        run.restore()
        run.matte(advance)
        for writer in writers.values():
            writer.finish(record.parts, record.times, record.names, lambda: None)
    except BaseException as exc:
        close_writers(writers, remove=not record.parts)
        if isinstance(exc, KeyboardInterrupt):
            raise Interrupted(_tell_rest(job, record)) from None
        if record.parts and isinstance(exc, CamdaemonError):
            warn(f"What is done is kept: {_tell_rest(job, record)}")
        raise
    for writer in reversed(writers.values()):  # that of the first one, which has the record, at last
        writer.work.remove()
    run.report.end = record.times[-1]
    return run.report


def _start(record: JobRecord, job: FilmJob) -> None:
    try:
        record.start()
    except OSError as exc:
        raise cannot_write(job.work, exc) from None


def _tell_rest(job: FilmJob, record: JobRecord) -> str:
    if not record.parts:
        return f"stopped before the first {PART_FRAMES} frames of {job.film.path.name} were done. Nothing was written"
    count = f"about {job.film.count}" if job.film.count else "all"
    return (
        f"{len(record.times)} of {count} frames of {job.film.path.name} are done, in {job.work}. "
        "To go on, run the same command with: --resume"
    )


class _Run:
    """One run over a film: state that its frames share. Used by the thread that mattes."""

    def __init__(
        self,
        job: FilmJob,
        pipeline: OfflinePipeline,
        plates: FilmPlates,
        writers: dict[str, ResultWriter],
        record: JobRecord,
        max_coverage: float,
        *,
        strict: bool,
    ) -> None:
        self._job, self._pipeline, self._plates = job, pipeline, plates
        self._writers, self._record = writers, record
        self._max_coverage, self._strict = max_coverage, strict
        is_apart = isinstance(plates, BestPlate) or job.wanted.needs_maps
        self._at_once = 1 if is_apart else pipeline.find_batch(*job.film.size)
        self.report = Report(len(record.times))

    def restore(self) -> None:
        """Bring the pipeline to where the record ends."""
        self._pipeline.keeps_alpha = isinstance(self._plates, BestPlate)
        state = dict(self._record.state)
        self.report.doubted, self.report.covered = (
            state.pop(name, np.zeros(0, int)).tolist() for name in ("doubted", "covered")
        )
        chosen = {name.removeprefix(_PLATES): state.pop(name) for name in list(state) if name.startswith(_PLATES)}
        if self._record.parts:
            self._pipeline.load_state(self._plates.load_state(chosen), state)
        else:
            self._pipeline.rewind()

    def _save(self) -> Arrays:
        chosen = {f"{_PLATES}{name}": each for name, each in self._plates.save_state().items()}
        said = {"doubted": np.array(self.report.doubted, int), "covered": np.array(self.report.covered, int)}
        return {**self._pipeline.save_state(), **chosen, **said}

    def matte(self, advance: Callable[[int], None]) -> None:
        """Matte the frames that are not done."""
        film = self._job.film
        sys.setswitchinterval(SWITCH_S)
        advance(self.report.frames)
        frames: Ahead[Frame] = Ahead(_padded(film.frames(self.report.frames)), "reader")
        writing = Writers(self._writers)
        with contextlib.ExitStack() as opened:
            opened.callback(frames.stop)
            opened.enter_context(writing.running())
            backdrop = None
            if self._job.wanted.composite is not None:
                size = Size.around(*film.size)
                backdrop = open_backdrop(self._job.backdrop, size, deep=film.deep, aspect=float(film.aspect))
                opened.callback(backdrop.close)
            for part in count(self._record.parts):
                if not self._matte_part(part, frames, writing, backdrop, advance):
                    break
            writing.finish()
        if not self._record.parts:
            raise film.explain_empty()

    def _matte_part(
        self,
        part: int,
        frames: Ahead[Frame],
        writing: Writers,
        backdrop: Backdrop | None,
        advance: Callable[[int], None],
    ) -> bool:
        """Matte the frames of a part; returns whether there were any. Its files are finished later, by the writers."""
        times: list[float] = []
        names: list[str] = []
        for group in take_groups(frames, self._at_once, PART_FRAMES):
            if not times:
                for name, writer in self._writers.items():
                    writing.give(name, partial(writer.begin, part))
            times += [frame.t for frame in group]
            names += [frame.name for frame in group]
            # Never beyond the part's end: a run that resumes there could not have begun that frame ahead.
            peek = partial(_peek, frames, PART_FRAMES - len(times))
            for frame, rendered in zip(group, self._matte_group(group, backdrop, peek), strict=True):
                for name, pixels in rendered.items():
                    writing.give(name, partial(self._writers[name].write, pixels, frame.name, frame.t))
                self.report.frames += 1
                advance(self.report.frames)
        if times:
            self._end_part(writing, times, names)
        return len(times) == PART_FRAMES

    def _end_part(self, writing: Writers, times: list[float], names: list[str]) -> None:
        """Have the writers finish the part; the one that is last records it."""
        state, left, lock = self._save(), [*self._writers], threading.Lock()

        def end(name: str) -> None:
            self._writers[name].end()
            with lock:
                left.remove(name)
                is_last = not left
            if is_last:
                try:
                    self._record.add_part(times, names, state)
                except OSError as exc:
                    raise cannot_write(self._job.work, exc) from None

        for name in self._writers:
            writing.give(name, partial(end, name))

    def _matte_group(
        self, group: list[Frame], backdrop: Backdrop | None, peek: Callable[[int], DeepPicture | None]
    ) -> Iterator[dict[str, Pixels]]:
        """Matte some frames and yield the results of each, to be taken before the next one's."""
        pipeline, seq = self._pipeline, self.report.frames
        plate = self._plates.choose(group[0].rgb, pipeline.last_alpha)
        if self._at_once > 1:
            found = pipeline.matte_batch([frame.rgb for frame in group], plate, seq)
        else:
            matte = pipeline.matte_next(group[0].rgb, plate, seq, peek)
            found = [(matte, pipeline.doubt_plate(matte))]
        film = self._job.film
        for frame, (matte, doubt) in zip(group, found, strict=True):
            shown = self._doubt(doubt, frame, matte) if doubt else matte
            if explain_card(shown, self._max_coverage):
                self.report.covered.append(matte.seq)
            t = frame.t + film.span.start
            yield render_results(pipeline, shown, plate, self._job.wanted, backdrop, t, film.size, deep=film.deep)

    def _doubt(self, doubt: str, frame: Frame, matte: Matte) -> Matte:
        """Count a frame that the plate does not fit, and return the matte to use. Raises MattingError if strict."""
        seq = self.report.frames
        if self._strict:
            raise MattingError(f"frame {seq}: {doubt}")
        if not self.report.doubted:  # at once, because the rest may take hours
            warn(f"Frame {seq}: {doubt}")
        self.report.doubted.append(seq)
        return self._pipeline.matte_without_plate(frame.rgb, seq) if self._pipeline.can_do_without else matte


def _padded(frames: Iterator[Frame]) -> Iterator[Frame]:
    """Yield frames in memory of their own, with sides that the network takes."""
    for frame in frames:
        padded = pad_picture(frame.rgb)
        yield frame._replace(rgb=padded if padded is not frame.rgb else frame.rgb.copy())


def _peek(frames: Ahead[Frame], most: int, place: int) -> DeepPicture | None:
    """Return a picture that comes, one of the next `most`; see `Ahead.peek`."""
    frame = frames.peek(place) if place < most else None
    return None if frame is None else frame.rgb


def tell_ranges(numbers: list[int], most: int = 8) -> str:
    """Return frame numbers in short: "3, 10–25, 40"; beyond `most` ranges, an ellipsis."""
    if not numbers:
        return ""
    breaks = [0, *(i + 1 for i, (one, other) in enumerate(pairwise(numbers)) if other != one + 1), len(numbers)]
    ranges = [(numbers[a], numbers[b - 1]) for a, b in pairwise(breaks)]
    told = [str(first) if first == last else f"{first}–{last}" for first, last in ranges[:most]]
    return ", ".join([*told, *(["…"] if len(ranges) > most else [])])
