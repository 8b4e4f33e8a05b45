"""A result that is a film: its parts are encoded one by one, and joined when all of them are whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from camdaemon.output.sound import Sound
from camdaemon.tools.files.rendering import Pixels
from camdaemon.tools.films.encoder import FilmFormat, PartEncoder, cannot_encode
from camdaemon.tools.films.join import join_parts
from camdaemon.tools.films.work import WorkFolder

MakeEncoder = Callable[[Path, FilmFormat], PartEncoder]


class FilmWriter:
    """Writes a film. See `ResultWriter`.

    Args:
        path: The film.
        film: What all parts have in common.
        make_encoder: Begins with a part.
        open_sound: Opens what the film gets of the source's sound; None: nothing.
        resumes: Whether parts that are there are gone on with.

    Raises:
        ConfigError: It cannot be written.
    """

    def __init__(
        self,
        path: Path,
        film: FilmFormat,
        make_encoder: MakeEncoder,
        open_sound: Callable[[], Sound | None],
        *,
        resumes: bool = False,
    ) -> None:
        self.path, self._film = path, film
        self._make_encoder, self._open_sound = make_encoder, open_sound
        self.work = WorkFolder(path, is_folder=False, resumes=resumes)
        self._encoder: PartEncoder | None = None

    def check(self, parts: int, names: Sequence[str]) -> None:
        """See `ResultWriter`."""
        self.work.check(self._path_of(part) for part in range(parts))

    def begin(self, part: int) -> None:
        """See `ResultWriter`."""
        self._encoder = self._make_encoder(self._path_of(part), self._film)

    def write(self, pixels: Pixels, name: str, t: float) -> None:
        """See `ResultWriter`."""
        assert self._encoder is not None, "`begin` comes first"
        self._encoder.write(pixels, t)

    def end(self) -> None:
        """See `ResultWriter`."""
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            encoder.close()

    def abort(self) -> None:
        """See `ResultWriter`."""
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            encoder.abort()

    def finish(self, parts: int, times: Sequence[float], names: Sequence[str], advance: Callable[[], None]) -> None:
        """See `ResultWriter`."""
        joined = self.work.path / f"joined{self.path.suffix.lower()}"
        files = [self._path_of(part) for part in range(parts)]
        join_parts(files, joined, self._film, times, self._open_sound(), advance)
        try:
            self.work.take(joined, Path(self.path).resolve())
        except OSError as exc:
            raise cannot_encode(self.path, exc) from None

    def _path_of(self, part: int) -> Path:
        return self.work.path / f"{part:05d}.mkv"
