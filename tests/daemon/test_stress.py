"""A plate, a camera that comes and goes, and a reload, all at once: bounded by counts, whatever the machine's speed."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest

from camdaemon.capture import holding
from camdaemon.capture.holding import ControlsHolder
from camdaemon.capture.lock import list_leftovers
from camdaemon.config.schema import Config, SceneConfig
from camdaemon.control.commands import Commands
from camdaemon.errors import ControlError, DeviceError, PlateRefused
from camdaemon.frames.frame import Content
from camdaemon.linux.backoff import Backoff
from camdaemon.pipeline import camera_reader
from camdaemon.pipeline.state import FaultLimit
from camdaemon.plate import saved, store
from tests.fake_camera import Knobs, webcam
from tests.fakes import RULES, SIZE, FakeSource, Rig

PLATES, LOSSES, RELOADS = 8, 12, 40
NEVER = 1 << 30


class Cameras:
    """Cameras one after another: each is unplugged when `unplug` is called, or its driver fails unexpectedly.

    As the daemon does, each one that is opened is held as its plate wants it. Every third one is still gone when it is
    looked for first, and before every second one a person moves about, so that a plate of it is refused.
    """

    def __init__(self, holder: ControlsHolder, plate: Path) -> None:
        self._holder, self._plate = holder, plate
        self._fault: Exception | None = None
        self.opened = 0
        self._is_gone = True
        self.first = self._made()

    def unplug(self, fault: Exception) -> None:
        """Let the next frame of the present camera fail with `fault`."""
        self._fault = fault

    def open(self) -> FakeSource:
        self._is_gone = not self._is_gone and self.opened % 3 == 0
        if self._is_gone:
            raise DeviceError("the fake camera is still gone; type: true")
        return self._made()

    def _made(self) -> FakeSource:
        source = FakeSource(fps=240, enters=0 if self.opened % 2 else NEVER)
        read = source.read

        def read_or_fail(into) -> None:
            fault, self._fault = self._fault, None
            if fault is not None:
                raise fault
            read(into)

        setattr(source, "read", read_or_fail)  # noqa: B010
        self._holder.reapply(store.read_controls(self._plate))
        self.opened += 1
        return source


@pytest.fixture
def knobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Knobs:
    return Knobs(tmp_path / "video7", monkeypatch, *webcam())


def values(knobs: Knobs) -> dict[str, int]:
    return {knob.title: knob.value for knob in knobs.knobs.values() if knob.auto is None}


CONFIGS = [
    Config(source="fake", sink="fake", plate_taking=asdict(RULES), fade_s=0.01, hotkeys=False, **changed)
    for changed in (
        {"backdrop": "color:#00ff00", "max_coverage": 0.9},
        {"backdrop": "color:#0000ff", "max_coverage": 0.8, "edge": 0.5, "mirror": True},
        {"backdrop": "color:#ffff00", "scenes": {"late": SceneConfig(backdrop="color:#00ffff")}},
    )
]


class Storm:
    """A daemon on fakes, and what three threads do to it."""

    def __init__(self, holder: ControlsHolder) -> None:
        self.cameras = Cameras(holder, saved.path_for("stress", SIZE))
        self.rig = Rig(source=self.cameras.first, reopen=self.cameras.open)
        self.rig.state.fault_limit = FaultLimit(NEVER)
        configs = itertools.cycle(CONFIGS)
        self.commands = Commands(
            self.rig.pipeline, next(configs), SIZE, "stress", lambda: None, lambda: next(configs), holder=holder
        )
        self.outcomes: list[str] = []
        self.unexpected: list[BaseException] = []

    def take_plates(self) -> None:
        for _ in range(PLATES):
            try:
                self.outcomes.append(self.commands.plate(0.0))
            except (PlateRefused, ControlError) as exc:  # what a plate may end with
                self.outcomes.append(str(exc))

    def lose_cameras(self) -> None:
        for number in range(LOSSES):
            opened = self.cameras.opened
            self.cameras.unplug(DeviceError("unplugged; type: true") if number % 4 else ZeroDivisionError("fake bug"))
            self.rig.run_until(partial(self._opened_since, opened), 60)
            seen = self.captured()
            self.rig.run_until(partial(self._captured_since, seen + 5), 60)

    def captured(self) -> int:
        return self.rig.counts()["captured"]

    def _opened_since(self, count: int) -> bool:
        return self.cameras.opened > count

    def _captured_since(self, count: int) -> bool:
        return self.captured() > count

    def reload(self) -> None:
        for _ in range(RELOADS):
            self.commands.reload()
            assert self.commands.status()["plate"] == "taken"

    def guarded(self, body: Callable[[], None]) -> None:
        try:
            body()
        except BaseException as exc:
            self.unexpected.append(exc)

    def rage(self) -> None:
        """Return when all three are done."""
        bodies = self.take_plates, self.lose_cameras, self.reload
        threads = [threading.Thread(target=self.guarded, args=(body,), daemon=True) for body in bodies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert not any(thread.is_alive() for thread in threads), "they wait for each other"
        assert not self.unexpected, self.unexpected


def test_plates_a_camera_that_comes_and_goes_and_reloads_at_once(knobs: Knobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "_MEASURING_S", 0.02)
    monkeypatch.setattr(camera_reader, "Backoff", lambda: Backoff(0.001, 0.01))
    found, holder = values(knobs), ControlsHolder(knobs.path)
    storm = Storm(holder)
    rig = storm.rig
    rig.pipeline.start()
    storm.rage()
    assert not rig.pipeline.ended.is_set()
    assert (len(storm.outcomes), storm.cameras.opened) == (PLATES, LOSSES + 1)

    rig.run_until(rig.published(Content.COMPOSITE, 3, since=len(rig.sink.frames)), 60)
    rig.pipeline.stop()
    holder.release()
    assert not any(thread.is_alive() for thread in rig.pipeline._threads)
    rig.assert_no_room()
    assert (values(knobs), list_leftovers()) == (found, []), "the camera is given back as it was found"
