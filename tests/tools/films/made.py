"""Films of a painted room with somebody in it, and what mattes them in tests."""

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import torch
import typer
from typer.testing import CliRunner

from camdaemon.frames.composite import Matte
from camdaemon.frames.frame import Size
from camdaemon.plate.parts import Plate
from camdaemon.tools.files.offline import OfflinePipeline
from camdaemon.tools.files.results import ResultPaths
from camdaemon.tools.films.film import Report, matte_film
from camdaemon.tools.films.job import FilmJob
from camdaemon.tools.films.plates import OnePlate
from camdaemon.tools.films.source import FrameSequence

PERSON = (20, 30, 120)


def room(height: int = 72, width: int = 128) -> np.ndarray:
    small = np.random.default_rng(5).integers(110, 190, (5, 8, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def somebody(plate: np.ndarray, left: int = 40) -> np.ndarray:
    frame = plate.copy()
    frame[34:, left : left + 40] = PERSON
    return frame


def write(path: Path, rgb: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), rgb[..., ::-1])
    return path


def read(path: Path) -> np.ndarray:
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert found is not None, path
    return found if found.ndim == 2 else found[..., [2, 1, 0, *range(3, found.shape[2])]]


def decoded(path: Path, fmt: str) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format=fmt) for frame in container.decode(video=0)]


def times_of(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time or 0) for frame in container.decode(video=0)]


def run(command: Callable[..., object], *arguments: object) -> str:
    """Run a command as it would be typed; its own errors pass."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command)
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    if result.exception:
        raise result.exception
    return result.output


def matte(
    film: FrameSequence, pipeline: OfflinePipeline, plate: np.ndarray, wanted: ResultPaths, **options: object
) -> Report:
    """Matte a film by one plate, over black."""
    job = FilmJob(film, wanted, "auto", "color:#000000")
    return matte_film(job, pipeline, OnePlate(Plate(plate)), 0.92, **options)  # type: ignore[arg-type]


class Fixed:
    """A matting that finds the person where `somebody` stands in a larger room, whatever the plate."""

    name = "fixed"
    doubts = False

    def warm_up(self, size: Size) -> None:
        pass

    def __call__(self, src: torch.Tensor, plate: torch.Tensor, confidence: torch.Tensor | None, seq: int) -> Matte:
        alpha = torch.zeros(1, 1, *src.shape[2:])
        alpha[..., 60:, 40:100] = 1
        return Matte(alpha, src, seq)
