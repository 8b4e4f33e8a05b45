"""What several tests of films need."""

from pathlib import Path
from shutil import copy
from typing import cast

import pytest

from camdaemon.config.schema import Config
from camdaemon.matting import Matting
from camdaemon.tools.files.offline import OfflinePipeline
from tests.tools.films.made import Fixed, room, somebody, write
from tests.tools.written import write_video


@pytest.fixture
def difference() -> OfflinePipeline:
    return OfflinePipeline(Config(matting="difference", device="cpu"))


@pytest.fixture
def fixed(difference: OfflinePipeline) -> OfflinePipeline:
    difference.matting = cast("Matting", Fixed())
    return difference


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """40 frames of the empty room, then 6 with somebody walking, who is 6 % darker for the camera than the plate."""
    frames = [room() if number < 40 else somebody(room(), 4 * number - 140) * 0.94 for number in range(46)]
    return write_video(tmp_path / "clip.mp4", frames)


@pytest.fixture
def films(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with films of a tenth of a second, and the plate beside it."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "plate.png", room())
    write_video(tmp_path / "films" / "take1.mp4", [somebody(room(), left) for left in (30, 40, 50)])
    for name in ("take2.mp4", "take10.mp4"):
        copy("films/take1.mp4", f"films/{name}")
    return tmp_path / "films"
