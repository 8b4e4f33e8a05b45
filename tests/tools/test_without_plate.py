"""Pictures and videos without a plate, and at the daemon's effort."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from camdaemon.cli.image import image
from camdaemon.cli.video import video
from camdaemon.config.schema import Config
from camdaemon.errors import ConfigError
from camdaemon.frames.picture import CALM, copy_to_host
from camdaemon.matting import Matting
from camdaemon.model.slim import SlimMatting
from camdaemon.plate.parts import Plate
from camdaemon.plate.unknown import make_blank_plate
from camdaemon.tools.files.image import matte_pair
from camdaemon.tools.files.offline import OfflinePipeline
from camdaemon.tools.files.pairs import Pair, find_pairs
from camdaemon.tools.files.rendering import stretch_alpha
from camdaemon.tools.files.results import ResultPaths
from tests.fakes import PERSON, BelievingMatting, marked
from tests.fakes import room as marked_room
from tests.present import present
from tests.tools.films.made import read, room, run, somebody, write
from tests.tools.written import write_video


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a network that doubts, of random values."""
    torch.manual_seed(4)
    path = tmp_path_factory.mktemp("weights") / "doubting.safetensors"
    save_file({name: part.contiguous() for name, part in SlimMatting(refined=False).state_dict().items()}, path)
    return path


@pytest.fixture
def doubting() -> OfflinePipeline:
    pipeline = OfflinePipeline(Config(matting="difference", device="cpu"))
    pipeline.matting, pipeline._plates = cast("Matting", BelievingMatting()), False
    return pipeline


def test_a_folder_needs_only_pictures_and_their_plates_are_not_looked_at(tmp_path: Path, weights: Path) -> None:
    options = ("--plate", "none", "--weights", weights, "--device", "cpu")
    for name in ("a", "b"):
        write(tmp_path / "in" / f"{name}_img.png", somebody(room()))
    run(image, "--src", tmp_path / "in", "--alpha", tmp_path / "out", *options)
    alphas = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert sorted(alphas) == ["a.png", "b.png"]
    write(tmp_path / "in" / "a_back.png", room()[::-1])
    run(image, "--src", tmp_path / "in", "--alpha", tmp_path / "again", *options)
    assert {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()} == alphas


def test_without_the_option_a_picture_without_a_plate_is_refused_and_told_of_it(tmp_path: Path) -> None:
    write(tmp_path / "a_img.png", somebody(room()))
    with pytest.raises(ConfigError, match=r"a_back\.png, or run with: --plate none"):
        find_pairs(tmp_path, None, ResultPaths(tmp_path / "out"))


@pytest.mark.parametrize("matting", ["bgmv2", "difference"])
def test_weights_that_need_a_plate_are_refused(tmp_path: Path, matting: str) -> None:
    src = write(tmp_path / "a.png", somebody(room()))
    options = ("--plate", "none", "--matting", matting, "--weights", "published", "--device", "cpu")
    for command in (image, video):
        with pytest.raises(ConfigError, match=r"works? without a plate.*--weights slim"):
            run(command, "--src", src if command is image else write_video(tmp_path / "v.mp4", [room()] * 3),
                "--alpha", tmp_path / "out.png" if command is image else tmp_path / "out", *options)  # fmt: skip
    assert not [path for path in tmp_path.iterdir() if path.stem == "out"]


def test_a_video_without_a_plate(tmp_path: Path, weights: Path) -> None:
    clip = write_video(tmp_path / "v.mp4", [somebody(room(144, 256))] * 3)
    options = ("--plate", "none", "--weights", weights, "--device", "cpu")
    run(video, "--src", clip, "--alpha", tmp_path / "out", *options)
    assert len(list((tmp_path / "out").glob("*.png"))) == 3


def test_a_blurred_room_that_nobody_knows_is_a_calm_color_and_no_plate_is_doubted(
    tmp_path: Path, doubting: OfflinePipeline
) -> None:
    seen = marked_room()
    seen[20:60, 30:70] = PERSON
    pair = Pair(write(tmp_path / "a.png", seen), None, ResultPaths(composite=tmp_path / "c.png"))
    assert matte_pair(doubting, pair, "blur:8", 0.92) == ""
    found = read(tmp_path / "c.png")
    assert marked(found) == 0
    assert (found[:15] == CALM).all()
    assert np.abs(found[30:50, 40:60].astype(int) - PERSON).max() <= 2


@pytest.mark.parametrize("command", [image, video])
def test_the_clean_room_needs_a_plate(command, tmp_path: Path) -> None:
    src = write(tmp_path / "in" / "a.png", somebody(room()))
    with pytest.raises(ConfigError, match=r"empty room\. Run with: --plate FILE"):
        run(command, "--src", src if command is image else src.parent, "--plate", "none", "--backdrop", "plate",
            "--composite", tmp_path / ("out.png" if command is image else "out"))  # fmt: skip


def test_the_confidence_of_a_plate_reaches_the_matting_and_its_mirror_image(doubting: OfflinePipeline) -> None:
    confidence = np.array([[1, 0]], np.float32)
    seen = somebody(room())
    doubting.matte_picture(seen, Plate(room(), confidence))
    doubting.matte_frame(seen, make_blank_plate(128, 72), 0)
    told: list[Any] = [present(each) for each in cast("BelievingMatting", doubting.matting).told]
    assert [each.ravel().tolist() for each in told] == [[1, 0], [0, 1], [1, 0], [0]]


def test_live_effort_is_the_daemons(tmp_path: Path) -> None:
    plate, seen = room(360, 640), somebody(room(360, 640), 200)
    src, back = write(tmp_path / "a.png", seen), write(tmp_path / "p.png", plate)
    for effort in ("live", "files"):
        alpha = tmp_path / f"{effort}.png"
        run(image, "--src", src, "--plate", back, "--alpha", alpha, "--effort", effort, "--device", "cpu")
        pipeline = OfflinePipeline(Config(device="cpu"), live=effort == "live")
        wanted = copy_to_host(stretch_alpha(pipeline.matte_picture(seen, Plate(plate))))
        assert np.array_equal(read(alpha), wanted)
    assert not np.array_equal(read(tmp_path / "live.png"), read(tmp_path / "files.png"))
