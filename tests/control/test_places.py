"""What is kept of each place of a camera: the photograph, what was learned, and the camera's controls."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from camdaemon.capture.holding import ControlsHolder
from camdaemon.control.places import Places
from camdaemon.frames.frame import Size
from camdaemon.pipeline.threads import Pipeline
from camdaemon.plate import saved, store
from camdaemon.plate.parts import Growth, Origin, Plate
from camdaemon.plate.pose import STILL
from camdaemon.plate.report import PlateReport
from tests.present import present

SIZE, CAMERA = Size(128, 72), "camera"
BLOCKS = (9, 16)


def picture(level: int) -> np.ndarray:
    return np.full((72, 128, 3), level, np.uint8)


def growth(level: int) -> Growth:
    return Growth(picture(level), np.full(BLOCKS, Origin.GROWN, np.uint8), STILL)


class FakeHolder:
    def __init__(self) -> None:
        self.held = {"gain": 7}
        self.switched: list[dict[str, int]] = []

    def switch(self, stored: dict[str, int]) -> None:
        self.switched.append(stored)


class Home:
    """A daemon's places, with what its worker reports."""

    def __init__(self, *levels: int, camera: str | None = CAMERA) -> None:
        for number, level in enumerate(levels):
            store.save(
                saved.path_for(CAMERA, SIZE, number + 1), Plate(picture(level)), {"gain": level}, 1000.0 - number
            )
        loaded = tuple(present(store.load(path, SIZE)) for path in saved.list_places(CAMERA, SIZE))
        self.keeper: Any = SimpleNamespace(report=None)
        self.state: Any = SimpleNamespace(places=loaded, camera=SimpleNamespace(has_frames=True))
        pipeline: Any = SimpleNamespace(processor=SimpleNamespace(keeper=self.keeper), state=self.state)
        self.holder = FakeHolder()
        self.places = Places(cast("Pipeline", pipeline), cast("ControlsHolder", self.holder), camera, SIZE)

    def report(self, chosen: Plate | None, learned: Growth | None = None, known: float = 1.0) -> None:
        trusted = np.arange(BLOCKS[0] * BLOCKS[1]).reshape(BLOCKS) < known * BLOCKS[0] * BLOCKS[1]
        plate = chosen or Plate(picture(128), np.zeros(BLOCKS, np.float32))
        self.keeper.report = PlateReport(plate, chosen, learned, trusted, 0.0)


def load(number: int = 1) -> store.Place:
    return present(store.load(saved.path_for(CAMERA, SIZE, number), SIZE))


def test_a_new_photograph_replaces_that_of_its_place_and_of_no_other() -> None:
    home = Home(10, 20)
    office = home.state.places[1].plate
    home.report(office)
    taken = Plate(picture(30))
    assert [plate.rgb[0, 0, 0] for plate in home.places.others(taken)] == [10]
    assert "kept in" in home.places.keep_shot(taken)
    assert (load(1).plate.rgb[0, 0, 0], load(2).plate.rgb[0, 0, 0]) == (10, 30)
    assert load(2).controls == {"gain": 7}
    home.report(taken)
    assert present(home.places.find_age(taken)) < 60
    assert [plate.rgb[0, 0, 0] for plate in home.places.others(Plate(picture(40)))] == [10]


def test_where_no_place_explains_the_frames_a_photograph_makes_another() -> None:
    home = Home(10, 20)
    home.report(None)
    home.places.keep_shot(Plate(picture(30)))
    assert {load(number).plate.rgb[0, 0, 0] for number in (1, 2, 3)} == {10, 20, 30}


def test_what_was_learned_is_kept_beside_the_photograph_with_its_age() -> None:
    home = Home(10)
    shot = home.state.places[0].plate
    home.report(shot, growth(50))
    home.places.keep_growth()
    kept = load()
    assert np.array_equal(kept.plate.rgb, picture(10)), "never in its stead"
    assert kept.plate.is_shot
    assert np.array_equal(present(kept.plate.growth).rgb, picture(50))
    assert kept.taken == pytest.approx(1000.0)
    assert kept.controls == {"gain": 10}
    before = load().path.stat().st_mtime_ns, load().path.stat().st_ino
    home.places.keep_growth()
    assert (load().path.stat().st_mtime_ns, load().path.stat().st_ino) == before, "nothing new was learned"


def test_a_plate_that_nobody_photographed_is_kept_as_what_it_is_and_once() -> None:
    home = Home(10)
    home.report(None, growth(50), known=0.1)
    home.places.keep_growth()
    assert len(saved.list_places(CAMERA, SIZE)) == 1, "too little is known"
    for level in (60, 70):
        home.report(None, growth(level), known=0.6)
        home.places.keep_growth()
    assert len(saved.list_places(CAMERA, SIZE)) == 2
    kept = load(2).plate
    assert not kept.is_shot
    assert np.array_equal(present(kept.growth).rgb, picture(70))


def test_the_camera_is_held_as_the_place_in_use_needs_it() -> None:
    home = Home(10, 20)
    first, second = (place.plate for place in home.state.places)
    home.report(first)
    home.places._follow_place()
    assert home.holder.switched == []
    home.report(second)
    for _ in range(2):
        home.places._follow_place()
    home.report(None)
    home.places._follow_place()
    assert home.holder.switched == [{"gain": 20}]


def test_a_clip_keeps_nothing(tmp_path: Path) -> None:
    home = Home(camera=None)
    home.report(None, growth(50), known=0.9)
    home.places.keep_growth()
    assert home.places.keep_shot(Plate(picture(30))) == "The plate is taken."
    assert not saved.list_places(CAMERA, SIZE)
    assert home.places.find_age(None) is None


def test_a_disk_that_is_full_costs_a_line_in_the_log_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    home = Home(10)
    home.report(home.state.places[0].plate, growth(50))

    def full(self: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        home.places.keep_growth()
        assert "No space left" in caplog.text
        assert "gone after a restart" in home.places.keep_shot(Plate(picture(30)))
    assert load().plate.growth is None
    home.places.keep_growth()
    assert load().plate.growth is not None, "the next time there is room"
    assert load().taken <= time.time()
