"""Films, plates and results that are not what their names say: one sentence, and nothing is lost."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from camdaemon.cli.video import video
from camdaemon.errors import ConfigError
from camdaemon.linux.results import part_of
from camdaemon.tools.films.work import WorkFolder
from tests.films import quarters, write_film
from tests.tools.films.made import decoded, room, run, somebody, write
from tests.tools.written import write_video

WORDS = ("--matting", "difference", "--device", "cpu")
Refused = Callable[..., str]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Mattes clip.mp4 unless told otherwise, which has to fail with a sentence that is returned, and change nothing."""
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "clip.mp4", [somebody(room(), left) for left in range(30, 40)])
    write(tmp_path / "plate.png", room())

    def refuse(*words: object, src: object = "clip.mp4", plate: object = "plate.png") -> str:
        before = contents(tmp_path)
        with pytest.raises(ConfigError) as told:
            run(video, "--src", src, "--plate", plate, *WORDS, *words)
        assert contents(tmp_path) == before
        assert "\n" not in str(told.value)
        return str(told.value)

    return refuse


def write_empty_film(path: Path) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 128, 72, "gray"
        out.start_encoding()


def test_what_is_no_film_is_told(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "text.mp4").write_text("This is a letter.\n" * 1000)
    (tmp_path / "nothing.mp4").touch()
    (tmp_path / "cut.mp4").write_bytes((tmp_path / "clip.mp4").read_bytes()[:300])
    write_empty_film(tmp_path / "frameless.mkv")
    os.mkfifo(tmp_path / "endless.mp4")
    for source, told in (
        ("text.mp4", "it is not a video, or truncated"),
        ("nothing.mp4", "it is empty"),
        ("cut.mp4", "it has no video|it is not a video"),
        ("frameless.mkv", "it has no whole frame|it is not a video"),
        ("endless.mp4", "it is a pipe, socket or device, not a file"),
        ("/dev/zero", "it is a pipe, socket or device, not a file"),
        ("x" * 300, "File name too long"),
    ):
        message = refused("--alpha", "a.mkv", src=source)
        assert any(f"{source}: {each}" in message for each in told.split("|")), message


def test_what_is_no_plate_is_told(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "text.png").write_text("This is a letter.\n" * 1000)
    os.mkfifo(tmp_path / "endless.png")
    os.mkfifo(tmp_path / "endless.mp4")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder" / "1.png")
    for plate, told in (
        ("text.png", "text.png"),
        ("endless.png", "it is a pipe, socket or device"),
        ("endless.mp4", "it is a pipe, socket or device"),
        ("folder", "it is a pipe, socket or device"),
        ("/dev/zero", "it is a pipe, socket or device"),
        ("x" * 300, "File name too long"),
    ):
        assert told in refused("--alpha", "a.mkv", plate=plate)


def test_results_take_no_place_of_something_else(tmp_path: Path, refused: Refused) -> None:
    os.mkfifo(tmp_path / "pipe.mkv")
    (tmp_path / "folder.mkv").mkdir()
    (tmp_path / "file").write_text("mine")
    assert "a pipe" in refused("--alpha", "pipe.mkv", "--force")
    assert "a folder" in refused("--alpha", "folder.mkv", "--force")
    assert "it is a file" in refused("--alpha", "file", "--force")
    assert "it is a file" in refused("--alpha", "a.mkv", "--foreground", "/dev/null", "--force")
    assert "Not a directory" in refused("--alpha", "file/a.mkv", "--force")


def test_a_picture_that_is_called_a_film_is_one_frame(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "plate.png").rename(tmp_path / "plate.mp4")
    run(video, "--src", "plate.mp4", "--plate", "plate.mp4", *WORDS, "--alpha", "a.mkv")
    assert not decoded(tmp_path / "a.mkv", "gray")[0].any()


def test_a_film_that_is_cut_off_is_matted_as_far_as_it_goes_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    frames = [somebody(room(), left) for left in range(60)]
    write(tmp_path / "plate.png", room())
    for name in ("a.mp4", "a.mkv"):
        whole = write_video(tmp_path / name, frames, fps=10).read_bytes()
        words = ("--src", name, "--plate", "plate.png", *WORDS, "--composite", "c.mkv", "--force")
        assert "missing" not in run(video, *words)
        (tmp_path / name).write_bytes(whole[: len(whole) * 2 // 3])
        said = run(video, *words)
        assert f"{name} ended after" in said
        assert f"missing? Run: ffprobe {name}" in said
        assert 10 < len(decoded(tmp_path / "c.mkv", "gray")) < 50


def test_a_film_whose_picture_shrinks_keeps_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    parts = [write_film(tmp_path / f"{side}.ts", [quarters(side, side)] * 3).read_bytes() for side in (128, 64)]
    (tmp_path / "shrinks.ts").write_bytes(b"".join(parts))
    write(tmp_path / "plate.png", quarters(128, 128))
    run(video, "--src", "shrinks.ts", "--plate", "plate.png", *WORDS, "--alpha", "a", "--composite", "c.mp4")
    assert {picture.shape for picture in decoded(tmp_path / "c.mp4", "rgb24")} == {(128, 128, 3)}


def test_a_result_that_another_program_writes_is_left_to_it(tmp_path: Path, refused: Refused) -> None:
    for result in ("a.mkv", "frames"):
        part = part_of(tmp_path / result)
        part.mkdir()
        (part / "00000.mkv").write_bytes(b"theirs")
        fd = os.open(part, os.O_RDONLY)
        fcntl.flock(fd, fcntl.LOCK_EX)
        for more in ([], ["--resume"], ["--force"], ["--force", "--resume"]):
            assert "is being written by another program" in refused("--alpha", result, *more)
        with pytest.raises(ConfigError, match="is being written by another program"):
            WorkFolder(tmp_path / result, is_folder=result == "frames", resumes=False)
        assert (part / "00000.mkv").read_bytes() == b"theirs"
        os.close(fd)


def test_what_an_old_recording_left_is_lost_only_if_agreed(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "a.mkv.part").write_bytes(b"of a recording")
    for more in ([], ["--resume"]):
        told = refused("--alpha", "a.mkv", *more)
        assert told.endswith("To keep it, run: mv a.mkv.part a-cut.mkv, or overwrite it with: --force")
    run(video, "--src", "clip.mp4", "--plate", "plate.png", *WORDS, "--alpha", "a.mkv", "--force")
    assert len(decoded(tmp_path / "a.mkv", "gray")) == 10
    assert not (tmp_path / "a.mkv.part").exists()
