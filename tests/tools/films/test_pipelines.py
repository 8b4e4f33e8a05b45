"""Which films are matted in bytes, and how many processors each frame has."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from camdaemon.config.schema import Config
from camdaemon.linux import threads
from camdaemon.tools.files.results import ResultPaths
from camdaemon.tools.films.job import FilmJob
from camdaemon.tools.films.pipelines import Pipelines
from camdaemon.tools.films.source import FrameSequence

ALPHA, MAPS = ResultPaths(alpha=Path("alpha.mkv")), ResultPaths(alpha=Path("alpha.mkv"), error=Path("error.mp4"))


@pytest.fixture(autouse=True)
def _eight_processors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "count_cores", lambda cpus: 8)
    count = torch.get_num_threads()
    yield
    threads.share_processors(1)
    torch.set_num_threads(count)


@pytest.mark.parametrize(
    ("matting", "align", "wanted", "wanted_threads"),
    [
        ("bgmv2", False, ALPHA, 4),  # in bytes: two base networks run beside the refiner
        ("bgmv2", True, ALPHA, 8),  # the next plate depends on this matte
        ("bgmv2", False, MAPS, 8),  # in floats: frame by frame
        ("difference", False, ALPHA, 4),  # encoders take as long
    ],
)
def test_frames_share_the_processors_where_several_are_in_work(
    films: Path, matting: str, align: bool, wanted: ResultPaths, wanted_threads: int
) -> None:
    film = FrameSequence.open(films / "take1.mp4")
    config = Config(device="cpu", matting=matting, engine="torch")
    pipelines = Pipelines(config, "files", plates=True, align=align)
    for _ in range(2):
        threads.share_processors(4)  # another film's, whatever it was
        torch.set_num_threads(2)
        _, engine = pipelines.find(FilmJob(film, wanted, "auto", "blur"), "")
        assert threads.count_compute_threads() == torch.get_num_threads() == wanted_threads
    assert ("floats" in engine) == (wanted is MAPS)
