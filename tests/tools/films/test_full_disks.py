"""A disk that is full, wherever that is found out: a sentence, whole parts are kept, and the film goes on from them."""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from camdaemon.cli.video import video
from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.tools.files import writers
from camdaemon.tools.films import encoder, film, join, record, sequence_writer
from camdaemon.tools.films.record import JobRecord
from tests.tools.films.made import decoded, room, run, somebody, write
from tests.tools.films.test_hostile_films import contents
from tests.tools.written import write_video

PART, FRAMES = 6, 20
RESULTS = ("--alpha", "a.mkv", "--foreground", "f", "--composite", "c.mp4")


@pytest.fixture(autouse=True)
def short_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of few frames, and a film of some parts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(film, "PART_FRAMES", PART)
    monkeypatch.setattr(record, "PART_FRAMES", PART)
    write(tmp_path / "plate.png", room())
    write_video(tmp_path / "clip.mp4", [somebody(room(), left) for left in range(30, 30 + FRAMES)])


def matte(*words: object) -> str:
    return run(video, "--src", "clip.mp4", "--plate", "plate.png", "--matting", "difference", "--device", "cpu", *words)


def fill_disk_after(count: int, what: Any, name: str) -> Callable[..., object]:
    """Return a stand-in for a function that finds the disk full after `count` calls."""
    real, calls = getattr(what, name), [0]

    def call(*arguments: object, **options: object) -> object:
        calls[0] += 1
        if calls[0] > count:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*arguments, **options)

    return call


@pytest.mark.parametrize(
    ("what", "name", "count", "kept"),
    [
        (encoder, "sync_file", 0, "nothing"),
        (JobRecord, "start", 0, "nothing"),
        (JobRecord, "add_part", 0, "nothing"),
        (encoder, "sync_file", 4, "parts"),
        (JobRecord, "add_part", 2, "parts"),
        (writers, "prepare_replacement", 2 * PART, "parts"),
        (join, "_copy", 3, "parts"),
        (join, "_copy", FRAMES + 3, "parts"),
        (sequence_writer, "take_name", 0, "parts"),
        (sequence_writer, "take_name", 5, "parts"),
    ],
    ids=lambda value: str(getattr(value, "__name__", value)).rpartition(".")[2],
)
def test_whole_parts_are_kept_and_gone_on_with(
    what: Any, name: str, count: int, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = contents(tmp_path)
    matte(*RESULTS)
    whole = contents(tmp_path)
    for path in whole.keys() - given.keys():
        (tmp_path / path).unlink()
    (tmp_path / "f").rmdir()
    with monkeypatch.context() as patched:
        patched.setattr(what, name, fill_disk_after(count, what, name))
        with pytest.raises(CamdaemonError, match=r"No space left on device.*Run: df -h$"):
            matte(*RESULTS)
    if kept == "nothing":
        assert sorted(os.listdir(tmp_path)) == ["clip.mp4", "plate.png"]
        matte(*RESULTS)
    else:
        assert JobRecord.is_in(tmp_path / "a.mkv.part")
        with pytest.raises(ConfigError, match=r"--resume, or overwrite|exist already"):
            matte(*RESULTS)
        assert matte(*RESULTS, "--resume").startswith(f"{FRAMES} frames")
    assert contents(tmp_path) == whole


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with room for 300 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this user or machine cannot make a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_real_disk_that_fills_up(tmp_path: Path, small_disk: Path) -> None:
    noise = np.random.default_rng(1)
    write_video(tmp_path / "clip.mp4", [noise.integers(0, 255, (72, 128, 3), np.uint8) for _ in range(FRAMES)])
    words = ("--composite", small_disk / "c.mkv", "--codec", "ffv1", "--backdrop", "blur")
    with pytest.raises(
        CamdaemonError, match=r"cannot write to .*small/c\.mkv\.part/.*: No space left on device.*Run: df -h$"
    ):
        matte(*words)
    assert sorted(os.listdir(small_disk)) == ["c.mkv.part"]
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    assert f"{FRAMES} frames: {small_disk}" in matte(*words, "--resume")
    assert sorted(os.listdir(small_disk)) == ["c.mkv"]
    assert len(decoded(small_disk / "c.mkv", "rgb24")) == FRAMES
