"""The plates on disk: listed with what people ask of them, found by what they type, removed with all that is theirs."""

import os
import time

import numpy as np
import pytest

from camdaemon.errors import ConfigError
from camdaemon.frames.frame import Size
from camdaemon.plate import saved, store
from camdaemon.plate.parts import Plate

SIZE = Size(128, 72)
C920, BUILT_IN = "usb-046d_HD_Pro_Webcam_C920-video-index0", "Integrated Camera: Größe (usb-0000:00:14.0-8)"


def take(camera: str, size: Size = SIZE, age_s: float = 0.0) -> saved.SavedPlate:
    path = saved.path_for(camera, size)
    store.save(path, Plate(np.zeros((size.height, size.width, 3), np.uint8)), {})
    os.utime(path, (time.time() - age_s,) * 2)
    return next(plate for plate in saved.list_plates() if plate.path == path)


def test_there_may_be_none():
    assert saved.list_plates() == []


def test_each_tells_camera_size_age_and_bytes_newest_first():
    old, new = take(C920, Size(1280, 720), 86400), take(BUILT_IN)
    (saved.plates_folder() / "notes.txt").write_text("mine")
    (saved.plates_folder() / ".draft.1.png").write_text("half")
    assert saved.list_plates() == [new, old]
    assert old.camera == "usb-046d-HD-Pro-Webcam-C920-video-index0"
    assert (old.size, new.size) == ("1280x720", "128x72")
    assert old.bytes == old.path.stat().st_size
    assert old.taken == pytest.approx(time.time() - 86400, abs=60)


@pytest.mark.parametrize("words", [C920, "C920", "hd pro webcam", "HD_Pro", "video-index0"])
def test_people_type_a_part_of_the_name(words):
    plate, other = take(C920), take(BUILT_IN)
    assert plate.is_meant_by(words)
    assert not other.is_meant_by(words)


def test_people_type_the_whole_name_or_the_file():
    plate, other = take(BUILT_IN), take(C920)
    for words in (BUILT_IN, str(plate.path), plate.path.name):
        assert plate.is_meant_by(words)
        assert not other.is_meant_by(words)
    assert not plate.is_meant_by("")
    assert not plate.is_meant_by("/")


def test_forgetting_takes_the_camera_s_settings_along_and_nothing_else():
    plate, other = take(C920), take(BUILT_IN)
    for each in (plate, other):
        saved.older_controls(each.path).write_text("{}")
    saved.forget(plate)
    left = sorted(path.name for path in saved.plates_folder().iterdir())
    assert left == sorted([other.path.name, other.path.with_suffix(".controls.json").name])
    saved.forget(plate)  # again, as two terminals may


def test_what_cannot_be_removed_says_what_to_type():
    path = saved.path_for(C920, SIZE)
    path.mkdir(parents=True)
    (plate,) = saved.list_plates()
    with pytest.raises(ConfigError, match=r"rm -r .*\.png$"):
        saved.forget(plate)
