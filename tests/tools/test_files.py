"""Pictures and videos through the stops, without threads: sizes, files, and what happens when something is wrong."""

import errno
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from camdaemon.cli.image import image
from camdaemon.config.schema import Config
from camdaemon.errors import ConfigError
from camdaemon.frames import pixels
from camdaemon.frames.composite import Matte
from camdaemon.matting import Matting
from camdaemon.plate.parts import Plate
from camdaemon.tools.files.fitting import pad_picture
from camdaemon.tools.files.image import matte_pair
from camdaemon.tools.files.offline import OfflinePipeline
from camdaemon.tools.files.pairs import find_pairs
from camdaemon.tools.files.rendering import stretch_alpha
from camdaemon.tools.files.results import ResultPaths
from camdaemon.tools.files.writers import replace_file, write_png
from tests.kinds import floats
from tests.tools.films.made import Fixed, read, room, run, somebody, write


@pytest.fixture
def difference() -> OfflinePipeline:
    return OfflinePipeline(Config(matting="difference", device="cpu"))


@pytest.mark.parametrize(("height", "width"), [(72, 128), (71, 127), (33, 50)])
def test_the_alpha_has_the_pictures_size(height: int, width: int, tmp_path: Path) -> None:
    plate = room(height, width)
    src, back = write(tmp_path / "s.png", somebody(plate)), write(tmp_path / "p.png", plate)
    names = ("alpha", "foreground", "composite", "error", "refined")
    wanted = [each for name in names for each in (f"--{name}", tmp_path / "out" / f"{name}.png")]
    run(image, "--src", src, "--plate", back, *wanted, "--device", "cpu")
    shapes = [read(tmp_path / "out" / f"{name}.png").shape for name in names]
    assert shapes == [(height, width), (height, width, 4), (height, width, 3), (height, width), (height, width)]
    assert len([*(tmp_path / "out").iterdir()]) == 5


def test_the_alpha_is_what_the_composite_uses(tmp_path: Path, difference: OfflinePipeline) -> None:
    plate = room()
    pair = find_pairs(
        write(tmp_path / "s.png", somebody(plate)),
        write(tmp_path / "p.png", plate),
        ResultPaths(tmp_path / "a.png", tmp_path / "f.png", tmp_path / "c.png"),
    )[0]
    assert matte_pair(difference, pair, "color:#ffffff", 0.92) == ""
    alpha, cut, composite = (read(tmp_path / f"{name}.png").astype(float) for name in "afc")
    assert alpha[40:60, 50:70].min() == 255
    assert alpha[:15].max() == 0
    assert (cut[..., 3] == alpha).all()
    assert (cut[..., :3][alpha == 0] == 0).all()  # no room in what is cut out
    expected = cut[..., :3] * alpha[..., None] / 255 + 255 - alpha[..., None]
    assert np.abs(composite - expected).max() <= 2


def test_shown_alpha_is_stretched() -> None:
    matte = Matte(torch.tensor([0.0, 0.02, 0.5, 0.98, 1]).view(1, 1, 1, 5), torch.rand(1, 3, 1, 5), 0)
    for alpha in (matte.alpha, pixels.to_host(matte.alpha)):
        found = stretch_alpha(replace(matte, alpha=alpha))
        assert found.ravel().tolist() == pytest.approx([0, 0, 0.5, 1, 1])


def test_a_darker_picture_is_matched_in_one_shot(difference: OfflinePipeline) -> None:
    plate = room(144, 256)
    frame = plate.copy()
    frame[60:, 40:200] = (200, 210, 220)  # a third of the picture
    darker = (frame * [0.80, 0.75, 0.70]).astype(np.uint8)
    alpha = stretch_alpha(difference.matte_picture(darker, Plate(plate)))[0, 0]
    assert alpha[:, 220:].mean() < 0.02
    assert alpha[80:, 60:180].mean() > 0.9


def test_a_picture_and_its_mirror_image_have_the_same_matte() -> None:
    pipeline, plate = OfflinePipeline(Config(device="cpu", match_exposure=False)), room()
    rgb = somebody(plate)
    flipped = [np.ascontiguousarray(each[:, ::-1]) for each in (rgb, plate)]
    one, other = pipeline.matte_picture(rgb, Plate(plate)), pipeline.matte_picture(flipped[0], Plate(flipped[1]))
    assert floats(one.alpha).std() > 0.1, "nobody was found"
    torch.testing.assert_close(floats(other.alpha).flip(3), one.alpha, atol=1e-4, rtol=0)
    torch.testing.assert_close(floats(other.foreground).flip(3), one.foreground, atol=1e-4, rtol=0)
    live = OfflinePipeline(Config(device="cpu", match_exposure=False), live=True).matte_picture(rgb, Plate(plate))
    assert (floats(live.alpha) - floats(one.alpha)).abs().max() > 1e-3, "live looks but once"


def test_a_smaller_plate_is_scaled_and_another_shape_refused(tmp_path: Path, difference: OfflinePipeline) -> None:
    src = write(tmp_path / "s.png", somebody(room()))
    half, square = write(tmp_path / "h.png", room(36, 64)), write(tmp_path / "q.png", room(72, 72))
    out = ResultPaths(tmp_path / "a.png")
    matte_pair(difference, find_pairs(src, half, out)[0], "plate", 0.92)
    assert read(tmp_path / "a.png").shape == (72, 128)
    with pytest.raises(ConfigError, match=r"72x72.*128x72.*shape.*--plate FILE$"):
        matte_pair(difference, find_pairs(src, square, out)[0], "plate", 0.92)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--src", "s.png", "--plate", "p.png"], "no result.*--composite composite.png$"),
        (["--src", "s.png", "--alpha", "a.png"], "--plate FILE$"),
        (["--src", "s.png", "--plate", "p.png", "--alpha", "a.jpg"], r"PNG.*\ba\.jpg\b.* a\.png$"),
        (["--src", "s.png", "--plate", "p.png", "--alpha", "a.png", "--error", "a.png"], "same name"),
        (["--src", "none.png", "--plate", "p.png", "--alpha", "a.png"], "read.*none.png"),
        (["--src", "s.png", "--plate", "p.png", "--alpha", "s.png/a.png"], "write.*s.png/a.png"),
        (
            ["--src", "s.png", "--plate", "p.png", "--error", "e.png", "--matting", "difference"],
            "difference.*error.*--matting bgmv2$",
        ),
        (["--src", "s.png", "--plate", "p.png", "--composite", "c.png", "--backdrop", "x"], "backdrop 'x'"),
        (["--src", "s.png", "--plate", "p.png", "--alpha", "a.png", "--weights", "w.pth"], "read.*weights.*w.pth"),
        (["--src", "s.png", "--plate", "p.png", "--alpha", "a.png", "--device", "gpu"], "device = 'gpu'"),
    ],
)
def test_mistakes_are_told(arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "s.png", somebody(room()))
    write(tmp_path / "p.png", room())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        run(image, *arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.png", "s.png"]


def test_a_matte_of_nearly_everything_is_a_warning(tmp_path: Path, difference: OfflinePipeline) -> None:
    src = write(tmp_path / "s.png", np.full((72, 128, 3), 30, np.uint8))
    pair = find_pairs(src, write(tmp_path / "p.png", room()), ResultPaths(tmp_path / "a.png"))[0]
    warning = matte_pair(
        OfflinePipeline(Config(matting="difference", device="cpu", match_exposure=False)), pair, "plate", 0.92
    )
    assert re.search("covers.*100%", warning)
    assert read(tmp_path / "a.png").mean() > 250


def test_padding_repeats_the_edge() -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (70, 101, 3), np.uint8)
    larger = pad_picture(rgb)
    assert larger.shape == (72, 104, 3)
    assert (larger[:70, :101] == rgb).all()
    assert (larger[:70, 103] == rgb[:, 100]).all()
    with pytest.raises(ConfigError, match=r"8193x4.*larger.*scale"):
        pad_picture(np.zeros((4, 8193, 3), np.uint8))


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), replace_file(tmp_path / "x" / "a.txt") as partial:
        partial.write_text(f"half {1 / 0}" if partial.write_text("half") else "")
    assert not [*(tmp_path / "x").iterdir()]
    with replace_file(tmp_path / "x" / "a.txt") as partial:
        partial.write_text("all")
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["a.txt"]


def test_the_commands_load_nothing_heavy() -> None:
    code = (
        "import sys, camdaemon.cli.tools, camdaemon.tools.evaluate.cli;"
        "print({'torch', 'numpy', 'cv2', 'av', 'rich.progress'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.fixture
def fixed(difference: OfflinePipeline) -> OfflinePipeline:
    difference.matting = cast("Matting", Fixed())
    return difference


@pytest.mark.parametrize("gain", [1.0, 0.8])
def test_a_plate_of_another_room_is_named_with_its_share(tmp_path: Path, fixed: OfflinePipeline, gain: float) -> None:
    here = room(144, 256)
    there = np.ascontiguousarray(here[::-1, ::-1])
    there[:, :128] = 255 - there[:, :128]
    src = write(tmp_path / "s.png", somebody(here) * gain)
    for plate, doubt in ((here, r"^$"), (there, r"\bfit\b.*\b\d\d%.*--plate FILE.*--align$")):
        pair = find_pairs(src, write(tmp_path / "p.png", plate), ResultPaths(tmp_path / "a.png"))[0]
        assert re.search(doubt, matte_pair(fixed, pair, "plate", 0.92))
    assert read(tmp_path / "a.png").any(), "the result is written all the same"


def test_what_is_read_or_there_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "s.png", somebody(room()))
    write(tmp_path / "p.png", room())
    (tmp_path / "old.png").write_bytes(b"mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.png")}
    pair = ["--src", "s.png", "--plate", "p.png"]
    for command, arguments in (
        (image, [*pair, "--alpha", "s.png", "--force"]),
        (image, [*pair, "--composite", "./p.png", "--force"]),
        (image, [*pair, "--composite", "new.png", "--alpha", "old.png", "--backdrop", "old.png", "--force"]),
        (image, [*pair, "--alpha", "old.png"]),
    ):
        with pytest.raises(ConfigError, match=r"read|--force"):
            run(command, *arguments, "--matting", "difference", "--device", "cpu")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.png")} == before
    run(image, *pair, "--alpha", "old.png", "--force", "--matting", "difference", "--device", "cpu")
    assert read(tmp_path / "old.png").shape == (72, 128)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 200), (200, 1), (71, 127)])
def test_a_picture_of_any_shape_is_matted(tmp_path: Path, height: int, width: int) -> None:
    src, plate = write(tmp_path / "s.png", room()[:1, :1].repeat(height, 0).repeat(width, 1)), tmp_path / "p.png"
    write(plate, read(src))
    options = ("--plate", plate, "--alpha", tmp_path / "a.png", "--matting", "difference", "--device", "cpu")
    run(image, "--src", src, *options)
    assert read(tmp_path / "a.png").shape == (height, width)


@pytest.mark.parametrize(("number", "command"), [(errno.ENOSPC, r"df -h$"), (errno.EACCES, r"folder of yours$")])
def test_a_disk_that_cannot_be_written_to_is_told_with_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, command: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("camdaemon.tools.files.writers.prepare_replacement", fail)
    with pytest.raises(ConfigError, match=rf"x\.png.*{os.strerror(number)}.*{command}"):
        write_png(tmp_path / "x.png", room())
