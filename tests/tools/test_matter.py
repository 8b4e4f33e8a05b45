"""`camdaemon.Matter` for Python programs: arrays in, arrays out; and the notebook that shows it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

import camdaemon
from camdaemon import Matte, Matter, composite
from camdaemon.capture.pattern import CLIP
from camdaemon.cli.image import image
from camdaemon.errors import ConfigError
from camdaemon.frames import picture
from camdaemon.tools.mattes import AnyPicture
from tests.plate.painted import SIZE, THERE, alpha, film, other_room, plate
from tests.tools.films.made import read, run
from tests.tools.written import write_video

ROOT = Path(__file__).parents[2]
SHAPE = (SIZE.height, SIZE.width)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def matter() -> Iterator[Matter]:
    with Matter(device="cpu", effort="live") as made:
        yield made


def turn_into(rgb: np.ndarray, dtype: type) -> AnyPicture:
    if dtype is np.float32:
        return np.asarray(rgb / 255, np.float32)
    return np.asarray(rgb.astype(np.uint16) * 257 if dtype is np.uint16 else rgb, dtype)


def error(found: np.ndarray, number: int = THERE) -> float:
    return float(np.abs(found - alpha(number) / 255).mean())


def test_importing_the_package_loads_nothing_and_names_what_is_there() -> None:
    code = (
        "import sys, camdaemon; before = {'torch', 'numpy', 'cv2', 'av', 'typing'} & set(sys.modules);"
        "print(before, sorted({'Matter', 'Matte', 'composite'} & set(dir(camdaemon))));"
        "from camdaemon import Matter; print(Matter.__name__, {'torch', 'numpy'} & set(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == ["set() ['Matte', 'Matter', 'composite']", "Matter {'numpy'}"]
    with pytest.raises(AttributeError, match="no attribute 'Natter'"):
        _ = getattr(camdaemon, "Natter")  # noqa: B009


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_picture_of_each_kind_has_the_same_matte(matter: Matter, dtype: type) -> None:
    rgb = turn_into(film(THERE), dtype)
    before = rgb.copy()
    found = matter.matte(rgb, plate())
    assert (found.alpha.dtype, found.alpha.shape) == (np.float32, SHAPE)
    assert (found.foreground.dtype, found.foreground.shape) == (dtype, (*SHAPE, 3))
    assert (found.alpha.min(), found.alpha.max()) == (0, 1)
    assert error(found.alpha) < 0.01
    most = 1 if dtype is np.float32 else np.iinfo(dtype).max
    sure = alpha(THERE) > 254
    assert np.abs(found.foreground[sure] / most - film(THERE)[sure] / 255.0).mean() < 0.02
    assert not found.foreground[found.alpha == 0].any(), "the room"
    assert found.warning == ""
    assert (rgb == before).all()


def test_the_plate_may_have_another_dtype_and_be_a_view(matter: Matter) -> None:
    wanted = matter.matte(film(THERE), plate()).alpha
    for room in (turn_into(plate(), np.uint16), turn_into(plate(), np.float32), plate()[:, ::-1].copy()[:, ::-1]):
        assert np.abs(matter.matte(film(THERE)[..., ::-1].copy()[..., ::-1], room).alpha - wanted).max() < 0.02


def test_without_a_plate_the_weights_that_can_do_so_are_taken(matter: Matter) -> None:
    assert error(matter.matte(film(THERE)).alpha) < 0.04
    with Matter("published", "cpu", "live") as named:
        assert (named.matte(film(THERE)).alpha == matter.matte(film(THERE)).alpha).all()


def test_a_plate_of_another_room_is_left_out_and_told(matter: Matter) -> None:
    found = matter.matte(film(THERE), other_room())
    assert found.warning.startswith("the plate does not fit")
    assert error(found.alpha) < 0.04


def test_it_equals_the_command(tmp_path: Path, matter: Matter) -> None:
    picture.write(tmp_path / "s.png", film(THERE)[:350, :637])
    picture.write(tmp_path / "p.png", plate()[:350, :637])
    run(image, "--src", tmp_path / "s.png", "--plate", tmp_path / "p.png", "--alpha", tmp_path / "a.png",
        "--foreground", tmp_path / "f.png", "--composite", tmp_path / "c.png", "--backdrop", "hills",
        "--effort", "live", "--device", "cpu")  # fmt: skip
    found = matter.matte(film(THERE)[:350, :637], plate()[:350, :637])
    assert (np.rint(found.alpha * 255) == read(tmp_path / "a.png")).all()
    shown = read(tmp_path / "a.png") > 0
    assert (found.foreground[shown] == read(tmp_path / "f.png")[..., :3][shown]).all()
    assert np.abs(composite(found, "hills").astype(int) - read(tmp_path / "c.png")).max() <= 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (71, 127)])
def test_a_picture_of_any_size_is_matted(matter: Matter, shape: tuple[int, int]) -> None:
    rgb = np.full((*shape, 3), 90, np.uint8)
    for found in (matter.matte(rgb, rgb), matter.matte(rgb)):
        assert found.alpha.shape == shape
        assert found.foreground.shape == (*shape, 3)


NAN = np.full((64, 64, 3), np.nan, np.float32)
GRAY = np.full((64, 64, 3), 90, np.uint8)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (GRAY[..., 0], r"picture has the shape \(64, 64\): .*numpy\.dstack"),
        (np.dstack([GRAY, GRAY[..., :1]]), r"shape \(64, 64, 4\).*\[\.\.\., :3\]"),
        (GRAY[None], r"shape \(1, 64, 64, 3\).*picture\[0\]"),
        (GRAY[:0], "no pixel"),
        (GRAY.astype(float), r"float64.*astype\(numpy\.float32\)"),
        (GRAY.astype(int), "int64.*uint8, uint16"),
        ("me.png", r"picture is an array of <U6.*PIL\.Image\.open"),
        (NAN, "not finite"),
        (GRAY.astype(np.float32), r"from 90 to 90.*picture / 255"),
        (GRAY.astype(np.float32) / 89, r"from 1\.01\d* to .*clip\(0, 1\)"),
        (np.zeros((4, 8193, 3), np.uint8), "8193x4.*larger"),
    ],
)
def test_what_is_no_picture_is_told(matter: Matter, given: np.ndarray, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        matter.matte(given)


def test_mistakes_with_the_rest_are_told(tmp_path: Path, matter: Matter) -> None:
    with pytest.raises(ConfigError, match=r"the plate has the shape \(64, 64\)"):
        matter.matte(GRAY, GRAY[..., 0])
    with pytest.raises(ConfigError, match=r"64x32 and the picture 64x64.*another shape"):
        matter.matte(GRAY, GRAY[:32])
    with pytest.raises(ConfigError, match="device='gpu' is unknown: expected 'auto', 'cpu', 'cuda'"):
        Matter(device="gpu")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="effort='best'"):
        Matter(effort="best")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"none\.safetensors"):
        Matter(tmp_path / "none.safetensors", "cpu")
    with pytest.raises(ConfigError, match=r"none\.mp4"):
        matter.film(tmp_path / "none.mp4")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_composite_is_of_the_foregrounds_dtype(tmp_path: Path, dtype: type) -> None:
    person = np.full((4, 6, 3), 200, np.uint8)
    ramp = np.linspace(0, 1, 6, dtype=np.float32)[None].repeat(4, 0)
    matte = Matte(ramp, turn_into(person, dtype))
    most = 1 if dtype is np.float32 else np.iinfo(dtype).max
    wanted = (200 * ramp + 100 * (1 - ramp)) / 255
    behind = np.full((30, 90, 3), 100, np.uint8)
    cv2.imwrite(str(tmp_path / "b.png"), behind)
    for backdrop in (behind, turn_into(behind, np.float32), turn_into(behind, np.uint16), (100, 100, 100),
                     tmp_path / "b.png", str(tmp_path / "b.png")):  # fmt: skip
        found = composite(matte, backdrop)
        assert (found.dtype, found.shape) == (dtype, (4, 6, 3))
        assert np.abs(found[..., 1] / most - wanted).max() < 0.004
    for wrong in ((0.1, 0.5, 0.2), (1, 2, 256), tmp_path / "none.png", np.zeros((2, 2))):
        with pytest.raises(ConfigError, match=r"color|none|shape|float64"):
            composite(matte, wrong)


def test_a_closed_one_says_so() -> None:
    with Matter(device="cpu", effort="live") as matter:
        frames = matter.film(CLIP, "none", size=(320, 180))
        next(frames)
    matter.close()
    for use in (lambda: matter.matte(GRAY), lambda: matter.film(CLIP), lambda: next(frames)):
        with pytest.raises(ConfigError, match=r"closed.*camdaemon\.Matter\(\)$"):
            use()


def test_threads_take_turns(matter: Matter) -> None:
    pictures = [film(THERE), film(THERE)[:, ::-1]]
    wanted = [matter.matte(rgb, plate()).alpha for rgb in pictures]
    found: dict[int, np.ndarray] = {}
    threads = [
        threading.Thread(target=lambda n=number: found.update({n: matter.matte(pictures[n], plate()).alpha}))
        for number in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.abs(found[number] - wanted[number]).max() < 1e-3 for number in range(2))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four frames of somebody, 0.1 s apart."""
    return write_video(tmp_path_factory.mktemp("clip") / "v.mkv", [film(THERE + n) for n in range(4)], 10)


def test_a_film_is_matted_frame_by_frame(clip: Path, matter: Matter) -> None:
    frames = list(matter.film(clip, plate()))
    assert [t for t, _, _ in frames] == pytest.approx([0, 0.1, 0.2, 0.3])
    for number, (_, rgb, matte) in enumerate(frames):
        assert np.abs(rgb.astype(int) - film(THERE + number)).mean() < 3
        assert error(matte.alpha, THERE + number) < 0.015
        assert matte.foreground.dtype == np.uint8


def test_a_span_of_a_film_is_matted_in_another_size(clip: Path, tmp_path: Path, matter: Matter) -> None:
    picture.write(tmp_path / "room.png", plate())
    frames = list(matter.film(clip, tmp_path / "room.png", start=0.15, end=0.35, size=(320, 180)))
    assert [round(t, 3) for t, _, _ in frames] == [0, 0.1]
    assert np.abs(frames[0][1] - cv2.resize(film(THERE + 2), (320, 180)).astype(float)).mean() < 4
    assert frames[0][2].alpha.shape == (180, 320)
    with pytest.raises(ConfigError, match="nothing lies between"):
        matter.film(clip, start=2, end=1)


def test_films_and_pictures_may_alternate(clip: Path, matter: Matter) -> None:
    alone = [matte.alpha for _, _, matte in matter.film(clip, plate())]
    again = []
    for (_, _, matte), _ in zip(matter.film(clip, plate()), matter.film(clip, "none"), strict=True):
        matter.matte(film(THERE), other_room())
        again.append(matte.alpha)
    assert all((one == other).all() for one, other in zip(alone, again, strict=True))


def test_the_plate_is_found_before_the_span(matter: Matter) -> None:
    (_, _, matte), *_ = matter.film(CLIP, start=6.0, end=6.05, size=(320, 180))
    assert 0.05 < matte.alpha.mean() < 0.5
    assert matte.warning == ""


def test_the_notebook_runs_and_has_no_outputs(tmp_path: Path) -> None:
    notebook = json.loads((ROOT / "docs" / "matter.ipynb").read_text("utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(cells) > 3
    assert not [cell for cell in cells if cell["outputs"] or cell["execution_count"] is not None]
    program = "\n".join("".join(cell["source"]) for cell in cells)
    checks = "\nassert alpha.dtype == numpy.float32 and 0.05 < alpha.mean() < 0.5\nassert frames\n"
    words = [sys.executable, "-W", "error", "-c", program + checks]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir()), "it leaves nothing behind"
