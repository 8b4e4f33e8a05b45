"""What several tests of films need."""

from pathlib import Path
from typing import cast

import pytest

from camdaemon.config.schema import Config
from camdaemon.matting import Matting
from camdaemon.tools.files.offline import OfflinePipeline
from tests.tools.films.made import Fixed, room, somebody
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
