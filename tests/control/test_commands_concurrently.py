"""Commands given at once: the order of the locks holds, steps take turns, and one plate is taken at a time."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from camdaemon.config.schema import Config, SceneConfig
from camdaemon.control.commands import Commands
from camdaemon.control.photographer import PlatePhotographer
from camdaemon.control.places import Places
from camdaemon.errors import ControlError, PlateRefused
from camdaemon.frames.frame import Content
from tests.fakes import RULES, Rig

ROUNDS = 10  # of each command


class OrderedLock:
    """A lock that refuses to be taken by a thread that holds one of the same or of a later place in the order."""

    held = threading.local()
    wrong: list[str] = []  # noqa: RUF012  # of all of them; one test at a time

    def __init__(self, place: int, name: str) -> None:
        self._lock, self._place, self._name = threading.Lock(), place, name

    def __enter__(self) -> None:
        mine = self.held.__dict__.setdefault("places", [])
        if mine and mine[-1] >= self._place:
            self.wrong.append(f"{self._name} taken while {mine} are held")
            raise AssertionError(self.wrong[-1])
        self._lock.acquire()
        mine.append(self._place)

    def __exit__(self, *_: object) -> None:
        self.held.places.pop()
        self._lock.release()

    @classmethod
    def held_here(cls) -> list[int]:
        return list(cls.held.__dict__.get("places", []))


@pytest.fixture
def configs(tmp_path: Path) -> Iterator[Config]:
    for name, value in (("a.png", 10), ("b.png", 120), ("c.png", 250)):
        cv2.imwrite(str(tmp_path / name), np.full((72, 128, 3), value, np.uint8))
    scenes = {"late": SceneConfig(backdrop="color:#0000ff", mirror=True)}
    return itertools.cycle(
        Config(
            source="fake", sink="fake", plate_taking=asdict(RULES), backdrops=str(tmp_path), fade_s=0.01,
            hotkeys=False, scenes=scenes, **changed,
        )
        for changed in ({"backdrop": "color:#00ff00"}, {"backdrop": "color:#ffff00", "edge": 0.5, "max_coverage": 0.8})
    )  # fmt: skip


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    rig.pipeline.start()
    rig.run_until(rig.published(Content.COMPOSITE))
    yield rig
    rig.pipeline.stop()
    rig.assert_no_room()


def at_once(*bodies: Callable[[], object]) -> None:
    """Do each of `bodies` `ROUNDS` times, all of them at once; raise what one of them raises."""
    faults: list[BaseException] = []

    def run(body: Callable[[], object]) -> None:
        try:
            for _ in range(ROUNDS):
                body()
        except BaseException as exc:
            faults.append(exc)

    threads = [threading.Thread(target=run, args=(body,), daemon=True) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert not any(thread.is_alive() for thread in threads), "they wait for each other"
    assert not faults, faults


def test_the_order_of_the_locks_holds_while_everything_is_asked_at_once(rig: Rig, configs: Iterator[Config]) -> None:
    first, held_outside = next(configs), []
    reloaded: list[Config] = []

    def on_reload(commands: Commands, config: Config) -> None:
        held_outside.append(OrderedLock.held_here())
        reloaded.append(config)
        commands.invite(rig.state.scene.invitation)  # calls back, as the surfaces do

    commands = Commands(
        rig.pipeline, first, rig.sink.size, None, lambda: None, lambda: next(configs), on_reload=on_reload
    )
    OrderedLock.wrong.clear()
    commands._preparing, commands._lock = OrderedLock(1, "_preparing"), OrderedLock(2, "_lock")  # type: ignore[assignment]
    outcomes: list[str] = []

    def plate() -> None:
        try:
            outcomes.append(commands.plate(0.0))
        except (PlateRefused, ControlError) as exc:  # what a plate may end with
            outcomes.append(str(exc))

    at_once(
        plate,
        plate,
        commands.reload,
        commands.reload,
        commands.next_backdrop,
        commands.previous_backdrop,
        lambda: commands.scene("late"),
        lambda: commands.mirror("toggle"),
        lambda: commands.status()["scenes"],
    )
    assert OrderedLock.wrong == []
    assert len(reloaded) == 2 * ROUNDS
    assert {tuple(held) for held in held_outside} == {(1,)}, "code outside of the class never runs under `_lock`"
    assert len(outcomes) == 2 * ROUNDS
    assert not rig.pipeline.ended.is_set()
    commands.backdrop("color:#00ff00")
    rig.run_until(rig.published(Content.COMPOSITE, 3, since=len(rig.sink.frames)))


def test_two_steps_at_once_are_two_steps(rig: Rig, configs: Iterator[Config], tmp_path: Path) -> None:
    commands = Commands(rig.pipeline, next(configs), rig.sink.size, None, lambda: None)
    at_once(commands.next_backdrop, commands.next_backdrop)  # 20 steps through 3 files, from before the first
    assert Path(rig.state.scene.backdrop.spec).name == "b.png"


def test_a_second_plate_is_refused_until_the_first_one_is_kept(
    rig: Rig, configs: Iterator[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = Commands(rig.pipeline, next(configs), rig.sink.size, None, lambda: None)
    keeping, go_on = threading.Event(), threading.Event()

    def keep(*_: object) -> str:
        keeping.set()
        assert go_on.wait(60)
        return "The plate is taken."

    monkeypatch.setattr(PlatePhotographer, "take", lambda *_: rig.state.scene.plate)
    monkeypatch.setattr(Places, "keep_shot", keep)
    first = threading.Thread(target=commands.plate, args=(0.0,), daemon=True)
    first.start()
    assert keeping.wait(60)
    assert commands.status()["taking"] == {"by": "you", "left_s": 0.0, "waits_for": ""}
    with pytest.raises(PlateRefused, match=r"already.*camdaemon plate cancel$"):
        commands.plate(0.0)
    commands.card("on")  # nothing else waits
    go_on.set()
    first.join(60)
    assert commands.status()["taking"] is None
    assert commands.plate(0.0) == "The plate is taken."
