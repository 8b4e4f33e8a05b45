"""The clean room and a light blur are asked for twice; whoever names them in the configuration is warned."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from camdaemon.config.choices import Choices, Look
from camdaemon.config.schema import Config, SceneConfig
from camdaemon.control.commands import Commands
from camdaemon.control.room import can_recognize, warn_of_room
from camdaemon.errors import ConfirmationNeeded
from camdaemon.frames.frame import Size
from camdaemon.pipeline.state import Mode
from tests.fakes import Rig

HD = Size(1280, 720)
PLAIN = Choices().look(Config())


@pytest.mark.parametrize(
    ("backdrop", "blur", "size", "recognized"),
    [
        ("plate", 0.0, HD, True),
        ("blur:15", 0.0, HD, True),
        ("blur:16", 0.0, HD, False),
        ("plate", 16.0, HD, False),
        ("blur:12", 12.0, HD, False),  # together a sigma of 17
        ("blur", 0.0, Size(1920, 1080), False),  # the default one
        ("blur:16", 0.0, Size(1920, 1080), True),
        ("blur:8", 0.0, Size(640, 360), False),
        ("color:#000000", 0.0, HD, False),
        ("/pictures/plate.jpg", 0.0, HD, False),
    ],
)
def test_when_a_room_can_be_recognized(backdrop: str, blur: float, size: Size, recognized: bool) -> None:
    assert can_recognize(Look(backdrop, 0.0, blur, False, None), size) is recognized


@pytest.fixture
def rig() -> Iterator[Rig]:
    """Its frames are 72 pixels high: a sigma of 1.6 is the limit."""
    rig = Rig()
    rig.pipeline.start()
    yield rig
    rig.pipeline.stop()


def test_the_clean_room_and_a_light_blur_are_asked_for_twice(rig: Rig) -> None:
    commands = Commands(rig.pipeline, rig.config, rig.sink.size, None, lambda: None)
    commands.card("on")  # the room is magenta, and no test shows it by accident
    before = rig.state.scene
    for spec in ("plate", "blur:1"):
        with pytest.raises(ConfirmationNeeded, match=f"room.* run: camdaemon backdrop {spec} --yes$"):
            commands.backdrop(spec)
    assert rig.state.scene is before
    commands.backdrop("blur:1", yes=True)
    commands.backdrop("blur:3")
    assert rig.state.scene.backdrop.spec == "blur:3"
    with pytest.raises(ConfirmationNeeded):
        commands.backdrop("blur:1")
    commands.backdrop("plate", yes=True)
    commands.adjust(None, 5.0)
    with pytest.raises(ConfirmationNeeded, match=r"--blur 0 --yes$"):
        commands.adjust(None, 0.0)
    commands.adjust(0.5, None)
    commands.adjust(None, 0.0, yes=True)
    assert rig.state.scene.appearance.blur == 0
    assert rig.state.scene.mode is Mode.CARD
    rig.assert_no_room()


def test_a_configuration_that_names_it_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    scenes = {"clean": SceneConfig(backdrop="plate"), "soft": SceneConfig(backdrop="blur:30")}
    warn_of_room(Config(backdrop="blur:5", scenes=scenes), HD)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["backdrop", "scene clean"]
    caplog.clear()
    warn_of_room(Config(), HD)
    assert not caplog.records
