"""Answers are facts: they say what the output thread has written, not what was asked for."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from camdaemon.config.schema import SceneConfig
from camdaemon.control.commands import Commands, live
from camdaemon.control.viewers import describe_view
from camdaemon.errors import ControlError
from camdaemon.frames import card as cards
from camdaemon.frames.frame import Content, HostFrame
from camdaemon.pipeline.published import Kind, Published
from camdaemon.pipeline.state import Mode
from tests.fakes import FakeSource, RecordingSink, Rig

LONG = 60.0  # seconds that nothing here takes


class GatedSink(RecordingSink):
    """Its writes wait while the gate is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.waits = threading.Event(), threading.Event()
        self.gate.set()

    def write(self, frame: HostFrame) -> None:
        if not self.gate.is_set():
            self.waits.set()
            assert self.gate.wait(LONG)
        super().write(frame)


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig(sink=GatedSink(), stale_after_s=LONG)
    yield rig
    rig.pipeline.stop()


@pytest.fixture
def commands(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Of a pipeline that shows the person. No answer depends on how long anything takes."""
    monkeypatch.setattr(live, "_CARD_S", LONG)
    monkeypatch.setattr(live, "_MOMENT_S", LONG)
    rig.pipeline.start()
    rig.run_until(rig.published(Content.COMPOSITE))
    return Commands(rig.pipeline, rig.config, rig.sink.size, None, lambda: None)


def test_the_card_is_written_before_it_is_answered(rig: Rig, commands: Commands) -> None:
    for _ in range(3):
        assert commands.card("on") == "Viewers see the card."
        assert rig.sink.contents()[-1] is Content.CARD
        assert commands.card("off") == "Viewers see you again."
        assert rig.sink.contents()[-1] is Content.COMPOSITE


def test_a_frame_on_its_way_to_the_sink_is_not_forgotten(rig: Rig, commands: Commands) -> None:
    sink = rig.sink
    assert isinstance(sink, GatedSink)
    sink.gate.clear()
    assert sink.waits.wait(LONG)  # a composite is being written
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(commands.card("on")), daemon=True)
    asking.start()
    rig.run_until(lambda: rig.state.scene.mode is Mode.CARD)
    assert answers == []
    sink.gate.set()
    asking.join(LONG)
    assert answers == ["Viewers see the card."]


def test_a_card_that_is_not_written_is_an_error(rig: Rig, commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = rig.sink
    assert isinstance(sink, GatedSink)
    sink.gate.clear()
    assert sink.waits.wait(LONG)
    monkeypatch.setattr(live, "_CARD_S", 0.01)
    with pytest.raises(ControlError, match=r"card was not written within 0\.01 s.*you"):
        commands.card("on")
    assert rig.state.scene.mode is Mode.CARD, "it comes with the next frame all the same"
    sink.gate.set()


def test_the_card_does_not_wait_for_the_camera_nor_for_the_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    hang = threading.Event()
    rig = Rig(source=FakeSource(script={10: lambda: hang.wait(LONG)}), stale_after_s=LONG, repeat_s=LONG)
    monkeypatch.setattr(live, "_CARD_S", LONG / 2)
    rig.pipeline.start()
    rig.run_until(lambda: rig.source.count > 10)
    commands = Commands(rig.pipeline, rig.config, rig.sink.size, None, lambda: None)
    assert commands.card("on") == "Viewers see the card."
    hang.set()
    rig.pipeline.stop()
    rig.assert_no_room()


def test_in_passthrough_mode_every_answer_says_that_the_room_shows(rig: Rig, commands: Commands) -> None:
    told = [
        commands.mode("passthrough"),
        commands.backdrop("color:#123456"),
        commands.mirror("on"),
        commands.adjust(0.5, None),
    ]
    for said in told:
        assert re.search(r"raw camera.*room.*camdaemon mode matte$", said), said
    assert commands.status()["viewers_see"] == told[0]
    live._MOMENT_S = 0.05  # nothing freezes
    assert "raw camera" in commands.pause("on")
    assert "raw camera" in commands.pause("off")
    live._MOMENT_S = LONG
    assert commands.mode("card") == "Viewers see the card."
    assert commands.card("off") == "Viewers see you again.", "off the card comes the matte, never the room"


def test_no_scene_leaves_the_room_to_be_seen(rig: Rig, commands: Commands) -> None:
    commands._config = rig.config.model_copy(update={"scenes": {"close": SceneConfig(mirror=True)}})
    commands.mode("passthrough")
    assert commands.scene("close") == "The scene is close."
    assert rig.sink.contents()[-1] is Content.COMPOSITE


def test_with_the_card_on_other_answers_say_that_it_shows(commands: Commands) -> None:
    commands.card("on")
    assert "privacy card" in commands.mirror("on")
    assert "privacy card" in commands.backdrop("color:#123456")


def test_a_pause_is_answered_once_the_picture_is_frozen(rig: Rig, commands: Commands) -> None:
    assert "frozen" in commands.pause("on")
    assert rig.state.published.last.kind is Kind.FROZEN
    assert "moves" in commands.pause("off")
    assert rig.state.published.last.kind is Kind.COMPOSITE


# ---- the words, from what was written last

CARD = Published(Kind.CARD, 10.0, 5.0, card=cards.NO_MATTE, count=9)
LIVE = Published(Kind.COMPOSITE, 10.0, 5.0, backdrop="/home/me/office.jpg", count=9)
SLOW = replace(cards.NO_MATTE, reason="this machine is too slow")


@pytest.mark.parametrize(
    ("last", "now", "state", "says"),
    [
        (replace(LIVE, count=0), 10.0, "unknown", "nothing yet"),
        (LIVE, 10.1, "live", "you in front of office.jpg"),
        (replace(LIVE, backdrop="blur:30"), 10.1, "live", "your room, blurred"),
        (replace(LIVE, backdrop="plate"), 10.1, "live", "your empty room"),
        (replace(LIVE, backdrop="color:#000000"), 10.1, "live", "one color"),
        (replace(LIVE, kind=Kind.FROZEN), 10.1, "paused", "still"),
        (replace(LIVE, kind=Kind.PASSTHROUGH), 10.1, "passthrough", "your room"),
        (replace(LIVE, kind=Kind.NOTHING), 10.1, "unknown", "virtual camera is lost"),
        (CARD, 10.1, "card", "One moment"),
        (replace(CARD, card=SLOW), 10.1, "card", "too slow"),
        (replace(CARD, card=cards.OFF), 10.1, "card", "privacy card"),
        (replace(CARD, card=replace(cards.TAKING, big="3")), 10.1, "card", "countdown card until the plate"),
        (LIVE, 12.5, "unknown", "stands still.*2 s.*you in front"),
        (replace(LIVE, previous=Kind.CARD, since=9.9, left_at=9.5, card=SLOW), 10.1, "unsteady", "too slow"),
        (replace(LIVE, previous=Kind.CARD, since=9.9, left_at=8.0, card=SLOW), 10.1, "live", "you"),
        (replace(LIVE, previous=Kind.FROZEN, since=9.9, left_at=9.8, card=SLOW), 10.1, "live", "you"),
    ],
)
def test_what_is_said_of_it(last: Published, now: float, state: str, says: str) -> None:
    view = describe_view(last, now)
    assert view.state == state
    assert re.search(says, view.sentence)


def test_status_says_it_with_the_reason(rig: Rig, commands: Commands) -> None:
    take: Callable[[], dict[str, object]] = commands.status
    assert take()["viewers_see"] == "Viewers see you in front of one color."
    rig.state.scene = replace(rig.state.scene, plate=None, invitation=cards.make_invitation("press F9"))
    rig.run_until(lambda: "press F9" in str(take()["viewers_see"]))
    seen = take()["seen"]
    assert isinstance(seen, dict)
    assert (seen["state"], seen["badge"]) == ("card", "Card")
    assert "press F9" in seen["reason"]
