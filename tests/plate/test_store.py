"""Plates on disk: each camera and size has its own, and what does not fit is refused or not used."""

import errno
import os
import re
import stat
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.frames import picture
from camdaemon.frames.frame import Size
from camdaemon.linux.files import remove_stale_drafts
from camdaemon.plate import saved, store
from camdaemon.plate.parts import Growth, Origin, Plate
from tests.present import present

SIZE = Size(128, 72)
CAMERA = "usb-046d_HD_Pro_Webcam_C920-video-index0"


def rgb(size: Size = SIZE, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size.height, size.width, 3), np.uint8)


def keep(camera: str, size: Size, shot: np.ndarray) -> Path:
    path = saved.path_for(camera, size)
    store.save(path, Plate(shot), {})
    return path


def reload(camera: str, size: Size) -> np.ndarray | None:
    place = store.load(saved.path_for(camera, size), size)
    return None if place is None else place.plate.rgb


@pytest.mark.parametrize("camera", [CAMERA, "Kamera für Büro/3", "..", "/dev/video0", "x" * 500, "", "a\nb\0c"])
def test_a_plate_comes_back_as_it_was(camera):
    assert reload(camera, SIZE) is None
    where = keep(camera, SIZE, rgb())
    assert where == saved.path_for(camera, SIZE)
    assert where.parent.name == "plates", "a camera's name must not lead out of the folder"
    assert np.array_equal(present(reload(camera, SIZE)), rgb())
    keep(camera, SIZE, rgb(seed=1))
    assert np.array_equal(present(reload(camera, SIZE)), rgb(seed=1)), "the newer one must win"


def test_every_camera_and_every_size_has_its_own():
    cameras = [CAMERA, CAMERA.replace("_", "-"), CAMERA + "!", "x" * 100 + "1", "y" * 10 + "x" * 90 + "1", "1"]
    sizes = [SIZE, Size(72, 128), Size(1280, 720)]
    paths = {saved.path_for(camera, size) for camera in cameras for size in sizes}
    assert len(paths) == len(cameras) * len(sizes)
    assert all(len(path.name) < 100 for path in paths)
    keep(CAMERA, SIZE, rgb())
    assert reload("another", SIZE) is None
    assert reload(CAMERA, Size(640, 360)) is None


def test_plates_lie_in_the_state_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert saved.path_for(CAMERA, SIZE).is_relative_to(tmp_path / "camdaemon")


def test_a_write_that_fails_leaves_the_old_plate(monkeypatch):
    keep(CAMERA, SIZE, rgb())

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(saved.path_for(CAMERA, SIZE)), "replace", full)
    with pytest.raises((OSError, CamdaemonError)):
        keep(CAMERA, SIZE, rgb(seed=1))
    assert np.array_equal(present(reload(CAMERA, SIZE)), rgb())


def test_a_state_directory_that_cannot_be_written_is_an_error_for_people(tmp_path, monkeypatch):
    """It ends with what to do, instead of a traceback; the plate itself was taken."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(CamdaemonError):
        keep(CAMERA, SIZE, rgb())


def refused() -> str:
    with pytest.raises(ConfigError) as wrong:
        reload(CAMERA, SIZE)
    said = str(wrong.value)
    assert str(saved.path_for(CAMERA, SIZE)) in said
    assert "\n" not in said
    return said


def test_a_saved_plate_of_another_size_is_not_used():
    picture.write(saved.path_for(CAMERA, SIZE), rgb(Size(256, 144)))
    said = refused()
    assert "256x144" in said
    assert said.endswith("camdaemon plate --countdown 5")


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0x10]) + content[middle + 1 :]


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda content: b"", "PNG"),
        (lambda content: b"no picture", "PNG"),
        (lambda content: content[:20], "PNG"),
        (lambda content: content[: len(content) // 2], "cut off"),
        (lambda content: content[:-1], "cut off"),
        (lambda content: content[:-12], "cut off"),
        (lambda content: content[:40] + bytes(len(content) - 40), "damaged"),
        (flip, "damaged"),
        (lambda content: content[:33] + b"\xff\xff\xff\xff" + content[37:], "cut off"),
        (lambda content: np.asarray(cv2.imencode(".jpg", rgb())[1]).tobytes(), "PNG"),
    ],
    ids=["empty", "text", "a header", "a half", "one byte", "no end", "zeros", "a bit", "a length", "a JPEG"],
)
def test_a_damaged_plate_is_refused_and_replaced_by_the_next(damage, word):
    path = keep(CAMERA, SIZE, rgb())
    path.write_bytes(damage(path.read_bytes()))
    said = refused()
    assert word in said
    assert said.endswith("Run: camdaemon plate --countdown 5")
    keep(CAMERA, SIZE, rgb(seed=1))
    assert np.array_equal(present(reload(CAMERA, SIZE)), rgb(seed=1))


@pytest.mark.timeout(20)
def test_what_is_no_file_is_refused_and_never_waited_for():
    path = saved.path_for(CAMERA, SIZE)
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    assert "FIFO" in refused()
    path.unlink()
    path.symlink_to(path.name)
    assert "symbolic links" in refused()
    path.unlink()
    path.mkdir()
    assert re.search(r"folder.*Run: rm -r .*\.png$", refused())
    with pytest.raises(ConfigError, match=r"Run: rm -r .*\.png$"):
        keep(CAMERA, SIZE, rgb())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_plate_that_may_not_be_read_is_refused():
    path = keep(CAMERA, SIZE, rgb())
    path.chmod(0)
    assert "Permission denied" in refused()
    path.chmod(0o600)
    path.parent.chmod(0)
    assert "Permission denied" in refused()
    path.parent.chmod(0o700)


def test_a_plate_is_for_its_user_alone_whatever_the_umask():
    path = saved.path_for(CAMERA, SIZE)
    path.parent.mkdir(parents=True, mode=0o755)
    path.write_bytes(b"an older one")
    path.chmod(0o644)
    before = os.umask(0o022)
    try:
        keep(CAMERA, SIZE, rgb())
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("number", "command"),
    [(errno.ENOSPC, "df -h"), (errno.EDQUOT, "df -h"), (errno.EROFS, "findmnt -T"), (errno.EACCES, "ls -ld")],
)
def test_a_disk_that_takes_no_plate_is_said_with_what_to_type(monkeypatch, number, command):
    def refuse(self, content):
        raise OSError(number, os.strerror(number))

    keep(CAMERA, SIZE, rgb())
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", refuse)
        with pytest.raises(ConfigError, match=rf"{os.strerror(number)}. Run: {command} /.*plates$"):
            keep(CAMERA, SIZE, rgb(seed=1))
    assert np.array_equal(present(reload(CAMERA, SIZE)), rgb())


_SAVE_FOREVER = """
import numpy as np
from camdaemon.frames.frame import Size
from camdaemon.plate import saved, store
from camdaemon.plate.parts import Plate
turn = 0
while True:
    turn += 1
    path = saved.path_for("camera", Size(256, 144))
    store.save(path, Plate(np.full((144, 256, 3), turn % 256, np.uint8)), {})
    print(turn, flush=True)
"""


def test_a_process_killed_while_it_saves_leaves_a_whole_plate():
    """The moments of the kills are spread over a save by counting up from when the last one ended."""
    size = Size(256, 144)
    for turn in range(5):
        with subprocess.Popen([sys.executable, "-c", _SAVE_FOREVER], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            before = int(process.stdout.readline())
            time.sleep(turn * 0.001)
            process.kill()
            last = [before, *map(int, process.stdout.read().split())][-1]
        found = present(reload("camera", size))
        assert (found == found[0, 0]).all(), "a plate of two saves"
        assert found[0, 0, 0] in (last % 256, (last + 1) % 256)
        folder = saved.path_for("camera", size).parent
        drafts = [path for path in folder.iterdir() if path.name.startswith(".")]
        assert remove_stale_drafts(folder) == drafts
        assert [path.suffix for path in folder.iterdir()] == [".png"]


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


def test_a_plate_of_a_large_camera_s_own_shape_is_cut_as_its_frames_are(tmp_path: Path) -> None:
    """1920x1088 is not quite 16:9; its frames are published at 1280x720."""
    rgb = np.zeros((1088, 1920, 3), np.uint8)
    rgb[:, :, 0] = np.linspace(0, 200, 1920).astype(np.uint8)
    picture.write(tmp_path / "room.png", rgb)
    with pytest.raises(ConfigError, match="another shape"):
        store.load_file(tmp_path / "room.png", Size(1280, 720))
    found = store.load_file(tmp_path / "room.png", Size(1280, 720), Size(1920, 1088))
    assert np.array_equal(found, picture.cover(rgb, Size(1280, 720)))


def whole_plate() -> Plate:
    """A plate of which every part says something."""
    blocks = (9, 16)
    confidence = np.ones(blocks, np.float32)
    confidence[:, :2] = 0
    origin = np.zeros(blocks, np.uint8)
    origin[2:4] = Origin.HEALED
    pictures = np.zeros(blocks, bool)
    pictures[0, 3] = True
    movement = np.array([[1, 0, 2.5], [0, 1, -1], [0, 0, 1]])
    return Plate(rgb(), confidence, None, pictures, Growth(rgb(seed=3), origin, movement))


def test_every_part_of_a_plate_comes_back_with_the_camera_s_controls():
    path, kept = saved.path_for(CAMERA, SIZE), whole_plate()
    store.save(path, kept, {"gain": 3, "white_balance_temperature": 4600})
    place = present(store.load(path, SIZE))
    assert place.controls == store.read_controls(path) == {"gain": 3, "white_balance_temperature": 4600}
    assert np.array_equal(place.plate.rgb, kept.rgb)
    assert np.array_equal(present(place.plate.confidence), present(kept.confidence))
    assert np.array_equal(present(place.plate.pictures), present(kept.pictures))
    growth, was = present(place.plate.growth), present(kept.growth)
    assert np.array_equal(growth.rgb, was.rgb)
    assert np.array_equal(growth.origin, was.origin)
    assert np.array_equal(growth.movement, was.movement)


def test_any_program_shows_what_was_shot_and_nothing_that_was_learned():
    path = saved.path_for(CAMERA, SIZE)
    store.save(path, whole_plate(), {"gain": 3})
    shown = present(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))
    assert np.array_equal(shown[..., ::-1], rgb())
    with Image.open(path) as image:
        assert np.array_equal(np.asarray(image), rgb())


def test_a_plate_of_an_earlier_version_was_shot_and_has_its_controls_beside_it():
    path = saved.path_for(CAMERA, SIZE)
    picture.write(path, rgb())
    saved.older_controls(path).write_text('{"gain": 3, "name": "x"}')
    place = present(store.load(path, SIZE))
    assert place.plate.confidence is None
    assert place.plate.is_shot
    assert place.controls == {"gain": 3}
    store.save(path, place.plate, place.controls)
    assert not saved.older_controls(path).exists()
    assert present(store.load(path, SIZE)).controls == {"gain": 3}


@pytest.mark.parametrize("kind", [b"caMD", b"caCO", b"caGR", b"caOR"])
def test_what_camdaemon_wrote_beside_the_picture_is_checked_too(kind: bytes):
    path = saved.path_for(CAMERA, SIZE)
    store.save(path, whole_plate(), {})
    content = path.read_bytes()
    at = content.index(kind) + 4
    path.write_bytes(content[:at] + b"\xff" + content[at + 1 :])
    assert "damaged" in refused()


def test_five_places_are_kept_and_the_oldest_gives_way():
    paths = []
    for number in range(7):
        path = saved.choose_path(CAMERA, SIZE)
        store.save(path, Plate(rgb(seed=number)), {})
        os.utime(path, (1000 + number,) * 2)
        paths.append(path)
    assert len(set(paths)) == saved.PLACES == 5
    assert saved.list_places(CAMERA, SIZE) == paths[:1:-1]
    assert {plate.place for plate in saved.list_plates()} == {1, 2, 3, 4, 5}
    assert not saved.list_places("another", SIZE)
