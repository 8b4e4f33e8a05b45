"""A film that was interrupted, however, and gone on with is the very file that one go gives."""

import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from camdaemon.cli.video import video
from camdaemon.errors import ConfigError
from camdaemon.tools.films.hardware import ENCODERS, HardwareEncoders
from tests.tools.films.made import room, run, somebody

FRAMES, PART = 90, 20

# The command in another process, whose parts are short, and which is sent a signal at one place.
PROGRAM = f"""
import os, signal, sys
from camdaemon.tools.films import encoder, film, film_writer, join, record

record.PART_FRAMES = film.PART_FRAMES = {PART}

def interrupt_after(count, what, name, number):
    real, calls = getattr(what, name), [0]
    def call(*arguments, **options):
        found = real(*arguments, **options)
        calls[0] += 1
        if calls[0] == count:
            os.kill(os.getpid(), number)
        return found
    setattr(what, name, call)

place, number = sys.argv.pop(1), signal.Signals[sys.argv.pop(1)]
if place == "after two parts":
    interrupt_after(2, record.JobRecord, "add_part", number)
elif place == "within the third part":
    interrupt_after(2 * 2 * {PART} + 15, encoder.LibraryEncoder, "write", number)
elif place == "within the first part":
    interrupt_after(7, encoder.LibraryEncoder, "write", number)
elif place == "while it is joined":
    interrupt_after(30, join, "_copy", number)

from camdaemon.__main__ import main
sys.exit(main())
"""


def write_with_sound(path: Path) -> None:
    """Write a film whose light changes, so that the plate's gain is learned, whose rate varies, and that has sound."""
    with av.open(str(path), "w") as out:
        pictures, sounds = out.add_stream("libx264", rate=25), out.add_stream("aac", rate=48000)
        assert isinstance(pictures, av.VideoStream)
        assert isinstance(sounds, av.AudioStream)
        pictures.width, pictures.height, pictures.pix_fmt = 128, 72, "yuv420p"
        pictures.codec_context.time_base = pictures.time_base = Fraction(1, 1000)
        pictures.codec_context.options = {"bf": "0"}
        sounds.layout = "mono"
        for number in range(FRAMES):
            lit = np.asarray(room() * (0.8 + 0.2 * np.sin(number / 15)), np.uint8)
            frame = av.VideoFrame.from_ndarray(somebody(lit, number % 80), format="rgb24")
            frame.pts, frame.time_base = 40 * number + 7 * (number % 3), Fraction(1, 1000)
            out.mux(pictures.encode(frame))
            wave = np.sin(np.arange(1920) * 0.05 * (1 + number % 4), dtype=np.float32)[None]
            sound = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = 48000, 1920 * number, Fraction(1, 48000)
            out.mux(sounds.encode(sound))
        out.mux(pictures.encode(None))
        out.mux(sounds.encode(None))


def options(source: Path, out: Path) -> list[str]:
    named = {"src": source / "film.mkv", "plate": source / "plate.png", "alpha": out / "alpha.mkv"}
    named |= {"composite": out / "composite.mp4", "foreground": out / "foreground"}
    matting = ["--matting", "difference", "--device", "cpu", "--backdrop", "color:#204060"]
    return [*(word for name, path in named.items() for word in (f"--{name}", str(path))), *matting]


def interrupt(source: Path, out: Path, place: str, signal: str, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, place, signal, "video", *options(source, out), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    write_with_sound(folder / "film.mkv")
    cv2.imwrite(str(folder / "plate.png"), room()[..., ::-1])
    return folder


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The results of one go."""
    folder = tmp_path_factory.mktemp("whole")
    done = interrupt(source, folder, "nowhere", "SIGKILL")
    assert done.returncode == 0, done.stderr
    found = contents(folder)
    assert len(found) == FRAMES + 3  # with the times of the frames in the folder
    return found


@pytest.mark.parametrize(
    ("place", "signal"),
    [
        ("after two parts", "SIGKILL"),
        ("within the third part", "SIGINT"),
        ("within the first part", "SIGKILL"),
        ("while it is joined", "SIGKILL"),
    ],
)
def test_it_becomes_the_file_that_one_go_gives(
    place: str, signal: str, source: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    cut = interrupt(source, tmp_path, place, signal)
    assert cut.returncode == (130 if signal == "SIGINT" else -9)
    assert not {"alpha.mkv", "composite.mp4"} & {path.name for path in tmp_path.iterdir()}
    assert (tmp_path / "alpha.mkv.part").is_dir()
    if signal == "SIGINT":
        assert re.search(rf"({PART}|{2 * PART}) of about 9\d frames of film\.mkv are done", cut.stderr)
        assert cut.stderr.strip().endswith("--resume")
    again = interrupt(source, tmp_path, "nowhere", "SIGKILL")
    assert again.returncode == 2
    assert "--resume" in again.stderr
    done = interrupt(source, tmp_path, "nowhere", "SIGKILL", "--resume")
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path) == whole


def test_what_would_make_another_film_is_refused(source: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    interrupt(source, tmp_path, "after two parts", "SIGKILL")
    before = contents(tmp_path)
    words = options(source, tmp_path)
    for more, told in (
        (["--backdrop", "blur"], r"backdrop was 'color:#204060' and is 'blur'"),
        (["--start", "1"], r"span was \[0\.0, 'inf'\] and is \[1\.0, 'inf'\]"),
        (["--no-match-exposure"], "match exposure was True and is False"),
        (["--plate", str(source / "other.png")], r"plate was '.*plate\.png.* and is '.*other\.png"),
        (["--codec", "h265"], r"results was"),
    ):
        cv2.imwrite(str(source / "other.png"), room()[..., ::-1])
        with pytest.raises(ConfigError, match=f"cannot go on.*{told}.*--force$"):
            run(video, *words, *more, "--resume")
        assert contents(tmp_path) == before
    done = interrupt(source, tmp_path, "nowhere", "SIGKILL", "--resume")
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path) == whole


def test_resuming_passes_over_what_is_done(source: Path, tmp_path: Path) -> None:
    words = ["--src", str(source / "film.mkv"), "--plate", str(source / "plate.png"), "--matting", "difference"]
    words += ["--output-dir", str(tmp_path), "--kinds", "alpha", "--end", "1", "--device", "cpu"]
    assert "25 frames" in run(video, *words)
    before = (tmp_path / "film-alpha.mkv").stat()
    assert "done before" in run(video, *words, "--resume")
    assert (tmp_path / "film-alpha.mkv").stat().st_mtime_ns == before.st_mtime_ns


def test_sound_is_the_same_to_the_bit_and_in_step(source: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "composite.mp4").write_bytes(whole["composite.mp4"])

    def packets(path: Path, kind: str) -> list[tuple[float, bytes]]:
        with av.open(str(path)) as container:
            stream = getattr(container.streams, kind)[0]
            found = [each for each in container.demux(stream) if each.pts is not None]
            return [(float(each.pts * each.time_base), bytes(each)) for each in found]

    heard, expected = (packets(path, "audio") for path in (tmp_path / "composite.mp4", source / "film.mkv"))
    assert [data for _, data in heard] == [data for _, data in expected]
    assert [t for t, _ in heard] == pytest.approx([t for t, _ in expected], abs=1e-3)
    shown, there = (packets(path, "video") for path in (tmp_path / "composite.mp4", source / "film.mkv"))
    assert [t for t, _ in shown] == pytest.approx([t for t, _ in there], abs=1e-4)


def test_parts_of_another_encoder_are_refused(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(source, tmp_path, "after two parts", "SIGKILL")
    before = contents(tmp_path)
    monkeypatch.setattr(HardwareEncoders, "find", lambda self, film: ENCODERS[0])
    with pytest.raises(ConfigError, match=r"encoders was .*libx264.* and is .*h264_nvenc.*--force$"):
        run(video, *options(source, tmp_path), "--resume")
    assert contents(tmp_path) == before
