"""The benchmark of films: its figures. No time is judged."""

from pathlib import Path

import numpy as np

from camdaemon.plate.parts import Plate
from camdaemon.tools.films.source import FrameSequence
from tests.benchmarks.films import FilmTimes, measure_films
from tests.tools.films.made import room, somebody
from tests.tools.written import write_video


def test_every_stage_is_measured(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", [somebody(room(), 3 * number) for number in range(6)])
    said: list[str] = []
    found = measure_films(FrameSequence.open(path), Plate(room()), 2, said.append)
    assert [*found.stages] == ["reading", "matting", "writing alpha", "writing foreground", "writing composite"]
    assert all(len(seconds) == 2 and min(seconds) > 0 for seconds in (*found.stages.values(), found.whole))
    assert len(said) == 2


def test_the_whole_is_compared_with_the_slowest_stage_of_each_round() -> None:
    found = FilmTimes({"reading": [1.0, 4.0], "matting": [2.0, 1.0]}, [3.0, 5.0])
    assert np.isclose(found.ratio, (1.5 + 1.25) / 2)
