"""What a data folder may look like, what becomes of it in memory, and what is said when it is broken."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from camdaemon.errors import ConfigError
from camdaemon.tools.train.samples.layouts import FRAMES_OF_A_VIDEO, Person, Split, find_pictures
from camdaemon.tools.train.samples.packing import PERSON_SIDE, PIECE_BYTES, PLATE_SIZE, pack_people, pack_plates
from tests.present import present
from tests.tools.train.training_data import make_people, make_plates, make_video, person


def test_people_and_plates(data: Path) -> None:
    train, val = find_pictures([data], [], "train"), find_pictures([data], [], "val")
    assert len(train.people) + len(val.people) == 5
    assert len(train.plates) + len(val.plates) == 7
    assert not set(train.people) & set(val.people)
    assert all(pair.color.suffix == ".jpg" and pair.color.stem == pair.alpha.stem for pair in train.people)


def test_hidden_files_are_no_training_data(data: Path) -> None:
    before = find_pictures([data], [], "train")
    for file in [*(data / "people").iterdir(), *(data / "plates").iterdir()]:
        file.with_name(f"._{file.name}").write_bytes(b"macOS")
    assert find_pictures([data], [], "train") == before


def test_folders_named_train_and_val_are_the_splits(tmp_path: Path) -> None:
    for split, count in (("train", 3), ("val", 2)):
        for kind, make in (("people", make_people), ("plates", make_plates)):
            make(tmp_path / "made" / split, count)
            (tmp_path / kind).mkdir(exist_ok=True)
            (tmp_path / "made" / split / kind).rename(tmp_path / kind / split)
    assert [len(part) for part in find_pictures([tmp_path], [], "train")] == [3, 3]
    assert [len(part) for part in find_pictures([tmp_path], [], "val")] == [2, 2]


def test_published_trees_of_pictures(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for kind in ("fgr", "pha"):
            (tmp_path / split / kind / "0001").mkdir(parents=True)
        color, alpha = person(1)
        cv2.imwrite(str(tmp_path / split / "fgr/0001/00000.jpg"), color)
        cv2.imwrite(str(tmp_path / split / "pha/0001/00000.png"), alpha)
    make_plates(tmp_path / "rooms", 3)
    folders: dict[Split, str] = {"train": "train", "val": "test"}
    for split, name in folders.items():
        (pair,) = find_pictures([tmp_path], [tmp_path / "rooms"], split).people
        assert pair == Person(tmp_path / name / "fgr/0001/00000.jpg", tmp_path / name / "pha/0001/00000.png")


def test_published_trees_of_videos(tmp_path: Path, cache: Path) -> None:
    colors, alphas = zip(*(person(n % 3) for n in range(2 * FRAMES_OF_A_VIDEO)), strict=True)
    make_video(tmp_path / "fgr/0001.mkv", list(colors))
    make_video(tmp_path / "pha/0001.mkv", list(alphas))
    make_plates(tmp_path, 2)
    packed = pack_people(find_pictures([tmp_path], [], "train").people, cache)
    assert FRAMES_OF_A_VIDEO <= len(packed) <= 2 * FRAMES_OF_A_VIDEO
    assert {max(packed.picture(number).shape[:2]) for number in range(len(packed))} == {PERSON_SIDE}


def test_several_folders_are_one_set(data: Path, tmp_path: Path) -> None:
    make_people(tmp_path, 40)
    found = find_pictures([data, tmp_path], [], "train")
    assert len(found.people) == 4 + 38
    assert len(found.plates) == 6


def test_packed_pictures_have_their_alpha_beside_them(tmp_path: Path, cache: Path) -> None:
    make_plates(tmp_path, 2)
    (tmp_path / "people").mkdir()
    for number in range(3):
        color, alpha = person(number)
        cv2.imwrite(str(tmp_path / f"people/p.{number}.webp"), color, [cv2.IMWRITE_WEBP_QUALITY, 101])
        cv2.imwrite(str(tmp_path / f"people/p.{number}.alpha.webp"), alpha, [cv2.IMWRITE_WEBP_QUALITY, 101])
    found = find_pictures([tmp_path], [], "train").people
    assert [(each.color.name, each.alpha.name) for each in found] == [
        (f"p.{number}.webp", f"p.{number}.alpha.webp") for number in (1, 2)
    ]
    cutout = pack_people(found, cache).picture(0)
    assert cutout.shape[2] == 4
    assert cutout[:, :, 3].max() > 252
    (tmp_path / "people/p.1.webp").unlink()
    with pytest.raises(ConfigError, match=r"p\.1\.jpg is missing"):
        find_pictures([tmp_path], [], "train")


def test_packing_crops_keeps_color_and_is_done_once(data: Path, tmp_path: Path) -> None:
    told: list[str] = []
    people = find_pictures([data], [], "train").people
    first = pack_people(people, tmp_path, told.append)
    again = pack_people(people, tmp_path, told.append)
    assert len(told) == 1
    assert all(np.array_equal(first.picture(number), again.picture(number)) for number in range(len(people)))
    assert all(file.stat().st_size < PIECE_BYTES for file in tmp_path.rglob("*.npy"))
    cutout = first.picture(2)
    height, width = cutout.shape[:2]
    assert cutout.shape[2] == 4
    assert max(height, width) == PERSON_SIDE
    assert width / height == pytest.approx(30 / 50, abs=0.08)  # the ellipse, not the picture around it
    truth = present(cv2.imread(str(people[2].color)))[30, 20, ::-1]
    middle = cutout[height // 2, width // 2].astype(int)
    assert np.abs(middle[:3] - truth).max() < 5
    assert middle[3] > 252


def test_plates_fill_their_frame(data: Path, cache: Path) -> None:
    plates = pack_plates(find_pictures([data], [], "train").plates, cache)
    assert plates.picture(0).shape == (*PLATE_SIZE, 3)
    assert plates.picture(0).std() > 10


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda folder: (folder / "people/p00.jpg").unlink(), r"p00\.png.*colors.*p00\.jpg"),
        (lambda folder: [file.unlink() for file in (folder / "people").iterdir()], "people to train.*--data FOLDER$"),
        (lambda folder: [file.unlink() for file in (folder / "plates").iterdir()], "--plates FOLDER"),
    ],
)
def test_a_broken_folder_is_named(tmp_path: Path, break_it, says: str) -> None:
    make_people(tmp_path, 2)
    make_plates(tmp_path, 2)
    break_it(tmp_path)
    with pytest.raises(ConfigError, match=says):
        find_pictures([tmp_path], [], "train")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"folder.*nowhere\b.*--data FOLDER$"):
        find_pictures([tmp_path / "nowhere"], [], "train")


def test_a_foreground_without_its_alpha_is_named(tmp_path: Path) -> None:
    make_video(tmp_path / "pha/0001.mkv", [person(1)[1]])
    (tmp_path / "fgr").mkdir()
    with pytest.raises(ConfigError, match=r"0001\.mkv.*foreground.*fgr"):
        find_pictures([tmp_path], [], "train")


@pytest.mark.filterwarnings("ignore")
def test_unreadable_and_unequal_pictures_are_named(tmp_path: Path) -> None:
    make_people(tmp_path, 1)
    pair = Person(tmp_path / "people/p00.jpg", tmp_path / "people/p00.png")
    cv2.imwrite(str(pair.alpha), np.zeros((10, 10), np.uint8))
    with pytest.raises(ConfigError, match=r"p00\.jpg.*p00\.png.*size"):
        pack_people([pair], tmp_path / "cache")
    pair.alpha.write_bytes(b"not a picture")
    with pytest.raises(ConfigError, match=r"cannot read.*p00\.png.*try rm .*p00\.png$"):
        pack_people([pair], tmp_path / "cache")
