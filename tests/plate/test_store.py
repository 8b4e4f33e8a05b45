"""Plates on disk: each camera and size has its own, and what does not fit is refused or not used."""

import numpy as np
import pytest

from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.frames import picture
from camdaemon.frames.frame import Size
from camdaemon.plate import store
from tests.present import present

SIZE = Size(128, 72)
CAMERA = "usb-046d_HD_Pro_Webcam_C920-video-index0"


def rgb(size: Size = SIZE, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size.height, size.width, 3), np.uint8)


@pytest.mark.parametrize("camera", [CAMERA, "Kamera für Büro/3", "..", "/dev/video0", "x" * 500, "", "a\nb\0c"])
def test_a_plate_comes_back_as_it_was(camera):
    assert store.load_saved(camera, SIZE) is None
    where = store.save(camera, SIZE, rgb())
    assert where == store.path_for(camera, SIZE)
    assert where.parent.name == "plates", "a camera's name must not lead out of the folder"
    assert np.array_equal(present(store.load_saved(camera, SIZE)), rgb())
    store.save(camera, SIZE, rgb(seed=1))
    assert np.array_equal(present(store.load_saved(camera, SIZE)), rgb(seed=1)), "the newer one must win"


def test_every_camera_and_every_size_has_its_own():
    cameras = [CAMERA, CAMERA.replace("_", "-"), CAMERA + "!", "x" * 100 + "1", "y" * 10 + "x" * 90 + "1", "1"]
    sizes = [SIZE, Size(72, 128), Size(1280, 720)]
    paths = {store.path_for(camera, size) for camera in cameras for size in sizes}
    assert len(paths) == len(cameras) * len(sizes)
    assert all(len(path.name) < 100 for path in paths)
    store.save(CAMERA, SIZE, rgb())
    assert store.load_saved("another", SIZE) is None
    assert store.load_saved(CAMERA, Size(640, 360)) is None


def test_plates_lie_in_the_state_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert store.path_for(CAMERA, SIZE).is_relative_to(tmp_path / "camdaemon")


def test_a_write_that_fails_leaves_the_old_plate(monkeypatch):
    store.save(CAMERA, SIZE, rgb())

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(store.path_for(CAMERA, SIZE)), "replace", full)
    with pytest.raises((OSError, CamdaemonError)):
        store.save(CAMERA, SIZE, rgb(seed=1))
    assert np.array_equal(present(store.load_saved(CAMERA, SIZE)), rgb())


def test_a_state_directory_that_cannot_be_written_is_an_error_for_people(tmp_path, monkeypatch):
    """It ends with what to do, instead of a traceback; the plate itself was taken."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(CamdaemonError):
        store.save(CAMERA, SIZE, rgb())


def test_a_saved_plate_of_another_size_is_not_used():
    path = store.path_for(CAMERA, SIZE)
    picture.write(path, rgb(Size(256, 144)))
    assert store.load_saved(CAMERA, SIZE) is None


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_a_broken_saved_plate_says_what_to_remove(content):
    path = store.save(CAMERA, SIZE, rgb())
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"try rm .*\.png$"):
        store.load_saved(CAMERA, SIZE)


@pytest.mark.parametrize("size", [SIZE, Size(256, 144), Size(64, 36 * 4)], ids=str)
def test_a_named_plate_of_the_same_shape_is_scaled_and_of_another_shape_refused(tmp_path, size):
    path = tmp_path / "room.png"
    picture.write(path, np.full((size.height, size.width, 3), (10, 20, 30), np.uint8))
    if size.width > size.height:
        found = store.load_file(path, SIZE)
        assert found.shape == (72, 128, 3)
        assert (found == (10, 20, 30)).all()
    else:
        with pytest.raises(ConfigError, match=r"64x144.*128x72.*another shape.*--plate auto$"):
            store.load_file(path, SIZE)


def test_a_named_plate_that_is_broken_or_absent_says_what_to_type(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    for name in ("broken.png", "absent.png"):
        with pytest.raises(ConfigError, match=r"try --plate auto$"):
            store.load_file(tmp_path / name, SIZE)
