"""`image` and `video` where the plate does not fit: without it, aligned, or as an error."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from camdaemon.config.schema import Config
from camdaemon.errors import MattingError
from camdaemon.frames import picture
from camdaemon.tools.files.image import matte_pairs
from camdaemon.tools.files.offline import OfflinePipeline
from camdaemon.tools.files.pairs import Pair
from camdaemon.tools.files.results import ResultPaths
from camdaemon.tools.films.source import FrameSequence
from tests.plate.painted import SIZE, THERE, alpha, film, other_room, plate
from tests.tools.films.made import matte

pytestmark = pytest.mark.usefixtures("one_thread")


def moved(seen: np.ndarray) -> np.ndarray:
    by = np.array([[1, 0, 60], [0, 1, 16]], np.float64)
    size = (SIZE.width, SIZE.height)
    return np.asarray(cv2.warpAffine(seen, by, size, borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def run(folder: Path, seen: np.ndarray, taken: np.ndarray, *, align: bool = False, strict: bool = False) -> np.ndarray:
    picture.write(folder / "me.png", seen)
    picture.write(folder / "room.png", taken)
    pipeline = OfflinePipeline(Config(), live=True, align=align)
    pair = Pair(folder / "me.png", folder / "room.png", ResultPaths(alpha=folder / "alpha.png"))
    matte_pairs(pipeline, [pair], "color:#000000", 0.92, strict=strict)
    return np.asarray(cv2.imread(str(folder / "alpha.png"), cv2.IMREAD_GRAYSCALE))


def leak(found: np.ndarray, truth: np.ndarray) -> float:
    far = cv2.dilate((truth > 5).astype(np.uint8), np.ones((15, 15), np.uint8)) == 0
    return float((found[far] > 25).mean())


def test_a_picture_whose_plate_is_of_another_room_is_matted_without_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run(tmp_path, film(THERE), other_room())
    assert leak(found, alpha(THERE)) < 0.02
    assert (found[alpha(THERE) > 250] > 128).mean() > 0.95
    said = " ".join(capsys.readouterr().err.split())
    assert "me.png: the plate does not fit" in said
    assert "matted without it" in said


def test_strictly_that_is_an_error_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(MattingError, match=r"me\.png: the plate does not fit") as wrong:
        run(tmp_path, film(THERE), other_room(), strict=True)
    assert wrong.value.exit_code == 1
    assert not (tmp_path / "alpha.png").exists()


def test_an_aligned_plate_is_as_good_as_the_right_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = run(tmp_path, moved(film(THERE)), plate(), align=True, strict=True)
    truth = moved(alpha(THERE))
    assert leak(found, truth) < 0.01
    assert np.abs(found.astype(float) - truth).mean() < 4
    assert "does not fit" not in capsys.readouterr().err


def test_a_film_is_followed_from_frame_to_frame(tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    for number in range(3):
        by = np.array([[1, 0, 25 * number], [0, 1, 0]], np.float64)
        seen = cv2.warpAffine(film(THERE), by, (SIZE.width, SIZE.height), borderMode=cv2.BORDER_REFLECT_101)
        picture.write(frames / f"{number}.png", np.asarray(seen, np.uint8))
    pipeline = OfflinePipeline(Config(), live=True, align=True)
    wanted = ResultPaths(alpha=tmp_path / "alphas")
    assert matte(FrameSequence.open(frames), pipeline, plate(), wanted, strict=True).frames == 3
    for number in range(3):
        by = np.array([[1, 0, 25 * number], [0, 1, 0]], np.float64)
        truth = cv2.warpAffine(alpha(THERE), by, (SIZE.width, SIZE.height), borderMode=cv2.BORDER_REFLECT_101)
        found = np.asarray(cv2.imread(str(tmp_path / "alphas" / f"{number}.png"), cv2.IMREAD_GRAYSCALE))
        assert np.abs(found.astype(float) - truth).mean() < 4
