"""Videos as the tools write them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from camdaemon.frames.frame import Size
from camdaemon.tools.files.writers import FilmWriter


def write_video(
    path: Path, pictures: Iterable[np.ndarray], fps: float = 30.0, times: list[float] | None = None
) -> Path:
    """Write pictures, (H,W,3) RGB or (H,W) gray, at `times` or evenly at `fps`."""
    each = list(pictures)
    height, width = each[0].shape[:2]
    film = FilmWriter(path, Size(width, height), fps, gray=each[0].ndim == 2)
    for number, pixels in enumerate(each):
        film.write(np.asarray(pixels, np.uint8), "", number / fps if times is None else times[number])
    film.finish()
    return path
