"""`camdaemon image`: which plate belongs to which picture, many of them at once, and pictures of more than 8 bits."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pillow_heif
import pytest
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

from camdaemon.cli.image import image
from camdaemon.config.schema import Config
from camdaemon.errors import ConfigError, Interrupted, MattingError
from camdaemon.frames.composite import Matte
from camdaemon.matting import Matting
from camdaemon.tools.files.image import matte_pairs
from camdaemon.tools.files.offline import OfflinePipeline
from camdaemon.tools.files.pairs import Pair, find_pairs
from camdaemon.tools.files.results import ResultPaths
from tests.tools.films.made import read, room, run, somebody, write

QUICK = ("--matting", "difference", "--device", "cpu")


def write_deep(path: Path, rgb: np.ndarray) -> Path:
    """Write a picture of 8 bits in 16, with a fine ramp below their steps."""
    ramp = np.linspace(0, 256, rgb.shape[1], dtype=np.uint16)[None, :, None]
    return write(path, np.minimum(rgb.astype(np.uint32) * 257 + ramp, 65535).astype(np.uint16))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Folders `people` and `rooms`, in which picture 3 of 4 is none."""
    for number in range(1, 5):
        write(tmp_path / "people" / f"p{number}.png", somebody(room(), 10 * number))
        write(tmp_path / "rooms" / f"p{number}.jpg", room())
    (tmp_path / "people" / "p3.png").write_bytes(b"no picture")
    return tmp_path


def attempt(*arguments: object) -> tuple[BaseException | None, str]:
    """Return how `camdaemon image` failed, and what it said, in one line."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(image)
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    return result.exception, " ".join(result.output.split())


def find(folder: Path, plate: Path | None = None) -> dict[str, str]:
    """Return the plates' names by the names of the pictures."""
    pairs = find_pairs(folder, plate, ResultPaths(Path("out")))
    assert [pair.wanted.alpha for pair in pairs] == [
        Path("out") / f"{pair.src.stem.removesuffix('_img')}.png" for pair in pairs
    ]
    return {pair.src.name: pair.plate.name if pair.plate else "" for pair in pairs}


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_a_folder_of_pairs(tmp_path: Path) -> None:
    for name, left in (("a", 20), ("b", 70)):
        write(tmp_path / "in" / f"{name}_img.png", somebody(room(), left))
        write(tmp_path / "in" / f"{name}_back.jpg", room())
    done = ("--alpha", tmp_path / "alpha", "--composite", tmp_path / "made", "--backdrop", "blur:4")
    run(image, "--src", tmp_path / "in", *done, *QUICK)
    assert sorted(path.name for path in (tmp_path / "alpha").iterdir()) == ["a.png", "b.png"]
    assert read(tmp_path / "alpha" / "a.png")[50, 30] == 255
    assert read(tmp_path / "alpha" / "b.png")[50, 30] == 0
    (tmp_path / "in" / "a_back.jpg").unlink()
    with pytest.raises(ConfigError, match=r"^1\D+2\b.*no plate.*\ba_img\b.*\ba_back\.png, or run with: --plate none$"):
        run(image, "--src", tmp_path / "in", *done)
    with pytest.raises(ConfigError, match=r"NAME_img\.png, NAME_back\.png.*--plate FOLDER_OR_FILE$"):
        run(image, "--src", tmp_path, *done)
    with pytest.raises(ConfigError, match=r"folder.*\ba\.png\b.* a$"):
        run(image, "--src", tmp_path / "in", "--alpha", "a.png")


def test_pictures_and_plates_of_two_folders_are_paired_by_name(tmp_path: Path) -> None:
    people = touch(tmp_path / "people", "p10.png", "p2.jpg", "notes.txt")
    rooms = touch(tmp_path / "rooms", "p2.png", "p10_back.heic", "p10.png", "other.png")
    assert list(find(people, rooms).items()) == [("p2.jpg", "p2.png"), ("p10.png", "p10_back.heic")]
    marked = touch(tmp_path / "marked", "p2_img.png", "p2_back.png", "p10_img.png", "poster.png")
    assert find(marked, rooms) == {"p2_img.png": "p2.png", "p10_img.png": "p10_back.heic"}
    assert find(touch(tmp_path / "alike", "x_img.png"), touch(tmp_path / "same", "x_img.jpg")) == {
        "x_img.png": "x_img.jpg"
    }


def test_one_plate_serves_a_whole_folder_and_is_no_picture_of_it(tmp_path: Path) -> None:
    people = touch(tmp_path / "people", "b.png", "a.png", "room.png", "old_back.png")
    assert find(people, people / "room.png") == {"a.png": "room.png", "b.png": "room.png"}
    assert find(people, Path("none")) == {"a.png": "", "b.png": "", "room.png": ""}


def test_what_has_no_partner_is_told_once(tmp_path: Path) -> None:
    people = touch(tmp_path / "people", "a.png", "b.png", "c.png")
    rooms = touch(tmp_path / "rooms", "b.png")
    with pytest.raises(ConfigError, match=r"^2 of 3 .*people .*rooms, the first is a\.png\..*/a\.png.*--plate FILE$"):
        find(people, rooms)
    with pytest.raises(ConfigError, match=r"b\.jpg and b\.png in .*rooms"):
        find(people, touch(rooms, "b.jpg"))
    with pytest.raises(ConfigError, match=r"folder of plates.*--plate FILE$"):
        find(people / "a.png", rooms)
    with pytest.raises(ConfigError, match=r"no pictures \(\.png.*--src FILE$"):
        find(touch(tmp_path / "empty"), rooms)


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_bad_pair_does_not_stop_the_others(many: Path, jobs: int) -> None:
    write(many / "rooms" / "p1.jpg", room(72, 72))
    options = ("--plate", many / "rooms", "--alpha", many / "out", "--jobs", jobs, *QUICK)
    failure, said = attempt("--src", many / "people", *options)
    assert isinstance(failure, MattingError)
    assert failure.exit_code == 1
    assert re.match(r"2 of 4 pictures failed, and 2 are done: p1\.png, p3\.png\. .*--force$", str(failure))
    assert re.search(r"p1\.png: .*another shape.*p3\.png", said)
    assert sorted(contents(many / "out")) == ["p2.png", "p4.png"]


def test_the_only_pair_tells_its_own_mistake(many: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the picture .*p3\.png"):
        run(image, "--src", many / "people" / "p3.png", "--plate", many / "rooms" / "p3.jpg", "--alpha", many / "a.png")


def test_strict_counts_those_whose_plate_does_not_fit(tmp_path: Path) -> None:
    for name, plate in (("a", room(144, 256)), ("b", 255 - room(144, 256)[::-1])):
        write(tmp_path / "in" / f"{name}_img.png", somebody(room(144, 256)))
        write(tmp_path / "in" / f"{name}_back.png", plate)
    options = ("--src", tmp_path / "in", "--alpha", tmp_path / "out", "--effort", "live", "--device", "cpu")
    with pytest.raises(MattingError, match=r"1 of 2 .*: b_img\.png"):
        run(image, *options, "--strict")
    assert sorted(contents(tmp_path / "out")) == ["a.png"]


@pytest.mark.usefixtures("one_thread")
def test_any_number_of_jobs_gives_the_same_bytes(tmp_path: Path) -> None:
    shapes = [(72, 128), (71, 127), (72, 128), (96, 64), (72, 128)]
    for number, (height, width) in enumerate(shapes):
        plate = room(height, width)
        save = write_deep if number == 2 else write
        save(tmp_path / "in" / f"{number}_img.png", somebody(plate, 8 * number))
        write(tmp_path / "in" / f"{number}_back.png", plate)
    made = {}
    for jobs in (1, 3):
        out = tmp_path / f"out{jobs}"
        results = ("--alpha", out / "alpha", "--foreground", out / "cut", "--composite", out / "made")
        run(image, "--src", tmp_path / "in", *results, "--backdrop", "hills", "--jobs", jobs, "--device", "cpu")
        made[jobs] = contents(out)
    assert len(made[1]) == 3 * len(shapes)
    assert made[1] == made[3]
    run(image, "--src", tmp_path / "in" / "4_img.png", "--plate", tmp_path / "in" / "4_back.png",
        "--alpha", tmp_path / "alone.png", "--device", "cpu")  # fmt: skip
    assert (tmp_path / "alone.png").read_bytes() == made[1]["alpha/4.png"], "pictures before it changed it"


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("depth", "deep", "shallow"), [("auto", 16, 8), ("8", 8, 8), ("16", 16, 16)])
def test_results_have_the_bits_of_their_picture(tmp_path: Path, depth: str, deep: int, shallow: int) -> None:
    write_deep(tmp_path / "in" / "deep_img.png", somebody(room()))
    write(tmp_path / "in" / "shallow_img.png", somebody(room()))
    names = ("alpha", "foreground", "composite")
    results = [each for name in names for each in (f"--{name}", tmp_path / name)]
    options = ("--plate", write(tmp_path / "room.png", room()), "--depth", depth, "--device", "cpu")
    run(image, "--src", tmp_path / "in", *results, *options)
    for name in names:
        for picture, bits in (("deep", deep), ("shallow", shallow)):
            found = read(tmp_path / name / f"{picture}.png")
            assert found.dtype.itemsize * 8 == bits, f"{name} of {picture}"
            assert found.max() > 2 ** (bits - 2)
            assert bits == 8 or (found % 257 != 0).any(), "only the steps of 8 bits"


@pytest.mark.parametrize("deep", [False, True])
def test_both_depths_show_the_same(tmp_path: Path, deep: bool) -> None:
    src = (write_deep if deep else write)(tmp_path / "s.png", somebody(room()))
    plate = write(tmp_path / "p.png", room())
    for depth in ("8", "16"):
        run(image, "--src", src, "--plate", plate, "--composite", tmp_path / f"{depth}.png", "--depth", depth, *QUICK)
    coarse, fine = (read(tmp_path / f"{depth}.png").astype(float) for depth in ("8", "16"))
    assert np.abs(coarse - fine / 257).max() <= 0.51


def save_avif(path: Path, rgb: np.ndarray) -> None:
    Image.fromarray(rgb).save(path, quality=95)


def save_heic(path: Path, rgb: np.ndarray) -> None:
    pillow_heif.from_bytes("RGB", (rgb.shape[1], rgb.shape[0]), rgb.tobytes()).save(path, quality=95)


@pytest.mark.parametrize(("name", "save"), [("s.avif", save_avif), ("s.heic", save_heic)])
def test_pictures_of_telephones_are_read(tmp_path: Path, name: str, save: Callable[[Path, np.ndarray], None]) -> None:
    (tmp_path / "in").mkdir()
    save(tmp_path / "in" / name, somebody(room()))
    plate = write(tmp_path / "p.png", room())
    run(image, "--src", tmp_path / "in", "--plate", plate, "--alpha", tmp_path / "out", *QUICK)
    alpha = read(tmp_path / "out" / "s.png")
    assert alpha[40:60, 50:70].min() > 250
    assert alpha[:15].max() == 0


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_result_that_cannot_be_written_ends_it_and_its_pair_has_none(many: Path, jobs: int) -> None:
    (many / "cut" / "p2.png").mkdir(parents=True)
    results = ("--alpha", many / "alpha", "--foreground", many / "cut", "--jobs", jobs)
    with pytest.raises(ConfigError, match=r"cannot write .*cut/p2\.png"):
        run(image, "--src", many / "people", "--plate", many / "rooms", *results, *QUICK)
    assert "p2.png" not in contents(many / "alpha")
    assert contents(many / "alpha").keys() == contents(many / "cut").keys()
    assert not [path for path in many.rglob(".*") if path.is_file()], "drafts"


class _Stopping:
    """A matting that is stopped at its third picture."""

    name = "stopping"
    doubts = False

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, src: torch.Tensor, plate: torch.Tensor, confidence: torch.Tensor | None, seq: int) -> Matte:
        self.calls += 1
        if self.calls == 3:
            raise KeyboardInterrupt
        return Matte(torch.zeros(1, 1, *src.shape[2:]), src, seq)


def test_ctrl_c_keeps_what_is_done_and_counts_it(many: Path) -> None:
    pipeline = OfflinePipeline(Config(matting="difference", device="cpu", match_exposure=False), live=True)
    pipeline.matting = cast("Matting", _Stopping())
    todo = [
        Pair(many / "people" / f"p{number}.png", many / "rooms" / "p1.jpg", ResultPaths(many / f"{number}.png"))
        for number in (1, 2, 4)
    ]
    with pytest.raises(Interrupted, match="stopped after 2 of 3 pictures"):
        matte_pairs(pipeline, todo, "color:#000000", 0.92)
    assert [(many / f"{number}.png").exists() for number in (1, 2, 4)] == [True, True, False]


def test_a_shared_plate_of_another_size_is_told_once(tmp_path: Path) -> None:
    for name in "abc":
        write(tmp_path / "in" / f"{name}.png", somebody(room()))
    plate = write(tmp_path / "half.png", room(36, 64))
    options = ("--src", tmp_path / "in", "--plate", plate, "--alpha", tmp_path / "out", "--jobs", 3)
    failure, said = attempt(*options, *QUICK)
    assert failure is None
    assert said.count("was scaled to 128x72") == 1
