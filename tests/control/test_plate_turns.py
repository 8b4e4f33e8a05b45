"""Whose turn it is to take a plate: the user's goes first, can be cancelled, and what it waits for is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError

import pytest

from camdaemon.control.commands import Commands
from camdaemon.control.photographer import Turn, Turns
from camdaemon.errors import PlateRefused
from camdaemon.frames.frame import Content
from camdaemon.frames.job import cancel
from camdaemon.plate.take import PlateJob, PlateRules
from tests.fakes import FakeSource, Rig

LONG = 60.0
PATIENT = PlateRules(3, 0.1, LONG)


class Asked:
    """A command in a thread of its own, and how it ended."""

    def __init__(self, command: Callable[[], str]) -> None:
        self.said: list[str] = []
        self._thread = threading.Thread(target=self._run, args=(command,), daemon=True)
        self._thread.start()

    def _run(self, command: Callable[[], str]) -> None:
        try:
            self.said.append(command())
        except PlateRefused as exc:
            self.said.append(f"refused: {exc}")

    def answer(self) -> str:
        self._thread.join(LONG)
        return self.said[0]


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig(plate=None, source=FakeSource())  # a person walks about all the time: no plate succeeds
    rig.config = rig.config.model_copy(
        update={"plate_taking": rig.config.plate_taking.model_copy(update={"timeout_s": LONG})}
    )
    rig.pipeline.start()
    yield rig
    rig.pipeline.stop()
    rig.assert_no_room()


@pytest.fixture
def commands(rig: Rig) -> Commands:
    return Commands(rig.pipeline, rig.config, rig.sink.size, None, lambda: None)


def taking(commands: Commands) -> dict[str, object]:
    found = commands.status()["taking"]
    return found if isinstance(found, dict) else {}


def test_a_users_plate_replaces_an_automatic_one_which_then_goes_on(rig: Rig, commands: Commands) -> None:
    automatic = threading.Thread(target=commands.take_plate_when_still, daemon=True)
    automatic.start()
    rig.run_until(lambda: "moves" in str(taking(commands).get("waits_for")))
    assert taking(commands)["by"] == "camdaemon"
    mine = Asked(lambda: commands.plate(LONG))
    rig.run_until(lambda: taking(commands).get("by") == "you")
    rig.run_until(lambda: 0 < float(str(taking(commands)["left_s"])) < LONG)
    with pytest.raises(PlateRefused, match=r"\d+ s are left.*camdaemon plate cancel$"):
        commands.plate(0.0)
    commands.cancel_plate()
    assert "cancelled" in mine.answer()
    automatic.join(LONG)
    assert not automatic.is_alive(), "what is cancelled does not begin again by itself"
    assert taking(commands) == {}


def test_an_automatic_plate_goes_on_after_a_users_was_refused(rig: Rig, commands: Commands) -> None:
    automatic = threading.Thread(target=commands.take_plate_when_still, daemon=True)
    automatic.start()
    rig.run_until(lambda: taking(commands).get("by") == "camdaemon")
    quick = commands._config.plate_taking.model_copy(update={"timeout_s": 0.2})
    commands._config = commands._config.model_copy(update={"plate_taking": quick})
    assert "moves" in Asked(lambda: commands.plate(0.0)).answer()
    rig.run_until(lambda: taking(commands).get("by") == "camdaemon")
    commands.cancel_plate()
    automatic.join(LONG)
    assert not automatic.is_alive()


def test_a_countdown_is_cancelled_at_once_and_the_old_plate_stays() -> None:
    rig = Rig()
    rig.pipeline.start()
    rig.run_until(rig.published(Content.COMPOSITE))
    commands = Commands(rig.pipeline, rig.config, rig.sink.size, None, lambda: None)
    asked = Asked(lambda: commands.plate(LONG))
    rig.run_until(lambda: "countdown" in str(commands.status()["viewers_see"]))
    assert "countdown card until the plate" in commands.card("off"), "viewers do not see the person"
    assert "until the plate" not in commands.cancel_plate(), "it is not taken any more"
    rig.run_until(rig.published(Content.COMPOSITE, 3, since=len(rig.sink.frames)))
    assert "cancelled" in asked.answer()
    assert rig.state.scene.plate is rig.plate
    assert "No plate" in commands.cancel_plate()
    rig.pipeline.stop()
    rig.assert_no_room()


# ---- the turns alone


def turn(*, is_automatic: bool = False) -> Turn:
    return Turn(PlateJob(PATIENT, 5.0), is_automatic)


def test_only_an_automatic_plate_gives_way() -> None:
    turns, mine = Turns(), turn()
    with turns.take(mine):
        for other in (turn(), turn(is_automatic=True)):
            with pytest.raises(PlateRefused, match="5 s are left"), turns.take(other):
                pass
        assert turns.now is mine
        assert not mine.job.future.done()
    assert turns.now is None


def test_a_user_waits_until_the_automatic_plate_has_freed_the_camera() -> None:
    turns, automatic, mine = Turns(), turn(is_automatic=True), turn()
    began = threading.Event()

    def ask() -> None:
        with turns.take(mine):
            began.set()

    with turns.take(automatic):
        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        with pytest.raises(CancelledError):
            automatic.job.future.result(LONG)
        assert turns.now is mine
        assert not began.is_set()
    assert began.wait(LONG)
    asking.join(LONG)
    assert turns.wait_free()


def test_after_a_cancel_nothing_automatic_is_wanted() -> None:
    turns = Turns()
    assert turns.wait_free()
    assert turns.cancel() is None
    assert not turns.wait_free()


def test_a_result_that_came_first_is_kept() -> None:
    job = PlateJob(PATIENT, 0.0)
    job.future.set_running_or_notify_cancel()
    cancel(job)
    with pytest.raises(CancelledError):
        job.future.result(0)
    done = PlateJob(PATIENT, 0.0)
    done.future.set_exception(PlateRefused("no plate: too dark. Run: camdaemon plate"))
    cancel(done)
    with pytest.raises(PlateRefused):
        done.future.result(0)
