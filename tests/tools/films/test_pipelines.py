"""Which films are matted in bytes, and how many processors each frame has."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from camdaemon.config.schema import Config
from camdaemon.pipeline import look_ahead
from camdaemon.tools.files.results import ResultPaths
from camdaemon.tools.films.job import FilmJob
from camdaemon.tools.films.pipelines import Pipelines
from camdaemon.tools.films.source import FrameSequence

ALPHA, MAPS = ResultPaths(alpha=Path("alpha.mkv")), ResultPaths(alpha=Path("alpha.mkv"), error=Path("error.mp4"))


@pytest.fixture(autouse=True)
def _eight_processors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    count = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(look_ahead, "_count_threads", lambda: 8)
    yield
    torch.set_num_threads(count)


@pytest.mark.parametrize(
    ("matting", "align", "wanted", "threads"),
    [
        ("bgmv2", False, ALPHA, 4),  # in bytes: two base networks run beside the refiner
        ("bgmv2", True, ALPHA, 8),  # the next plate depends on this matte
        ("bgmv2", False, MAPS, 8),  # in floats: frame by frame
        ("difference", False, ALPHA, 4),  # encoders take as long
    ],
)
def test_frames_share_the_processors_where_several_are_in_work(
    films: Path, matting: str, align: bool, wanted: ResultPaths, threads: int
) -> None:
    film = FrameSequence.open(films / "take1.mp4")
    config = Config(device="cpu", matting=matting, engine="torch")
    pipelines = Pipelines(config, "files", plates=True, align=align)
    for _ in range(2):
        torch.set_num_threads(2)  # another film's, whatever it was
        _, engine = pipelines.find(FilmJob(film, wanted, "auto", "blur"), "")
        assert torch.get_num_threads() == threads
    assert ("floats" in engine) == (wanted is MAPS)
