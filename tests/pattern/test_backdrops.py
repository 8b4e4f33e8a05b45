"""The backdrops that come with the package are all painted, none too large, and each a picture of its own."""

import numpy as np

from camdaemon.backdrop.still import READY_FOLDER, ready_path
from camdaemon.frames import picture
from camdaemon.frames.kinds import READY
from tests.pattern.backdrops import HEIGHT, LIMIT, PAINTINGS, WIDTH, develop


def test_each_name_has_a_painting_and_a_file() -> None:
    assert tuple(PAINTINGS) == READY
    assert {path.name for path in READY_FOLDER.iterdir()} == {f"{name}.jpg" for name in READY}


def test_they_are_large_enough_for_a_screen_and_small_enough_for_a_package() -> None:
    for name in READY:
        assert picture.read(ready_path(name), "").shape == (HEIGHT, WIDTH, 3)
    assert sum(ready_path(name).stat().st_size for name in READY) <= LIMIT


def test_a_file_is_what_its_painting_shows() -> None:
    painted = develop(PAINTINGS["studio"]()).astype(int)
    kept = picture.read(ready_path("studio"), "").astype(int)
    assert np.abs(painted - kept).mean() < 2  # the dither, and what JPEG loses


def test_highlights_roll_off_and_darkness_stays() -> None:
    black, gray, bright = (int(develop(np.full((8, 8, 3), light)).mean().round()) for light in (0.0, 0.214, 9.0))
    assert black <= 1
    assert abs(gray - 128) <= 1
    assert bright >= 254
