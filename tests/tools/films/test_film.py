"""Films and folders of frames: no frame is lost, each keeps its time, and mistakes are told before work begins."""

import re
import sys
import threading
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
import torch

from camdaemon.backdrop.video import ClipBackdrop
from camdaemon.cli.video import video
from camdaemon.config.schema import Config
from camdaemon.errors import ConfigError, Interrupted, MattingError
from camdaemon.frames.composite import Matte
from camdaemon.frames.frame import Size
from camdaemon.matting import Matting
from camdaemon.plate.take import PlateRules
from camdaemon.tools.files.offline import OfflinePipeline
from camdaemon.tools.files.results import ResultPaths
from camdaemon.tools.films.film import tell_ranges
from camdaemon.tools.films.film_writer import FilmWriter
from camdaemon.tools.films.plates import get_plate
from camdaemon.tools.films.record import JobRecord
from camdaemon.tools.films.source import FrameSequence
from tests.films import quarters, write_film
from tests.tools.films.made import Fixed, decoded, matte, read, room, run, somebody, times_of, write
from tests.tools.written import write_video

VARYING = [0.0, 0.033, 0.066, 0.1, 0.9, 1.7, 2.0]


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
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "c.mov", "clip.mp4", "f.mp4"]


def test_a_folder_of_frames_gives_a_folder_of_alphas(tmp_path: Path, difference: OfflinePipeline) -> None:
    for number in range(3):
        write(tmp_path / "in" / f"x{number}.png", somebody(room(71, 127), 40 + number))
    film = FrameSequence.open(tmp_path / "in")
    assert (film.size, film.fps, film.count, film.deep) == ((127, 71), 30, 3, False)
    plate = get_plate(film, difference, str(write(tmp_path / "p.png", room(71, 127))), PlateRules()).rgb
    assert matte(film, difference, plate, ResultPaths(tmp_path / "out")).frames == 3
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["x0.png", "x1.png", "x2.png"]
    assert read(tmp_path / "out" / "x2.png").shape == (71, 127)
    write(tmp_path / "in" / "x3.png", room(72, 128))
    with pytest.raises(ConfigError, match=r"\bx3\.png.*128x72.*first.*127x71.*run: camdaemon image$"):
        matte(film, difference, plate, ResultPaths(tmp_path / "out2"))
    assert not (tmp_path / "out2").exists()


def test_frames_of_sixteen_bits_give_alphas_of_sixteen(tmp_path: Path, difference: OfflinePipeline) -> None:
    ramp = np.linspace(8000, 60000, 128).astype(np.uint16)[None, :, None].repeat(72, 0).repeat(3, 2)
    (tmp_path / "in").mkdir()
    for number in range(2):
        cv2.imwrite(str(tmp_path / "in" / f"{number}.png"), ramp)
    film = FrameSequence.open(tmp_path / "in")
    assert film.deep
    matte(film, difference, np.full((72, 128, 3), 128, np.uint8), ResultPaths(tmp_path / "a", tmp_path / "f"))
    assert read(tmp_path / "a" / "0.png").dtype == np.uint16
    shown = read(tmp_path / "f" / "1.png")
    there = shown[..., 3] > 0
    assert shown.dtype == np.uint16
    assert there.any()
    assert (shown[..., :3][there] == ramp[there]).all(), "the difference's foreground is the frame: no bit may be lost"


def test_numbered_frames_come_in_numeric_order_without_hidden_files(tmp_path: Path) -> None:
    for number in range(1, 13):
        write(tmp_path / f"frame{number}.png", room(72, 128))
    (tmp_path / "._frame1.png").write_bytes(b"macOS keeps its own notes on other disks")
    film = FrameSequence.open(tmp_path)
    assert film.count == 12
    assert [frame.name for frame in film.frames()] == [f"frame{number}" for number in range(1, 13)]


def test_a_video_whose_picture_grows_is_a_mistake_of_the_file(tmp_path: Path) -> None:
    parts = [write_film(tmp_path / f"{side}.ts", [quarters(side, side)] * 3).read_bytes() for side in (64, 128)]
    (tmp_path / "grows.ts").write_bytes(b"".join(parts))
    with pytest.raises(ConfigError, match=r"grows\.ts.*64x64 to 128x128.*Run: ffmpeg"):
        list(FrameSequence.open(tmp_path / "grows.ts").frames())


class _Failing:
    name = "failing"
    doubts = False

    def __init__(self, pipeline: OfflinePipeline) -> None:
        self._inner = pipeline.matting

    def __call__(self, src: torch.Tensor, plate: torch.Tensor, confidence: torch.Tensor | None, seq: int) -> Matte:
        if seq == 3:
            raise MattingError("no matte; try --device cpu")
        return self._inner(src, plate, confidence, seq)


def test_a_video_that_fails_leaves_what_was_there_and_nothing_half_written(
    clip: Path, tmp_path: Path, difference: OfflinePipeline
) -> None:
    difference.matting = cast("Matting", _Failing(difference))
    (tmp_path / "a.mkv").write_bytes(b"the one before")
    wanted = ResultPaths(tmp_path / "a.mkv", tmp_path / "f", tmp_path / "c.mp4")
    with pytest.raises(MattingError):
        matte(FrameSequence.open(clip), difference, room(), wanted)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "clip.mp4"]
    assert (tmp_path / "a.mkv").read_bytes() == b"the one before"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--src", "none.mp4", "--alpha", "a.mkv"], "none.mp4.*No such file"),
        (["--src", "none*.mp4", "--alpha", "a.mkv"], r"no film.*none\*\.mp4.*ls"),
        (["--src", ".", "--alpha", "a.mkv"], "no pictures.*--src FOLDER or --src VIDEO$"),
        (["--src", "clip.mp4", "--alpha", "a.gif"], "a.gif.*video.* a.mkv.*folder.* a$"),
        (["--src", "clip.mp4", "--plate", "none.png", "--alpha", "a.mkv"], "none.png.*--plate auto$"),
        (["--src", "clip.mp4", "--alpha", "clip.mp4/a.mkv"], "write.*clip.mp4/a.mkv"),
        (["--src", "clip.mp4", "--composite", "a.webm", "--codec", "prores"], r"a\.webm.*prores.*Name: a\.mov"),
        (["--src", "clip.mp4", "--alpha", "a.mkv", "--start", "soon"], r"'soon'.*no time.*--start 90\.5$"),
        (["--src", "clip.mp4", "--alpha", "a.mkv", "--start", "2", "--end", "1"], r"between 2 s and 1 s.*--end LATER$"),
        (["--src", "clip.mp4", "--alpha", "a.mkv", "--bitrate", "fast"], r"'fast'.*--bitrate 12M$"),
        (["--src", "clip.mp4", "--alpha", "a.mkv", "--size", "0x4"], r"'0x4'.*--size 1280x720$"),
        (["--src", "clip.mp4", "--alpha", "a.mkv", "--shard", "3/2"], r"'3/2'.*--shard 1/4$"),
        (["--src", "clip.mp4", "--alpha", "a.mkv", "--output-dir", "o"], "named twice.*--kinds"),
        (["--src", "clip.mp4", "--src", "clip2.mp4", "--alpha", "a.mkv"], "2 films.*--output-dir FOLDER$"),
        (["--src", "clip.mp4", "--output-dir", "o", "--kinds", "mask"], "'mask'.*alpha.*--kinds alpha$"),
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
        get_plate(FrameSequence.open(clip), difference, "auto", PlateRules(still_s=5))


def test_a_video_backdrop_runs_by_the_time_of_the_frames(tmp_path: Path, difference: OfflinePipeline) -> None:
    write_video(tmp_path / "b.mp4", [np.full((64, 64, 3), 50 * number + 20, np.uint8) for number in range(4)], 10)
    backdrop = ClipBackdrop(str(tmp_path / "b.mp4"), Size(64, 64))
    plate = torch.zeros(1, 3, 64, 64)
    shown = [backdrop.picture(t, plate, difference.upload).mean().item() * 255 for t in (0, 0.05, 0.1, 0.35, 0.41)]
    backdrop.close()
    assert shown == pytest.approx([20, 20, 70, 170, 20], abs=3)


def test_a_video_says_at_once_that_its_plate_is_of_another_room_and_in_which_frames(
    tmp_path: Path, fixed: OfflinePipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    here = room(144, 256)
    film = FrameSequence.open(write_video(tmp_path / "v.mp4", [here] * 5))
    for plate, said, doubted in ((here, "", []), (255 - here, r"Frame 0: .*\bfit\b.*--plate FILE", [0, 1, 2, 3, 4])):
        report = matte(film, fixed, plate, ResultPaths(tmp_path / "a.mkv"))
        assert re.search(said or r"^$", capsys.readouterr().err)
        assert report.doubted == doubted
    assert tell_ranges([3, 10, 11, 12, 40]) == "3, 10–12, 40"
    assert tell_ranges([0, 2, 4], most=2) == "0, 2, …"


@pytest.mark.parametrize("result", ["a.mkv", "a.mp4", "c.mp4", "c.mkv", "f.mov", "c.webm"])
def test_each_frame_keeps_its_time(tmp_path: Path, difference: OfflinePipeline, result: str) -> None:
    clip = write_video(tmp_path / "v.mkv", [room()] * 7, times=VARYING)
    path = tmp_path / result
    wanted = {"a": ResultPaths(path), "f": ResultPaths(None, path), "c": ResultPaths(None, None, path)}[result[0]]
    assert matte(FrameSequence.open(clip), difference, room(), wanted).frames == 7
    assert times_of(path) == pytest.approx(VARYING, abs=0.0015)
    assert matte(FrameSequence.open(clip, 10), difference, room(), wanted).frames == 7
    assert times_of(path) == pytest.approx([number / 10 for number in range(7)], abs=0.0015)


def test_a_folder_tells_the_times_where_the_rate_varies(
    tmp_path: Path, difference: OfflinePipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, times in enumerate(([0.1 * i for i in range(7)], VARYING)):
        clip = write_video(tmp_path / f"{number}.mkv", [room()] * 7, times=times)
        matte(FrameSequence.open(clip), difference, room(), ResultPaths(tmp_path / f"out{number}"))
    assert not (tmp_path / "out0" / "frames.ffconcat").exists()
    lines = (tmp_path / "out1" / "frames.ffconcat").read_text().splitlines()
    shown = [float(line.split()[1]) for line in lines if line.startswith("duration")]
    assert [sum(shown[:i]) for i in range(7)] == pytest.approx(VARYING, abs=0.0015)
    assert re.search(r"varies.*ffmpeg .*out1/frames\.ffconcat", capsys.readouterr().err)


def test_what_is_read_or_there_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "p.png", room())
    write(tmp_path / "frames" / "1.png", room())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.png")}
    film = ["--src", "frames", "--plate", "p.png"]
    for arguments in (["--alpha", "frames", "--force"], ["--alpha", "frames/alpha", "--force"]):
        with pytest.raises(ConfigError, match=r"read|--force"):
            run(video, *film, *arguments, "--matting", "difference", "--device", "cpu")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.png")} == before


class _Stopping(Fixed):
    def __call__(self, src: torch.Tensor, plate: torch.Tensor, confidence: torch.Tensor | None, seq: int) -> Matte:
        if seq == 3:
            raise KeyboardInterrupt
        return super().__call__(src, plate, confidence, seq)


def test_ctrl_c_before_anything_is_done_says_so_and_leaves_nothing(tmp_path: Path, difference: OfflinePipeline) -> None:
    difference.matting = cast("Matting", _Stopping())
    clip = write_video(tmp_path / "v.mp4", [room(144, 256)] * 5)
    with pytest.raises(Interrupted, match=r"stopped.*v\.mp4.*[Nn]othing was written$") as told:
        matte(FrameSequence.open(clip), difference, room(144, 256), ResultPaths(tmp_path / "a.mp4"))
    assert told.value.exit_code == 130
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


def test_a_film_in_groups_of_frames_is_the_same_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU: groups end with their part, and the last one is smaller."""
    monkeypatch.setattr("camdaemon.tools.films.film.PART_FRAMES", 5)
    clip = write_video(tmp_path / "v.mkv", [somebody(room(144, 256), 5 * number) for number in range(13)])
    pipeline = OfflinePipeline(Config(device="cpu", match_exposure=False, weights="published"))
    for name, at_once in (("one.mkv", 1), ("four.mkv", 4)):
        monkeypatch.setattr(pipeline, "find_batch", lambda *size, count=at_once: count)
        report = matte(FrameSequence.open(clip), pipeline, room(144, 256), ResultPaths(tmp_path / name))
        assert report.frames == 13
    one, four = (np.stack(decoded(tmp_path / name, "gray")).astype(int) for name in ("one.mkv", "four.mkv"))
    assert np.abs(one - four).max() <= 1
    assert times_of(tmp_path / "one.mkv") == times_of(tmp_path / "four.mkv")


def test_a_part_is_recorded_once_though_all_writers_end_it_at_the_same_moment(
    tmp_path: Path, difference: OfflinePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_video(tmp_path / "v.mkv", [room()] * 40)
    together, recorded = threading.Barrier(2), []
    real_end, real_add = FilmWriter.end, JobRecord.add_part

    def end(writer: FilmWriter) -> None:
        real_end(writer)
        together.wait()

    def add_part(record: JobRecord, *part: Any) -> None:
        recorded.append(record.parts)
        real_add(record, *part)

    monkeypatch.setattr(FilmWriter, "end", end)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # seconds: each thread is interrupted after every few lines
    monkeypatch.setattr(JobRecord, "add_part", add_part)
    monkeypatch.setattr("camdaemon.tools.films.film.PART_FRAMES", 1)
    wanted = ResultPaths(tmp_path / "a.mkv", None, tmp_path / "c.mkv")
    try:
        matte(FrameSequence.open(clip), difference, room(), wanted)
    finally:
        sys.setswitchinterval(before)
    assert recorded == [*range(40)]
    assert len(times_of(tmp_path / "a.mkv")) == 40
