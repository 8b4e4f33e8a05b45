"""Videos as the tools write them."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np

from camdaemon.tools.films.encoder import FilmFormat, LibraryEncoder
from camdaemon.tools.films.encodings import DEFAULT, Kind, Wish, choose_encoding
from camdaemon.tools.films.film_writer import FilmWriter
from camdaemon.tools.films.source import SDR, Tags


def write_video(
    path: Path,
    pictures: Iterable[np.ndarray],
    fps: float = 30.0,
    times: list[float] | None = None,
    *,
    wish: Wish = DEFAULT,
    tags: Tags = SDR,
    aspect: Fraction = Fraction(1),
) -> Path:
    """Write pictures, uint8 or uint16, (H,W) gray, (H,W,3) RGB or (H,W,4) RGBA, at `times` or evenly at `fps`."""
    each = list(pictures)
    height, width = each[0].shape[:2]
    kind: Kind = "gray" if each[0].ndim == 2 else "cut" if each[0].shape[2] == 4 else "color"
    is_odd = bool(height % 2 or width % 2)
    encoding = choose_encoding(path, kind, wish, deep=each[0].dtype == np.uint16, is_odd=is_odd)
    film = FilmWriter(path, FilmFormat(encoding, (width, height), fps, tags, aspect), LibraryEncoder, lambda: None)
    film.begin(0)
    shown = [number / fps for number in range(len(each))] if times is None else times
    for t, pixels in zip(shown, each, strict=True):
        film.write(pixels if pixels.dtype == np.uint16 else np.asarray(pixels, np.uint8), "", t)
    film.end()
    film.finish(1, shown, [""] * len(each), lambda: None)
    film.work.remove()
    return path
