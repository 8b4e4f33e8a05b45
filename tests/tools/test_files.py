"""Pictures and videos through the stops, without threads: sizes, files, and what happens when something is wrong."""

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from camdaemon.backdrop.video import ClipBackdrop
from camdaemon.cli.tools import image, video
from camdaemon.config.schema import Config
from camdaemon.errors import ConfigError, Interrupted, MattingError
from camdaemon.frames.composite import Matte
from camdaemon.frames.frame import Size
from camdaemon.matting import Matting
from camdaemon.plate.parts import Plate
from camdaemon.plate.take import PlateRules
from camdaemon.tools.files.image import find_pairs, matte_pair
from camdaemon.tools.files.offline import OfflinePipeline, pad_picture, stretch_alpha
from camdaemon.tools.files.results import ResultPaths
from camdaemon.tools.files.video import FrameSequence, get_plate, matte_video
from camdaemon.tools.files.writers import replace_file, write_png
from tests.films import quarters, write_film
from tests.tools.written import write_video

PERSON = (20, 30, 120)


def room(height: int = 72, width: int = 128) -> np.ndarray:
    small = np.random.default_rng(5).integers(110, 190, (5, 8, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def somebody(plate: np.ndarray, left: int = 40) -> np.ndarray:
    frame = plate.copy()
    frame[34:, left : left + 40] = PERSON
    return frame


def write(path: Path, rgb: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), rgb[..., ::-1])
    return path


def read(path: Path) -> np.ndarray:
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert found is not None, path
    return found if found.ndim == 2 else found[..., [2, 1, 0, *range(3, found.shape[2])]]


def run(command: Callable[..., object], *arguments: object) -> str:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command)
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    if result.exception:
        raise result.exception
    return result.output


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
    assert stretch_alpha(matte).flatten().tolist() == pytest.approx([0, 0, 0.5, 1, 1])


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
    assert one.alpha.std() > 0.1, "nobody was found"
    torch.testing.assert_close(other.alpha.flip(3), one.alpha, atol=1e-4, rtol=0)
    torch.testing.assert_close(other.foreground.flip(3), one.foreground, atol=1e-4, rtol=0)
    live = OfflinePipeline(Config(device="cpu", match_exposure=False), live=True).matte_picture(rgb, Plate(plate))
    assert (live.alpha - one.alpha).abs().max() > 1e-3, "live looks but once"


def test_a_smaller_plate_is_scaled_and_another_shape_refused(tmp_path: Path, difference: OfflinePipeline) -> None:
    src = write(tmp_path / "s.png", somebody(room()))
    half, square = write(tmp_path / "h.png", room(36, 64)), write(tmp_path / "q.png", room(72, 72))
    out = ResultPaths(tmp_path / "a.png")
    matte_pair(difference, find_pairs(src, half, out)[0], "plate", 0.92)
    assert read(tmp_path / "a.png").shape == (72, 128)
    with pytest.raises(ConfigError, match=r"72x72.*128x72.*shape.*--plate FILE$"):
        matte_pair(difference, find_pairs(src, square, out)[0], "plate", 0.92)


def test_a_folder_of_pairs(tmp_path: Path) -> None:
    for name, left in (("a", 20), ("b", 70)):
        write(tmp_path / "in" / f"{name}_img.png", somebody(room(), left))
        write(tmp_path / "in" / f"{name}_back.jpg", room())
    done = ("--alpha", tmp_path / "alpha", "--composite", tmp_path / "made", "--backdrop", "blur:4")
    run(image, "--src", tmp_path / "in", *done, "--matting", "difference", "--device", "cpu")
    assert sorted(path.name for path in (tmp_path / "alpha").iterdir()) == ["a.png", "b.png"]
    assert read(tmp_path / "alpha" / "a.png")[50, 30] == 255
    assert read(tmp_path / "alpha" / "b.png")[50, 30] == 0
    (tmp_path / "in" / "a_back.jpg").unlink()
    with pytest.raises(ConfigError, match=r"^1\D+2\b.*no plate.*\ba_img\b.*\ba_back\.png, or run with: --plate none$"):
        run(image, "--src", tmp_path / "in", *done)
    with pytest.raises(ConfigError, match=r"NAME_img\.png, NAME_back\.png.*--src FILE$"):
        run(image, "--src", tmp_path, *done)
    with pytest.raises(ConfigError, match=r"folder.*\ba\.png\b.* a$"):
        run(image, "--src", tmp_path / "in", "--alpha", "a.png")
    with pytest.raises(
        ConfigError, match=r"second plate.*without --plate\b.*run: camdaemon video --src FOLDER --plate FILE$"
    ):
        run(image, "--src", tmp_path / "in", "--plate", "p.png", *done)


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


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """40 frames of the empty room, then 6 with somebody walking, who is 6 % darker for the camera than the plate."""
    frames = [room() if number < 40 else somebody(room(), 4 * number - 140) * 0.94 for number in range(46)]
    return write_video(tmp_path / "clip.mp4", frames)


def decoded(path: Path, fmt: str) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format=fmt) for frame in container.decode(video=0)]


def test_a_video_loses_no_frame(clip: Path, tmp_path: Path) -> None:
    out = ("--alpha", tmp_path / "a.mkv", "--foreground", tmp_path / "f.mp4", "--composite", tmp_path / "c.mov")
    said = run(video, "--src", clip, *out, "--matting", "difference", "--device", "cpu", "--backdrop", "color:#00ff00")
    assert said.startswith("46 frames: ")
    alphas = decoded(tmp_path / "a.mkv", "gray")
    assert [len(alphas), len(decoded(tmp_path / "f.mp4", "rgb24"))] == [46, 46]
    assert max(alpha.max() for alpha in alphas[:40]) == 0
    assert alphas[45][50, 50] == 255
    assert alphas[45][:20].max() < 30
    composite = decoded(tmp_path / "c.mov", "rgb24")[45]
    assert composite[10, 64, 1] > 230 > composite[50, 50, 1]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_folder_of_frames_gives_a_folder_of_alphas(tmp_path: Path, difference: OfflinePipeline) -> None:
    for number in range(3):
        write(tmp_path / "in" / f"x{number}.png", somebody(room(71, 127), 40 + number))
    film = FrameSequence.open(tmp_path / "in", None)
    assert (film.size, film.fps, film.count) == ((127, 71), 30, 3)
    plate = get_plate(film, difference, str(write(tmp_path / "p.png", room(71, 127))), PlateRules())
    assert matte_video(film, difference, plate, ResultPaths(tmp_path / "out"), "plate", 0.92) == 3
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["x0.png", "x1.png", "x2.png"]
    assert read(tmp_path / "out" / "x2.png").shape == (71, 127)
    with pytest.raises(ConfigError, match=r"127x71.*\bfit\b.*multiples of 4\b.*/a$"):
        matte_video(film, difference, plate, ResultPaths(tmp_path / "a.mkv"), "plate", 0.92)
    write(tmp_path / "in" / "x3.png", room(72, 128))
    with pytest.raises(ConfigError, match=r"\bx3\.png.*128x72.*first.*127x71.*run: camdaemon image$"):
        matte_video(film, difference, plate, ResultPaths(tmp_path / "out"), "plate", 0.92)


def test_numbered_frames_come_in_numeric_order_without_hidden_files(tmp_path: Path) -> None:
    for number in range(1, 13):
        write(tmp_path / f"frame{number}.png", room(72, 128))
    (tmp_path / "._frame1.png").write_bytes(b"macOS keeps its own notes on other disks")
    film = FrameSequence.open(tmp_path, None)
    assert film.count == 12
    assert [name for name, _, _ in film.frames()] == [f"frame{number}" for number in range(1, 13)]


def test_a_video_whose_picture_grows_is_a_mistake_of_the_file(tmp_path: Path) -> None:
    parts = [write_film(tmp_path / f"{side}.ts", [quarters(side, side)] * 3).read_bytes() for side in (64, 128)]
    (tmp_path / "grows.ts").write_bytes(b"".join(parts))
    with pytest.raises(ConfigError, match=r"grows\.ts.*64x64 to 128x128.*Run: ffmpeg"):
        list(FrameSequence.open(tmp_path / "grows.ts", None).frames())


def test_the_kinds_of_alpha_file_agree(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frames = [cv2.resize(rng.integers(0, 256, (9, 16), np.uint8), (128, 72)).astype(np.uint8) for _ in range(4)]
    for name in ("a.mkv", "a.mp4"):
        write_video(tmp_path / name, frames, 25)
    for frame, exact in zip(frames, decoded(tmp_path / "a.mkv", "gray"), strict=True):
        assert (frame == exact).all()
    for frame, near in zip(frames, decoded(tmp_path / "a.mp4", "yuvj420p"), strict=True):
        assert np.abs(frame.astype(int) - near[:72]).max() <= 4


class _Failing:
    name = "failing"
    doubts = False

    def __init__(self, pipeline: OfflinePipeline) -> None:
        self._inner = pipeline.matting

    def warm_up(self, size: Size) -> None:
        pass

    def __call__(self, src: torch.Tensor, plate: torch.Tensor, confidence: torch.Tensor | None, seq: int) -> Matte:
        if seq == 3:
            raise MattingError("no matte; try --device cpu")
        return self._inner(src, plate, confidence, seq)


def test_a_video_that_fails_keeps_what_is_done_beside_the_names(
    clip: Path, tmp_path: Path, difference: OfflinePipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    film = FrameSequence.open(clip, None)
    plate = get_plate(film, difference, "auto", PlateRules())
    difference.matting = cast("Matting", _Failing(difference))
    (tmp_path / "a.mkv").write_bytes(b"the one before")
    wanted = ResultPaths(tmp_path / "a.mkv", tmp_path / "f", tmp_path / "c.mp4")
    with pytest.raises(MattingError):
        matte_video(film, difference, plate, wanted, "plate", 0.92)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.mkv",
        "a.mkv.part",
        "c.mp4.part",
        "clip.mp4",
        "f.part",
    ]
    assert (tmp_path / "a.mkv").read_bytes() == b"the one before"
    assert len(decoded(tmp_path / "c.mp4.part", "rgb24")) == len([*(tmp_path / "f.part").iterdir()]) == 3
    assert f"mv {tmp_path}/a.mkv.part {tmp_path}/a-cut.mkv" in capsys.readouterr().err.replace("\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--src", "none.mp4", "--alpha", "a.mkv"], "none.mp4.*No such file"),
        (["--src", ".", "--alpha", "a.mkv"], "no pictures.*--src FOLDER or --src VIDEO$"),
        (["--src", "clip.mp4", "--alpha", "a.gif"], "a.gif.*video.* a.mkv.*folder.* a$"),
        (["--src", "clip.mp4", "--plate", "none.png", "--alpha", "a.mkv"], "none.png.*--plate auto$"),
        (["--src", "clip.mp4", "--alpha", "clip.mp4/a.mkv"], "write.*clip.mp4/a.mkv"),
    ],
)
def test_mistakes_with_videos_are_told(
    arguments: list[str], message: str, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clip.parent)
    with pytest.raises(ConfigError, match=message):
        run(video, *arguments, "--matting", "difference", "--device", "cpu")
    assert [path.name for path in clip.parent.iterdir()] == ["clip.mp4"]


def test_no_plate_in_a_clip_that_never_rests(clip: Path, difference: OfflinePipeline) -> None:
    with pytest.raises(ConfigError, match=r"clip\.mp4.*ended.*\b5 s\b.*--plate FILE$"):
        get_plate(FrameSequence.open(clip, None), difference, "auto", PlateRules(still_s=5))


def test_a_video_backdrop_runs_by_the_time_of_the_frames(tmp_path: Path, difference: OfflinePipeline) -> None:
    write_video(tmp_path / "b.mp4", [np.full((64, 64, 3), 50 * number + 20, np.uint8) for number in range(4)], 10)
    backdrop = ClipBackdrop(str(tmp_path / "b.mp4"), Size(64, 64))
    plate = torch.zeros(1, 3, 64, 64)
    shown = [backdrop.picture(t, plate, difference.upload).mean().item() * 255 for t in (0, 0.05, 0.1, 0.35, 0.41)]
    backdrop.close()
    assert shown == pytest.approx([20, 20, 70, 170, 20], abs=3)


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


class _Fixed:
    """A matting that finds the person where `somebody` stands, whatever the plate."""

    name = "fixed"
    doubts = False

    def warm_up(self, size: Size) -> None:
        pass

    def __call__(self, src: torch.Tensor, plate: torch.Tensor, confidence: torch.Tensor | None, seq: int) -> Matte:
        alpha = torch.zeros(1, 1, *src.shape[2:])
        alpha[..., 60:, 40:100] = 1
        return Matte(alpha, src, seq)


@pytest.fixture
def fixed(difference: OfflinePipeline) -> OfflinePipeline:
    difference.matting = cast("Matting", _Fixed())
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


def test_a_video_says_at_once_that_its_plate_is_of_another_room(
    tmp_path: Path, fixed: OfflinePipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    here = room(144, 256)
    film = FrameSequence.open(write_video(tmp_path / "v.mp4", [here] * 5), None)
    for plate, said in ((here, ""), (255 - here, r"(?s)Frame 0: .*\bfit\b.*--plate FILE.*5 of 5")):
        matte_video(film, fixed, Plate(plate), ResultPaths(tmp_path / "a.mkv"), "plate", 0.92)
        assert re.search(said or r"^$", capsys.readouterr().err)


VARYING = [0.0, 0.033, 0.066, 0.1, 0.9, 1.7, 2.0]


@pytest.mark.parametrize("result", ["a.mkv", "a.mp4", "c.mp4", "c.mkv", "f.mov"])
def test_each_frame_keeps_its_time(tmp_path: Path, difference: OfflinePipeline, result: str) -> None:
    clip = write_video(tmp_path / "v.mkv", [room()] * 7, times=VARYING)
    path = tmp_path / result
    wanted = {"a": ResultPaths(path), "f": ResultPaths(None, path), "c": ResultPaths(None, None, path)}[result[0]]
    assert matte_video(FrameSequence.open(clip, None), difference, Plate(room()), wanted, "color:#000000", 0.92) == 7
    assert times_of(path) == pytest.approx(VARYING, abs=0.0015)
    assert matte_video(FrameSequence.open(clip, 10), difference, Plate(room()), wanted, "color:#000000", 0.92) == 7
    assert times_of(path) == pytest.approx([number / 10 for number in range(7)], abs=0.0015)


def times_of(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time or 0) for frame in container.decode(video=0)]


def test_a_folder_tells_the_times_where_the_rate_varies(
    tmp_path: Path, difference: OfflinePipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, times in enumerate(([0.1 * i for i in range(7)], VARYING)):
        clip = write_video(tmp_path / f"{number}.mkv", [room()] * 7, times=times)
        matte_video(
            FrameSequence.open(clip, None), difference, Plate(room()), ResultPaths(tmp_path / f"out{number}"), "", 0.92
        )
    assert not (tmp_path / "out0" / "frames.ffconcat").exists()
    lines = (tmp_path / "out1" / "frames.ffconcat").read_text().splitlines()
    shown = [float(line.split()[1]) for line in lines if line.startswith("duration")]
    assert [sum(shown[:i]) for i in range(7)] == pytest.approx(VARYING, abs=0.0015)
    assert re.search(r"varies.*ffmpeg .*out1/frames\.ffconcat", capsys.readouterr().err)


def test_what_is_read_or_there_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "s.png", somebody(room()))
    write(tmp_path / "p.png", room())
    (tmp_path / "old.png").write_bytes(b"mine")
    write(tmp_path / "frames" / "1.png", room())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.png")}
    pair, film = ["--src", "s.png", "--plate", "p.png"], ["--src", "frames", "--plate", "p.png"]
    for command, arguments in (
        (image, [*pair, "--alpha", "s.png", "--force"]),
        (image, [*pair, "--composite", "./p.png", "--force"]),
        (image, [*pair, "--composite", "new.png", "--alpha", "old.png", "--backdrop", "old.png", "--force"]),
        (image, [*pair, "--alpha", "old.png"]),
        (video, [*film, "--alpha", "frames", "--force"]),
        (video, [*film, "--alpha", "frames/alpha", "--force"]),
    ):
        with pytest.raises(ConfigError, match=r"read|--force"):
            run(command, *arguments, "--matting", "difference", "--device", "cpu")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.png")} == before
    run(image, *pair, "--alpha", "old.png", "--force", "--matting", "difference", "--device", "cpu")
    assert read(tmp_path / "old.png").shape == (72, 128)


class _Stopping(_Fixed):
    def __call__(self, src: torch.Tensor, plate: torch.Tensor, confidence: torch.Tensor | None, seq: int) -> Matte:
        if seq == 3:
            raise KeyboardInterrupt
        return super().__call__(src, plate, confidence, seq)


def test_ctrl_c_keeps_what_is_done_and_says_where(tmp_path: Path, difference: OfflinePipeline) -> None:
    difference.matting = cast("Matting", _Stopping())
    clip = write_video(tmp_path / "v.mp4", [room(144, 256)] * 5)
    with pytest.raises(Interrupted, match=r"stopped.*a\.mp4\.part.*mv .*a\.mp4\.part .*a-cut\.mp4$") as told:
        matte_video(
            FrameSequence.open(clip, None), difference, Plate(room(144, 256)), ResultPaths(tmp_path / "a.mp4"), "", 0.92
        )
    assert told.value.exit_code == 130
    assert len(times_of(tmp_path / "a.mp4.part")) == 3


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
