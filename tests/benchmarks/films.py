"""`python tests/benchmarks/films.py`: `camdaemon video` beside what it is compared with, in one run, as ratios.

- overlap: each stage alone, and all of them, with the difference matting and three results
- files: frames in bytes and in floats
- live: the whole command beside `camdaemon run --fast`
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import typer

sys.path.insert(0, str(Path(__file__).parents[2]))

from camdaemon.backdrop import Backdrop
from camdaemon.config.schema import Config
from camdaemon.frames import picture
from camdaemon.frames.frame import Size
from camdaemon.linux.threads import share_processors
from camdaemon.plate.parts import Plate
from camdaemon.tools.files.fitting import fit_plate, pad_picture
from camdaemon.tools.files.offline import OfflinePipeline
from camdaemon.tools.files.rendering import Pixels
from camdaemon.tools.files.results import ResultPaths, open_backdrop, render_results
from camdaemon.tools.films.encoder import LibraryEncoder
from camdaemon.tools.films.film import matte_film
from camdaemon.tools.films.job import FilmJob
from camdaemon.tools.films.plates import OnePlate
from camdaemon.tools.films.source import Frame, FrameSequence, Span
from camdaemon.tools.films.work import ResultWriter

BACKDROP = "color:#2f4f5f"


@dataclass
class FilmTimes:
    """Seconds of each round.

    Attributes:
        stages: By stage: reading, matting, and each result's writing, each alone.
        whole: All of it.
    """

    stages: dict[str, list[float]] = field(default_factory=dict)
    whole: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The whole by the slowest stage, the median of the rounds."""
        slowest = [max(each) for each in zip(*self.stages.values(), strict=True)]
        return median(whole / most for whole, most in zip(self.whole, slowest, strict=True))


def measure_films(film: FrameSequence, plate: Plate, rounds: int, report: Callable[[str], None]) -> FilmTimes:
    """Measure a film with the difference matting and three results: alpha, foreground, composite.

    Args:
        film: Of 8 bits.
        plate: Of its room, padded as its frames.
        rounds: How often.
        report: Told each round.
    """
    share_processors()  # as `Pipelines` does for this matting
    pipeline = OfflinePipeline(Config(matting="difference", device="cpu"), in_bytes=True)
    found = FilmTimes()
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="camdaemon-") as folder:
            _measure_round(film, plate, pipeline, Path(folder), found)
        last = {name: f"{seconds[-1]:.2f}" for name, seconds in found.stages.items()}
        report(f"round {number + 1}: {last}, all {found.whole[-1]:.2f} s")
    return found


def _measure_round(
    film: FrameSequence, plate: Plate, pipeline: OfflinePipeline, folder: Path, found: FilmTimes
) -> None:
    wanted = ResultPaths(folder / "alpha.mkv", folder / "foreground.mov", folder / "composite.mp4")
    job = FilmJob(film, wanted, "auto", BACKDROP)
    with _timed(found.stages.setdefault("reading", [])):
        frames = [frame._replace(rgb=np.array(pad_picture(frame.rgb))) for frame in film.frames()]
    backdrop = open_backdrop(BACKDROP, Size.around(*film.size))
    with _timed(found.stages.setdefault("matting", [])):
        rendered = list(_matte(pipeline, frames, plate, wanted, backdrop, film.size))
    for name, writer in job.open_writers(LibraryEncoder, resumes=False).items():
        with _timed(found.stages.setdefault(f"writing {name}", [])):
            _write(writer, frames, [each[name] for each in rendered])
        writer.work.remove()
    del frames, rendered
    with _timed(found.whole):
        matte_film(job, pipeline, OnePlate(plate), 1.0)


def _matte(
    pipeline: OfflinePipeline,
    frames: list[Frame],
    plate: Plate,
    wanted: ResultPaths,
    backdrop: Backdrop,
    size: tuple[int, int],
) -> Iterator[dict[str, Pixels]]:
    pipeline.rewind()
    for seq, frame in enumerate(frames):
        matte = pipeline.matte_next(frame.rgb, plate, seq)
        pipeline.doubt_plate(matte)
        yield render_results(pipeline, matte, plate, wanted, backdrop, frame.t, size)


def _write(writer: ResultWriter, frames: list[Frame], pictures: list[Pixels]) -> None:
    writer.begin(0)
    for frame, pixels in zip(frames, pictures, strict=True):
        writer.write(pixels, frame.name, frame.t)
    writer.end()


@contextmanager
def _timed(seconds: list[float]) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    seconds.append(time.perf_counter() - begin)


def compare_bytes(film: FrameSequence, plate: Plate, rounds: int, report: Callable[[str], None]) -> float:
    """Return the time of mattes in floats by that in bytes, the median of the rounds, each over a second of a film."""
    frames = [np.array(pad_picture(frame.rgb)) for frame in film.take(Span(4.0, 5.0), None).frames()]
    at_once = {"floats": 1, "bytes": 2}  # as `Pipelines` has it
    sides = {}
    for name, count in at_once.items():
        share_processors(count)
        sides[name] = OfflinePipeline(Config(device="cpu", precision="float32"), in_bytes=name == "bytes")
    ratios = []
    for number in range(rounds + 1):
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        for name, pipeline in sides.items():
            pipeline.rewind()
            share_processors(at_once[name])
            with _timed(seconds[name]):
                for seq, rgb in enumerate(frames):
                    pipeline.matte_next(rgb, plate, seq, dict(enumerate(frames[seq + 1 :])).get)
        if number:  # the first round warms up
            ratios.append(seconds["floats"][0] / seconds["bytes"][0])
            each = {name: f"{1e3 * spent[0] / len(frames):.0f} ms" for name, spent in seconds.items()}
            report(f"round {number}: {each} a frame")
    return median(ratios)


def compare_live(film: Path, plate: Path, rounds: int, report: Callable[[str], None]) -> float:
    """Return the time of `run --fast` by that of `video --effort live`, the median of the rounds."""
    ratios = []
    with tempfile.TemporaryDirectory(prefix="camdaemon-") as folder:
        common = ["--plate", str(plate), "--device", "cpu", "--backdrop", BACKDROP, "--force"]
        run = ["run", "--fast", "--source", str(film), "--sink", f"{folder}/run.mp4", *common]
        video = ["video", "--effort", "live", "--src", str(film), "--composite", f"{folder}/video.mp4", *common]
        for number in range(rounds):
            seconds: list[float] = []
            for command in (run, video):
                with _timed(seconds):
                    subprocess.run([sys.executable, "-m", "camdaemon", *command], capture_output=True, check=True)
            ratios.append(seconds[0] / seconds[1])
            report(f"round {number + 1}: run --fast {seconds[0]:.1f} s, video --effort live {seconds[1]:.1f} s")
    return median(ratios)


def main(
    source: Annotated[Path, typer.Option(help="Film of at least five seconds.")],
    plate: Annotated[Path, typer.Option(help="Picture of its empty room.")],
    rounds: Annotated[int, typer.Option(min=1, help="Number of rounds.")] = 3,
) -> None:
    """Measure `camdaemon video` and print ratios."""
    film = FrameSequence.open(source)
    first = next(film.frames()).rgb
    room = Plate(pad_picture(fit_plate(picture.read(plate, "another --plate"), first, str(plate))))
    times = measure_films(film.take(Span(4.0, 7.0), None), room, rounds, print)
    print(f"all of it takes {times.ratio:.2f} of the slowest stage alone")
    print(f"floats take {compare_bytes(film, room, rounds, print):.2f} of bytes")
    print(f"run --fast takes {compare_live(source, plate, rounds, print):.2f} of video --effort live")


if __name__ == "__main__":
    typer.run(main)
