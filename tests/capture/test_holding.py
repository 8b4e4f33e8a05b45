"""When the camera is locked for a plate, what it is put back to, and what happens when it is reopened meanwhile."""

import threading
import time
from collections.abc import Callable

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
    monkeypatch.setattr(time, "sleep", said.append)
    return said


def test_a_camera_that_runs_is_locked_at_once(told: list[object]) -> None:
    assert ControlsHolder(CAMERA).lock_for_plate(lambda: True) == {}
    assert told == ["restore", "lock"]


def test_a_camera_that_was_closed_measures_first(told: list[object]) -> None:
    frames = iter([False, False, False, True])
    ControlsHolder(CAMERA).lock_for_plate(lambda: next(frames))
    assert told == [0.05, 0.05, "restore", holding._MEASURING_S, "lock"]


def test_a_refused_plate_leaves_the_camera_as_its_plate_wants_it(told: list[object]) -> None:
    holder = ControlsHolder(CAMERA)
    holder.reapply({"gain": 3})
    before = holder.lock_for_plate(lambda: True)
    holder.revert(before)
    assert told[-1] == ("apply", {"gain": 3})
    assert holder.held == {"gain": 3}


def test_a_camera_that_does_not_answer_is_no_error(monkeypatch: pytest.MonkeyPatch, told: list[object]) -> None:
    def gone(path: str) -> Locked:
        raise DeviceError("unplugged; type: true")

    monkeypatch.setattr(lock, "lock", gone)
    assert ControlsHolder(CAMERA).lock_for_plate(lambda: True) == {}


def test_without_a_camera_nothing_is_done(told: list[object]) -> None:
    holder = ControlsHolder(None)
    holder.reapply({"gain": 3})
    holder.revert(holder.lock_for_plate(lambda: False))
    holder.switch({"gain": 3})
    holder.release()
    assert told == []
    assert holder.held == {}


# ---- reopened by the capture thread


class Pauses:
    """Stands for `time.sleep`: in the n-th long pause, `during[n]` happens. Nothing really waits."""

    def __init__(self, said: list[object], *during: Callable[[], object]) -> None:
        self._said, self._during = said, list(during)

    def __call__(self, seconds: float) -> None:
        self._said.append(seconds)
        if seconds == holding._MEASURING_S and self._during:
            thread = threading.Thread(target=self._during.pop(0))
            thread.start()
            thread.join(60)
            assert not thread.is_alive(), "the capture thread must not wait for a plate"


@pytest.fixture
def freed(told: list[object], monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A camera that was locked for another plate: it is freed, and measures again."""
    monkeypatch.setattr(lock, "restore", lambda path: (told.append("restore"), Locked({}, {}))[1])
    return told


def pause_with(monkeypatch: pytest.MonkeyPatch, said: list[object], *during: Callable[[], object]) -> None:
    monkeypatch.setattr(time, "sleep", Pauses(said, *during))


def test_a_camera_that_is_reopened_while_it_measures_stays_automatic_and_measures_again(
    freed: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = ControlsHolder(CAMERA)
    pause_with(monkeypatch, freed, lambda: holder.reapply({"gain": 3}))
    holder.lock_for_plate(lambda: True)
    measure = holding._MEASURING_S
    assert freed == ["restore", measure, "restore", "restore", measure, "lock"]
    assert not [each for each in freed if isinstance(each, tuple)], "what is stored is not for the new plate"


def test_a_camera_that_is_reopened_again_and_again_is_locked_in_the_end(
    freed: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = ControlsHolder(CAMERA)
    pause_with(monkeypatch, freed, *[lambda: holder.reapply({"gain": 3})] * 100)
    holder.lock_for_plate(lambda: True)
    assert freed.count(holding._MEASURING_S) == holding._ATTEMPTS
    assert freed[-1] == "lock"


def test_a_camera_that_is_reopened_before_its_plate_is_saved_is_held_as_it_was_locked(told: list[object]) -> None:
    holder = ControlsHolder(CAMERA)
    holder.reapply({"gain": 3})
    before = holder.lock_for_plate(lambda: True)
    holder.reapply({"gain": 3})
    assert told[-1] == ("apply", {"gain": 7}), "not what is stored for the previous plate"
    assert holder.held == {"gain": 7}
    holder.revert(before)
    holder.reapply({"gain": 3})
    assert told[-1] == ("apply", {"gain": 3})


def test_a_failed_measurement_ends_the_measuring(told: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(path: str) -> Locked:
        raise DeviceError("unplugged; type: true")

    monkeypatch.setattr(lock, "lock", gone)
    holder = ControlsHolder(CAMERA)
    holder.lock_for_plate(lambda: True)
    holder.reapply({"gain": 3})
    assert told[-1] == ("apply", {"gain": 3})


def test_a_camera_given_back_is_held_at_nothing(told: list[object]) -> None:
    holder = ControlsHolder(CAMERA)
    holder.lock_for_plate(lambda: True)
    holder.release()
    assert told[-1] == "restore"
    assert holder.held == {}


def test_one_change_of_the_camera_at_a_time(told: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command asks for waits until the capture thread has put the camera back as a whole."""
    holder = ControlsHolder(CAMERA)
    command = threading.Thread(target=holder.release)

    def apply(path: str, stored: dict[str, int]) -> Locked:
        command.start()
        command.join(0.2)
        told.append("applied")
        return Locked({}, stored)

    monkeypatch.setattr(lock, "apply", apply)
    holder.reapply({"gain": 3})
    command.join(60)
    assert told == ["applied", "restore"]


def test_in_another_place_the_camera_is_held_as_its_plate_needs_it(told: list[object]) -> None:
    holder = ControlsHolder(CAMERA)
    holder.lock_for_plate(lambda: True)
    holder.switch({"gain": 5})
    assert told[-1] == ("apply", {"gain": 5})
    holder.reapply({"gain": 3})
    assert told[-1] == ("apply", {"gain": 5}), "also after it was reopened"
    holder.switch({})
    assert told[-1] == "restore"
