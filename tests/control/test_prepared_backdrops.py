"""Backdrops made ahead of time: used once, never an old one, and none that nobody wants any more."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from camdaemon.backdrop import Backdrop, make_backdrop
from camdaemon.control import backdrops
from camdaemon.control.backdrops import PreparedBackdrops
from camdaemon.errors import ConfigError
from camdaemon.frames import picture
from camdaemon.frames.frame import Size
from camdaemon.frames.pixels import as_planes

SIZE = Size(64, 64)


class Made:
    """Counts what is made, and by which thread. read: released for each file that was read.

    hold: files that are not finished before their event is set.
    """

    def __init__(self) -> None:
        self.specs: list[str] = []
        self.threads: list[str] = []
        self.hold: dict[str, threading.Event] = {}
        self.read = threading.Semaphore(0)

    def __call__(self, spec: str, size: Size) -> Backdrop:
        self.specs.append(Path(spec).name)
        self.threads.append(threading.current_thread().name)
        hold = self.hold.get(Path(spec).name)
        made = make_backdrop(spec, size)
        self.read.release()
        if hold is not None:
            assert hold.wait(60)
        return made


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    counted = Made()
    monkeypatch.setattr(backdrops, "make_backdrop", counted)
    return counted


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Pictures a, b and c of one gray each."""
    for n, name in enumerate("abc"):
        paint(tmp_path / f"{name}.png", 50 * n)
    return {name: str(tmp_path / f"{name}.png") for name in "abc"}


def paint(path: Path, value: int) -> None:
    picture.write(path, np.full((64, 64, 3), value, np.uint8))


def value(backdrop: Backdrop) -> float:
    """The gray it shows, 0..255."""
    plate = as_planes(np.zeros((64, 64, 3), np.uint8))
    return float(backdrop.picture(0.0, plate, lambda rgb: as_planes(rgb.copy())).mean())


def prepared() -> None:
    """Wait until nothing is being made."""
    for thread in threading.enumerate():
        if thread.name == "prepare":
            thread.join(60)
            assert not thread.is_alive()


def test_what_was_expected_is_not_made_again(made: Made, files: dict[str, str]) -> None:
    ready = PreparedBackdrops(SIZE)
    ready.expect([files["b"], files["c"]])
    prepared()
    assert made.specs == ["b.png", "c.png"]
    assert set(made.threads) == {"prepare"}
    taken = ready.take(files["b"])
    assert (taken.spec, value(taken)) == (files["b"], 50)
    assert made.specs == ["b.png", "c.png"]


def test_each_is_given_away_once(made: Made, files: dict[str, str]) -> None:
    ready = PreparedBackdrops(SIZE)
    ready.expect([files["a"]])
    prepared()
    first, second = ready.take(files["a"]), ready.take(files["a"])
    assert first is not second
    assert made.specs == ["a.png", "a.png"]
    assert made.threads == ["prepare", "asked"]


def test_what_was_not_expected_is_made_at_once(made: Made, files: dict[str, str]) -> None:
    ready = PreparedBackdrops(SIZE)
    assert value(ready.take(files["c"])) == 100
    assert ready.take("color:#ff0000").spec == "color:#ff0000"
    assert made.threads == ["asked"] * 2


def test_a_file_that_changed_is_read_again(made: Made, files: dict[str, str]) -> None:
    ready = PreparedBackdrops(SIZE)
    ready.expect([files["a"]])
    prepared()
    paint(Path(files["a"]), 200)
    os.utime(files["a"], ns=(1, 1))  # whatever the file system's clock can tell apart
    assert value(ready.take(files["a"])) == 200
    assert made.specs == ["a.png", "a.png"]


def test_a_file_that_changed_while_it_was_made_is_read_again(made: Made, files: dict[str, str]) -> None:
    made.hold["a.png"] = threading.Event()
    ready = PreparedBackdrops(SIZE)
    ready.expect([files["a"]])
    assert made.read.acquire(timeout=60)
    paint(Path(files["a"]), 200)
    os.utime(files["a"], ns=(1, 1))
    made.hold.pop("a.png").set()
    prepared()
    assert value(ready.take(files["a"])) == 200


def test_a_file_that_is_gone_is_an_error_although_it_was_ready(made: Made, files: dict[str, str]) -> None:
    ready = PreparedBackdrops(SIZE)
    ready.expect([files["a"]])
    prepared()
    Path(files["a"]).unlink()
    with pytest.raises(ConfigError, match=r"a\.png"):
        ready.take(files["a"])


def test_what_is_expected_no_more_is_forgotten(made: Made, files: dict[str, str]) -> None:
    ready = PreparedBackdrops(SIZE)
    ready.expect([files["a"], files["b"]])
    prepared()
    ready.expect([files["b"], files["c"]])
    prepared()
    assert made.specs == ["a.png", "b.png", "c.png"]  # b was there
    assert set(ready._kept) == {files["b"], files["c"]}
    ready.expect([])
    assert ready._kept == {}


def test_what_comes_too_late_is_not_kept(made: Made, files: dict[str, str]) -> None:
    """Somebody turns the pages faster than pictures are made: none of those behind may pile up."""
    made.hold["a.png"] = threading.Event()
    ready = PreparedBackdrops(SIZE)
    ready.expect([files["a"], files["b"]])
    assert made.read.acquire(timeout=60)
    ready.expect([files["c"]])
    made.hold["a.png"].set()
    prepared()
    assert set(ready._kept) == {files["c"]}
    assert sorted(made.specs) == ["a.png", "c.png"], "b was made, which nobody wanted by then"


def test_taking_does_not_wait_for_one_that_is_being_made(made: Made, files: dict[str, str]) -> None:
    hold = made.hold["a.png"] = threading.Event()
    ready = PreparedBackdrops(SIZE)
    ready.expect([files["a"]])
    assert made.read.acquire(timeout=60)
    made.hold.clear()
    taken: list[Any] = []
    taker = threading.Thread(target=lambda: taken.append(ready.take(files["a"])))
    try:
        taker.start()
        taker.join(60)
        assert [backdrop.spec for backdrop in taken] == [files["a"]]
    finally:
        hold.set()
    prepared()
    assert ready._kept == {}, "the late one is kept for nobody"


def test_one_that_is_being_made_is_not_begun_again(made: Made, files: dict[str, str]) -> None:
    made.hold["a.png"] = threading.Event()
    ready = PreparedBackdrops(SIZE)
    ready.expect([files["a"]])
    assert made.read.acquire(timeout=60)
    ready.expect([files["a"], files["b"]])
    made.hold["a.png"].set()
    prepared()
    assert sorted(made.specs) == ["a.png", "b.png"]
    assert set(ready._kept) == {files["a"], files["b"]}


@pytest.mark.parametrize("spec", ["broken.png", "missing.png", "color:#nonsense"])
def test_a_broken_one_is_an_error_only_when_it_is_taken(made: Made, files: dict[str, str], spec: str) -> None:
    folder = Path(files["a"]).parent
    (folder / "broken.png").write_bytes(b"no picture")
    spec = str(folder / spec) if spec.endswith(".png") else spec
    ready = PreparedBackdrops(SIZE)
    ready.expect([spec, files["a"]])
    prepared()
    assert set(ready._kept) == {files["a"]}  # it does not keep the others from being made
    with pytest.raises(ConfigError):
        ready.take(spec)
    paint(folder / "broken.png", 70)
    if spec.endswith("broken.png"):
        assert value(ready.take(spec)) == 70  # mended meanwhile


def test_the_end_of_the_process_waits_for_a_picture_that_is_being_made(files, made):
    """A daemon thread that the interpreter ends inside OpenCV aborts the whole process: exit code 134."""
    made.hold["a.png"] = threading.Event()
    PreparedBackdrops(SIZE).expect([files["a"]])
    assert made.read.acquire(timeout=60)
    (thread,) = [each for each in threading.enumerate() if each.name == "prepare"]
    assert not thread.daemon
    made.hold["a.png"].set()
    thread.join(60)
    assert not thread.is_alive()
