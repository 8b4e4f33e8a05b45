"""Plates of films: one, none, or of many views of the room the one that fits each frame."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from camdaemon.cli.video import video
from camdaemon.config.schema import Config
from camdaemon.errors import ConfigError
from camdaemon.plate.take import PlateRules
from camdaemon.tools.files.offline import OfflinePipeline
from camdaemon.tools.films.plates import BestPlate, FilmPlates, OnePlate, open_plates
from camdaemon.tools.films.source import FrameSequence
from tests.films import write_film
from tests.tools.films.made import decoded, room, run, somebody, write
from tests.tools.written import write_video

OFFSETS = range(0, 281, 14)  # of the camera's views of the wide room
WIDTH, HEIGHT = 128, 72


def view(left: int) -> np.ndarray:
    """What a camera that was turned shows of a room that is wider than its picture."""
    small = np.random.default_rng(8).integers(60, 220, (5, 26, 3), np.uint8)
    wide = cv2.resize(small, (408, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(wide[:, left : left + WIDTH])


def nearest(left: int) -> int:
    return min(OFFSETS, key=lambda offset: abs(offset - left))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for offset in OFFSETS:
        write(tmp_path / "plates" / f"{offset}.png", view(offset))
    return tmp_path / "plates"


@pytest.fixture
def pan(tmp_path: Path) -> FrameSequence:
    """A film that begins where the room does and goes over it, past every view and between them."""
    return FrameSequence.open(write_film(tmp_path / "pan.mkv", [view(left) for left in range(0, 281, 7)]))


def opened(film: FrameSequence, plate: Path | str) -> FilmPlates:
    pipeline = OfflinePipeline(Config(matting="difference", device="cpu"))
    return open_plates(film, pipeline, str(plate), PlateRules())


def shown(plates: FilmPlates, rgb: np.ndarray, alpha: np.ndarray | None = None) -> int:
    """The offset of the plate that is chosen for a frame."""
    found = plates.choose(rgb, alpha).rgb
    errors = {offset: float(np.abs(found.astype(int) - view(offset)).mean()) for offset in OFFSETS}
    best = min(errors, key=lambda offset: errors[offset])
    assert errors[best] < 9, "it is one of the plates"
    return best


def test_each_frame_of_a_pan_gets_the_plate_that_fits_best(folder: Path, pan: FrameSequence) -> None:
    plates = opened(pan, folder)
    assert isinstance(plates, BestPlate)
    assert len(plates) == len(OFFSETS)
    for left in [*range(0, 281, 2), 280, 0, 140]:  # and two jumps
        if abs(left - nearest(left)) <= 4:  # else it lies between two
            assert shown(plates, view(left)) == nearest(left)


def test_a_person_who_hides_much_and_wears_the_room_misleads_nobody(folder: Path, pan: FrameSequence) -> None:
    here, other = 70, 182
    frame, alpha = view(here), np.zeros((HEIGHT, WIDTH), np.uint8)
    frame[10:, 15:110] = view(other)[10:, 15:110]
    alpha[10:, 15:110] = 255
    assert shown(opened(pan, folder), frame) == other, "where nobody is known to be there"
    plates = opened(pan, folder)
    assert shown(plates, view(here), np.zeros_like(alpha)) == here
    assert shown(plates, frame, alpha) == here


def test_the_choice_survives_an_interruption(folder: Path, pan: FrameSequence) -> None:
    before, after = opened(pan, folder), opened(pan, folder)
    assert shown(before, view(210)) == 210
    assert (after.load_state(before.save_state()).rgb == view(210)).all()
    assert after.choose(np.zeros_like(view(0)), None).rgb is after.choose(np.zeros_like(view(0)), None).rgb
    one = OnePlate(before.choose(view(210), None))
    assert (one.load_state(one.save_state()).rgb == view(210)).all()


def test_a_clip_of_the_empty_room_is_as_good_as_a_folder(tmp_path: Path, pan: FrameSequence) -> None:
    clip = write_film(tmp_path / "room.mov", [view(offset) for offset in OFFSETS for _ in range(3)])
    plates = opened(pan, clip)
    assert isinstance(plates, BestPlate)
    assert len(plates) == len(OFFSETS), "one of each view"
    for left in (140, 143, 42, 280):
        assert shown(plates, view(left)) == nearest(left)


def test_a_clip_that_stands_still_is_one_view(tmp_path: Path, pan: FrameSequence) -> None:
    noise = np.random.default_rng(1)
    large = cv2.resize(noise.integers(20, 230, (9, 16, 3), np.uint8), (4 * WIDTH, 4 * HEIGHT))
    frames = [large + noise.integers(0, 4, large.shape, np.uint8) for _ in range(8)]
    plates = opened(pan, write_film(tmp_path / "room.mp4", frames))
    assert isinstance(plates, BestPlate)
    assert len(plates) == 1


@pytest.mark.parametrize(("count", "every"), [(7, 1), (8, 1), (9, 2), (16, 2), (17, 4), (100, 16)])
def test_of_more_views_than_are_kept_some_are_left_everywhere(count: int, every: int) -> None:
    plates = BestPlate((view(number) for number in range(count)), most=8)
    kept = [plates.load_state({"plate": np.array(number)}).rgb for number in range(len(plates))]
    assert len(kept) == -(-count // every)
    assert all((rgb == view(every * number)).all() for number, rgb in enumerate(kept))


@pytest.mark.parametrize("name", ["pan.png", "pan_back.png"])
def test_a_picture_that_is_called_like_the_film_is_its_plate(folder: Path, pan: FrameSequence, name: str) -> None:
    write(folder / name, room())
    plates = opened(pan, folder)
    assert isinstance(plates, OnePlate)
    assert (plates.choose(view(0), None).rgb == room()).all()


def test_a_folder_without_pictures_is_told(tmp_path: Path, pan: FrameSequence) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("nothing to see")
    with pytest.raises(ConfigError, match=r"empty has no pictures of the empty room.*--plate FILE.*--plate auto$"):
        opened(pan, tmp_path / "empty")


def test_nothing_is_known_of_the_room_without_a_plate(pan: FrameSequence) -> None:
    plate = opened(pan, "none").choose(view(0), None)
    assert plate.is_blank
    assert plate.rgb.shape == (HEIGHT, WIDTH, 3)


def test_plates_of_another_size_are_scaled_and_that_is_said_once(
    tmp_path: Path, pan: FrameSequence, capsys: pytest.CaptureFixture[str]
) -> None:
    for offset in OFFSETS:
        larger = cv2.resize(view(offset), (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_CUBIC)
        write(tmp_path / "large" / f"{offset}.png", larger)
    plates = opened(pan, tmp_path / "large")
    assert capsys.readouterr().err.count("is 256x144 and was scaled to 128x72") == 1
    assert shown(plates, view(112)) == 112
    write(tmp_path / "large" / "300.png", room(72, 72))
    with pytest.raises(ConfigError, match=r"300\.png: it is 72x72 and the picture 128x72.*another shape"):
        opened(pan, tmp_path / "large")
    with pytest.raises(ConfigError, match="no frame from 60 s on"):
        opened(replace(pan, span=replace(pan.span, start=60.0)), tmp_path / "large")


def test_a_plate_of_the_films_own_size_is_scaled_as_the_film_is(
    tmp_path: Path, folder: Path, pan: FrameSequence, capsys: pytest.CaptureFixture[str]
) -> None:
    film = pan.take(pan.span, (100, 100))
    for plate in (folder, write(tmp_path / "plate.png", view(0))):
        found = opened(film, plate).choose(film.first(), None).rgb
        assert np.abs(found.astype(int) - film.first()).mean() < 2
    assert not capsys.readouterr().err
    with pytest.raises(ConfigError, match="another shape"):
        opened(film, write(tmp_path / "plate.png", room(72, 130)))


def test_the_command_mattes_a_pan_by_its_plates(tmp_path: Path, folder: Path) -> None:
    frames = [somebody(view(offset), 40) for offset in OFFSETS for _ in range(2)]
    film = write_video(tmp_path / "film.mkv", frames)
    words = ("--matting", "difference", "--device", "cpu", "--no-match-exposure", "--alpha", tmp_path / "a.mkv")
    run(video, "--src", film, "--plate", folder, *words)
    for alpha in decoded(tmp_path / "a.mkv", "gray"):
        assert alpha[40:, 45:75].mean() > 230
        assert alpha[:30].max() < 50
