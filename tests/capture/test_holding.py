"""When the camera is locked for a plate, and what it is put back to."""

from pathlib import Path

import pytest

from camdaemon.capture import holding, lock
from camdaemon.capture.holding import ControlsHolder
from camdaemon.capture.lock import Locked
from camdaemon.errors import DeviceError

CAMERA = "/dev/video7"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was asked of the camera, in order, with the pauses in between."""
    said: list[object] = []
    monkeypatch.setattr(lock, "restore", lambda path: said.append("restore"))
    monkeypatch.setattr(lock, "lock", lambda path: (said.append("lock"), Locked({}, {"gain": 7}))[1])
    monkeypatch.setattr(lock, "apply", lambda path, stored: (said.append(("apply", stored)), Locked({}, stored))[1])
    monkeypatch.setattr(lock, "save", lambda plate, values: said.append(("save", plate.name, values)))
    monkeypatch.setattr(lock, "load", lambda plate: {"gain": 3})
    monkeypatch.setattr(holding.time, "sleep", said.append)
    return said


def test_a_camera_that_runs_is_locked_at_once(told: list[object]) -> None:
    assert ControlsHolder(CAMERA).for_plate(lambda: True) == {}
    assert told == ["restore", "lock"]


def test_a_camera_that_was_closed_measures_first(told: list[object]) -> None:
    frames = iter([False, False, False, True])
    ControlsHolder(CAMERA).for_plate(lambda: next(frames))
    assert told == [0.05, 0.05, "restore", holding._MEASURING_S, "lock"]


def test_a_refused_plate_leaves_the_camera_as_its_plate_wants_it(told: list[object]) -> None:
    holder = ControlsHolder(CAMERA)
    holder.as_stored(Path("room.png"))
    before = holder.for_plate(lambda: True)
    holder.back_to(before)
    holder.keep(Path("room.png"))
    assert told[-2:] == [("apply", {"gain": 3}), ("save", "room.png", {"gain": 3})]


def test_a_camera_that_does_not_answer_is_no_error(monkeypatch: pytest.MonkeyPatch, told: list[object]) -> None:
    def gone(path: str) -> Locked:
        raise DeviceError("unplugged; type: true")

    monkeypatch.setattr(lock, "lock", gone)
    assert ControlsHolder(CAMERA).for_plate(lambda: True) == {}


def test_without_a_camera_nothing_is_done(told: list[object]) -> None:
    holder = ControlsHolder(None)
    holder.as_stored(Path("room.png"))
    holder.back_to(holder.for_plate(lambda: False))
    holder.keep(Path("room.png"))
    holder.release()
    assert told == []
