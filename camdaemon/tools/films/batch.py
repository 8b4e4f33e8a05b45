"""Many films: found by name, shared among machines, named, and matted one after the other."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from av.codec.hwaccel import HWAccel

from camdaemon.errors import CamdaemonError, ConfigError, Interrupted, MattingError
from camdaemon.linux.folders import expand_home
from camdaemon.linux.listing import natural_key
from camdaemon.plate.take import PlateRules
from camdaemon.tools.files.progress import warn
from camdaemon.tools.files.results import ResultPaths
from camdaemon.tools.films.encodings import KINDS
from camdaemon.tools.films.film import Report, matte_film, tell_ranges
from camdaemon.tools.films.film_writer import MakeEncoder
from camdaemon.tools.films.job import FilmJob
from camdaemon.tools.films.pipelines import Pipelines
from camdaemon.tools.films.plates import open_plates
from camdaemon.tools.films.progress import show_frames
from camdaemon.tools.films.sequence_writer import PictureKind
from camdaemon.tools.films.source import FrameSequence

_ENDINGS = {"alpha": "mkv", "foreground": "mov", "composite": "mp4", "error": "mkv", "refined": "mkv"}
_PICTURES: dict[str, PictureKind] = {"png": "png", "exr": "exr"}


def find_films(sources: Sequence[str]) -> list[Path]:
    """Find the films that are meant: files, folders of frames, and patterns such as 'films/*.mp4', in natural order.

    Raises:
        ConfigError: A pattern matches nothing.
    """
    found: dict[Path, None] = {}
    for source in sources:
        path = expand_home(source)
        if os.path.exists(path) or not glob.has_magic(source):
            found[path] = None
            continue
        matches = sorted(map(Path, glob.glob(str(path), recursive=True)), key=lambda each: natural_key(str(each)))
        if not matches:
            raise ConfigError(f"no film is called like {source}. Run: ls {source}")
        found |= dict.fromkeys(matches)
    return list(found)


def leave_out_results(films: list[Path], folder: Path, kinds: str) -> list[Path]:
    """Return the films that are no results of others: a pattern finds those of an earlier run, too."""
    results: dict[str, Path] = {}
    for film in films:
        results |= {os.path.realpath(path): film for path in name_results(film, folder, kinds).paths().values()}
    left = [film for film in films if results.get(os.path.realpath(film), film) == film]
    if count := len(films) - len(left):
        warn(f"{count} of {len(films)} films are results of the others, and are left out")
    return left


def open_films(
    paths: Sequence[Path], fps: float | None, find_decoder: Callable[[Path], HWAccel | None]
) -> list[FrameSequence]:
    """Open films. Of many, those that cannot be opened are told, and left out.

    Raises:
        ConfigError: None can be opened.
    """
    opened: list[FrameSequence] = []
    for path in paths:
        try:
            opened.append(FrameSequence.open(path, fps, find_decoder(path)))
        except ConfigError as exc:
            if len(paths) == 1 or (path == paths[-1] and not opened):
                raise
            warn(f"{path.name}: {exc}")
    return opened


def take_shard(films: list[Path], shard: str | None) -> list[Path]:
    """Return the films of shard 'I/N', the I-th of N, counted from 1: each film is in exactly one.

    Raises:
        ConfigError: It is no shard.
    """
    if shard is None:
        return films
    number, _, of = shard.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise ConfigError(f"{shard!r} is no shard: expected I/N with I from 1 to N. Run with: --shard 1/4")
    return films[int(number) - 1 :: int(of)]


def name_results(film: Path, folder: Path, kinds: str) -> ResultPaths:
    """Name the results of a film in a folder: NAME-alpha.mkv, NAME-foreground.mov, and so on.

    Args:
        film: Where the name comes from.
        folder: Where they go.
        kinds: 'alpha,composite'; with an ending, 'foreground.webm', for another container, and 'alpha.png' or
            'foreground.exr' for a folder with a picture of each frame.

    Raises:
        ConfigError: A kind is unknown.
    """
    paths: dict[str, Path] = {}
    for kind in filter(None, re.split(r"[,\s]+", kinds)):
        name, _, ending = kind.partition(".")
        if name not in KINDS:
            raise ConfigError(f"no result is called {name!r}: expected {', '.join(KINDS)}. Run with: --kinds alpha")
        ending = ending or _ENDINGS[name]
        stem = f"{Path(os.path.abspath(film)).name if os.path.isdir(film) else film.stem}-{name}"
        # A name with a dot would be that of a film.
        paths[name] = folder / (stem.replace(".", "-") if ending in _PICTURES else f"{stem}.{ending}")
    return ResultPaths(**paths)


def add_settings(job: FilmJob, settings: dict[str, Any]) -> FilmJob:
    """Return the job with what else decides about its results."""
    return replace(job, settings=job.settings | settings)


def find_picture_kind(chosen: str, kinds: str = "") -> PictureKind:
    """Return what pictures folders of frames get: as the kinds' endings say, else as `chosen`. Raises ConfigError."""
    endings = {kind.partition(".")[2] for kind in re.split(r"[,\s]+", kinds)} & _PICTURES.keys()
    if len(endings) > 1:
        raise ConfigError("folders of one run get pictures of one kind. Run twice, with: --kinds alpha.png")
    return _PICTURES[next(iter(endings), chosen)]


@dataclass(frozen=True, slots=True)
class Batch:
    """Films to be matted one after the other, and how.

    Attributes:
        jobs: The films.
        pipelines: What mattes them.
        rules: For plates that are taken from films.
        max_coverage: Share of the picture, 0..1, above which live it would be the card.
        strict: Whether a plate that does not fit is an error.
        resume: Whether to go on with what was interrupted, and to pass over what is done.
        make_encoder: Encodes the parts of films.
        unread: Names of films that could not even be opened, as was said.
    """

    jobs: list[FilmJob]
    pipelines: Pipelines
    rules: PlateRules
    max_coverage: float
    strict: bool
    resume: bool
    make_encoder: MakeEncoder
    unread: Sequence[str] = ()

    def run(self) -> None:
        """Matte the films. One that fails does not stop the others.

        Raises:
            CamdaemonError: The only film failed; see `matte_film`.
            MattingError: Some of many films failed.
            Interrupted: The user has stopped it.
        """
        failed = [*self.unread]
        count = len(self.jobs) + len(failed)
        done = 0
        with show_frames([job.film.count for job in self.jobs]) as bar:
            for number, job in enumerate(self.jobs):
                name = job.film.path.name
                try:
                    self._matte(job, partial(bar, number, name))
                    done += 1
                except Interrupted as exc:
                    left = len(self.jobs) - number - 1
                    raise Interrupted(f"{exc}. {left} films were not begun" if left else str(exc)) from None
                except CamdaemonError as exc:
                    if count == 1:
                        raise
                    failed.append(name)
                    warn(f"{name}: {exc}")
        if failed:
            raise MattingError(
                f"{len(failed)} of {count} films failed, and {done} are done: {', '.join(failed)}. "
                "The lines above say why. To try those again, run the same command with: --resume"
            )

    def _matte(self, job: FilmJob, advance: Callable[[int], None]) -> None:
        if self.resume and job.is_done:
            advance(job.film.count or 0)
            print(f"{job.film.path.name}: done before")
            return
        try:
            pipeline, engine = self.pipelines.find(job, job.find_fact("engine") if self.resume else "")
            job = replace(job, settings=job.settings | {"engine": engine})
            plates = open_plates(job.film, pipeline, job.plate, self.rules)
        except KeyboardInterrupt:
            raise Interrupted(f"stopped before the first frame of {job.film.path.name}. Nothing was written") from None
        report = matte_film(
            job,
            pipeline,
            plates,
            self.max_coverage,
            strict=self.strict,
            resume=self.resume,
            make_encoder=self.make_encoder,
            advance=advance,
        )
        _tell(job, report, can_do_without=pipeline.can_do_without, max_coverage=self.max_coverage)


def _tell(job: FilmJob, report: Report, *, can_do_without: bool, max_coverage: float) -> None:
    if job.film.is_cut_off(report.end):
        warn(
            f"{job.film.path} ended after {report.end:.1f} s, earlier than it says: is a part of it missing? "
            f"Run: ffprobe {job.film.path}"
        )
    if len(report.doubted) > 1:
        done = ", and these were matted without it" if can_do_without else ""
        warn(
            f"In {len(report.doubted)} of {report.frames} frames the plate does not fit{done}: "
            f"{tell_ranges(report.doubted)}."
        )
    if report.covered:
        warn(
            f"In {len(report.covered)} of {report.frames} frames the matte covers more than {max_coverage:.0%} of the "
            f"picture: live they would be the privacy card ({tell_ranges(report.covered)}). If the camera or the light "
            "has changed, take another plate."
        )
    print(f"{report.frames} frames: " + ", ".join(str(path) for path in job.wanted.paths().values()))


def check_names(jobs: Iterable[FilmJob]) -> None:
    """Check that no two films have a result of the same name. Raises ConfigError."""
    seen: dict[Path, Path] = {}
    for job in jobs:
        for path in job.wanted.paths().values():
            other = seen.setdefault(path, job.film.path)
            if other != job.film.path:
                raise ConfigError(
                    f"{other} and {job.film.path} would both become {path}. Give one of them another name, or run twice"
                )
