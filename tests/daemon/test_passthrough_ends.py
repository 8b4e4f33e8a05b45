"""The raw camera ends with the last viewer and with the machine's sleep; no one is shown a room that was forgotten."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from camdaemon.control.commands import Commands
from camdaemon.daemon import run, surfaces
from camdaemon.pipeline.state import Mode
from tests.fakes import Rig

News = queue.SimpleQueue[bool | None]


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    rig.pipeline.start()
    yield rig
    rig.pipeline.stop()


@pytest.fixture
def commands(rig: Rig) -> Commands:
    return Commands(rig.pipeline, rig.config, rig.sink.size, None, lambda: None)


def reporter(news: News) -> Callable[[Callable[[bool], None], threading.Event], None]:
    """What follows the viewers of a sink: it reports what the test puts into `news`, None for its end."""

    def follow(report: Callable[[bool], None], _: threading.Event) -> None:
        while (is_watched := news.get()) is not None:
            report(is_watched)

    return follow


def test_it_ends_with_the_last_viewer_also_of_a_camera_that_always_runs(
    rig: Rig, commands: Commands, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = News(), News()
    rig.sink.viewers = (reporter(one), reporter(other))
    with run._follow_viewers(rig.pipeline, commands):
        for news in (one, other):
            news.put(True)
        rig.run_until(lambda: rig.state.camera.reasons() == ["always", "viewers"])
        one.put(False)
        one.put(None)
        commands.mode("passthrough")
        other.put(True)
        other.put(False)
        rig.run_until(lambda: one.empty() and other.empty())
        assert rig.state.scene.mode is Mode.PASSTHROUGH, "a viewer is left"
        other.put(False)
        rig.run_until(lambda: rig.state.scene.mode is Mode.MATTE)
        other.put(None)
    assert "last viewer" in caplog.text


@pytest.mark.parametrize("asleep", [True, False])
def test_it_ends_with_the_machines_sleep(rig: Rig, commands: Commands, asleep: bool) -> None:
    commands.mode("passthrough")
    surfaces._fall_asleep(rig.pipeline, commands, asleep)
    assert rig.state.scene.mode is Mode.MATTE


def test_other_modes_stay(rig: Rig, commands: Commands, caplog: pytest.LogCaptureFixture) -> None:
    commands.card("on")
    surfaces._fall_asleep(rig.pipeline, commands, False)
    assert rig.state.scene.mode is Mode.CARD
    assert "passthrough" not in caplog.text
