"""One film to be matted: what is wanted of it, and everything that decides what its results look like."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from camdaemon import __version__
from camdaemon.errors import ConfigError
from camdaemon.linux.results import check_results, expand, part_of
from camdaemon.output.sound import open_sound
from camdaemon.tools.files.progress import warn
from camdaemon.tools.files.results import ResultPaths
from camdaemon.tools.files.writers import cannot_write
from camdaemon.tools.films.encoder import FilmFormat
from camdaemon.tools.films.encodings import DEFAULT, KINDS, Wish, check_film_path, choose_encoding
from camdaemon.tools.films.film_writer import FilmWriter, MakeEncoder
from camdaemon.tools.films.record import JobRecord
from camdaemon.tools.films.sequence_writer import PictureKind, SequenceWriter
from camdaemon.tools.films.source import FrameSequence
from camdaemon.tools.films.times import TIMES_FILE
from camdaemon.tools.films.work import ResultWriter

_WITH_SOUND = ("composite", "foreground")


@dataclass(frozen=True, slots=True)
class FilmJob:
    """One film to be matted.

    Attributes:
        film: The film.
        wanted: Where its results go.
        plate: 'auto', 'none', or a path; see `open_plates`.
        backdrop: Of composites.
        wish: How results are encoded.
        pictures: Of results that are folders.
        settings: What else decides about the results, as JSON: the matting, its weights and its effort.
    """

    film: FrameSequence
    wanted: ResultPaths
    plate: str
    backdrop: str
    wish: Wish = DEFAULT
    pictures: PictureKind = "png"
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        """The first result's work folder, where the record is."""
        return part_of(next(iter(self.wanted.paths().values())))

    @property
    def can_resume(self) -> bool:
        """Whether the job was interrupted."""
        return JobRecord.is_in(self.work)

    def find_fact(self, name: str) -> str:
        """Return what the record of an interrupted job says of it; '' if it says nothing."""
        return JobRecord(self.work, {}).find_fact(name)

    @property
    def is_done(self) -> bool:
        """Whether all results are there, and nothing is left of their making."""
        return all(self._is_there(path) and not os.path.exists(part_of(path)) for path in self.wanted.paths().values())

    def _is_there(self, path: Path) -> bool:
        return os.path.exists(path) if path.suffix else bool(self._list_overwritten(path))

    def facts(self) -> dict[str, Any]:
        """Return everything that decides what the results look like."""
        film = self.film
        results = {
            name: f"{path}: {self.format_of(name, path).encoding if path.suffix else self.pictures}"
            for name, path in self.wanted.paths().items()
        }
        return {
            "camdaemon": __version__,
            "source": _identify(film.path),
            "span": [film.span.start, str(film.span.end)],
            "size": list(film.size),
            "fps": film.fps if not film.is_timed else None,
            "depth": 16 if film.deep else 8,
            "plate": _identify(Path(self.plate)),
            "backdrop": _identify(Path(self.backdrop)),
            "results": results,
            "premultiplied": self.wish.premultiplied,
            **self.settings,
        }

    def format_of(self, name: str, path: Path) -> FilmFormat:
        """Return what the parts of a result that is a film have in common. Raises ConfigError."""
        film = self.film
        is_odd = any(side % 2 for side in film.size)
        encoding = choose_encoding(path, KINDS[name], self.wish, deep=film.deep, is_odd=is_odd)
        return FilmFormat(encoding, film.size, film.fps, film.tags, film.aspect)

    def formats(self) -> dict[str, FilmFormat]:
        """Return `format_of` each result that is a film."""
        return {name: self.format_of(name, path) for name, path in self.wanted.paths().items() if path.suffix}

    def check(self, inputs: list[str | Path], *, force: bool, resume: bool) -> None:
        """Check that every result may be written; see `check_results`.

        Args:
            inputs: What is read besides the film.
            force: Overwrite what is there.
            resume: Go on with what was interrupted.

        Raises:
            ConfigError: A result is one of the files that are read, is of no kind that can be written, or is there and
                the user did not agree to lose it.
        """
        paths = self.wanted.paths()
        for name, path in paths.items():
            check_film_path(path)
            if path.suffix:
                self.format_of(name, path)
                self._check_aspect(path)
        overwritten = [
            file
            for path in paths.values()
            if not path.suffix and not (resume and os.path.isdir(part_of(path)))
            for file in self._list_overwritten(path)
        ]
        inputs = [self.film.path, *inputs]
        check_results(list(paths.values()), inputs, overwritten=overwritten, force=force, resume=resume)

    def _check_aspect(self, path: Path) -> None:
        """Refuse a container that would squeeze the picture. Raises ConfigError."""
        (width, height), aspect = self.film.size, self.film.aspect
        if path.suffix.lower() == ".webm" and aspect != 1:
            raise ConfigError(
                f"{path.name} would be squeezed: a pixel of {self.film.path.name} is {aspect} as wide as high, WebM "
                f"has square ones. Name: {path.with_suffix('.mkv')}, or run with: --size "
                f"{round(width * aspect / 2) * 2}x{height}"
            )

    def _list_overwritten(self, folder: Path) -> list[Path]:
        """List the files in `folder` that the pictures of these frames would replace."""
        if not os.path.isdir(folder):
            return []
        ending = f".{self.pictures}"
        stems = {file.stem for file in self.film.path.iterdir()} if self.film.path.is_dir() else None
        try:
            files = list(folder.iterdir())
        except OSError as exc:
            raise cannot_write(folder, exc) from None
        return [
            file
            for file in files
            if file.name == TIMES_FILE
            or (file.suffix == ending and (file.stem in stems if stems is not None else file.stem.isdigit()))
        ]

    def open_writers(self, make_encoder: MakeEncoder, *, resumes: bool) -> dict[str, ResultWriter]:
        """Open the writers of the results by name. Raises ConfigError: none is open then."""
        writers: dict[str, ResultWriter] = {}
        try:
            for name, path in self.wanted.paths().items():
                writers[name] = self._open_writer(name, path, make_encoder, resumes=resumes)
        except ConfigError:
            close_writers(writers, remove=not resumes)
            raise
        return writers

    def _open_writer(self, name: str, path: Path, make_encoder: MakeEncoder, *, resumes: bool) -> ResultWriter:
        if not path.suffix:
            transfer = self.film.tags.transfer
            return SequenceWriter(path, self.pictures, transfer, self.wish.premultiplied, resumes=resumes)
        has_sound = name in _WITH_SOUND and not os.path.isdir(self.film.path)
        if has_sound and not self.film.is_timed:
            warn(f"{path} has no sound: with --fps it would be out of step. For the film's own times, omit --fps.")
            has_sound = False

        span = self.film.span

        def find_sound() -> Any:
            return open_sound(self.film.path, path, warn, span.start, span.end) if has_sound else None

        return FilmWriter(path, self.format_of(name, path), make_encoder, find_sound, resumes=resumes)


def close_writers(writers: dict[str, ResultWriter], *, remove: bool) -> None:
    """Close the work folders, and remove them if nothing in them is of use."""
    for writer in writers.values():
        writer.abort()
        if remove:
            writer.work.remove()
        else:
            writer.work.close()


def _identify(path: Path) -> str:
    """Return what tells a file that is read from another, or from what it was before; else the text itself."""
    path = expand(path)
    try:
        files = sorted(path.iterdir()) if os.path.isdir(path) else [path]
        told = hashlib.sha256()
        for file in files:
            status = file.stat()
            told.update(f"{file.name}:{status.st_size}:{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    except (OSError, ValueError):
        return str(path)
    return f"{path} ({told.hexdigest()[:16]})"
