"""The last gate before the sink, as a table; and what the user is told of what it holds back."""

import time

import pytest

from camdaemon.frames import card as cards
from camdaemon.frames.card import Card
from camdaemon.frames.frame import Content, HostFrame, PixelFormat, Size
from camdaemon.pipeline.camera_state import CameraState
from camdaemon.pipeline.loops import Choice, Complaints, choose, presentable
from camdaemon.pipeline.state import Mode
from tests.fakes import Rig
from tests.present import present

ITSELF = Choice(None)


def frame(content: Content, matte_seq: int | None = None) -> HostFrame:
    made = HostFrame.empty(PixelFormat.I420, Size(64, 64))
    made.seq, made.content, made.matte_seq = 7, content, matte_seq
    return made


COMPOSITE, CARD, ROOM = frame(Content.COMPOSITE, 7), frame(Content.CARD), frame(Content.ROOM)
OTHER_MATTE = frame(Content.COMPOSITE, 6)


@pytest.mark.parametrize(
    ("last", "mode", "missing", "is_fresh", "expected"),
    [
        (None, Mode.MATTE, None, False, Choice(cards.STARTING)),
        (None, Mode.PASSTHROUGH, cards.LOST, False, Choice(cards.LOST)),
        (COMPOSITE, Mode.MATTE, None, True, ITSELF),
        (COMPOSITE, Mode.PASSTHROUGH, None, True, ITSELF),
        (COMPOSITE, Mode.CARD, None, True, Choice(cards.OFF)),
        (COMPOSITE, Mode.MATTE, None, False, Choice(cards.NO_MATTE)),
        (COMPOSITE, Mode.MATTE, cards.LOST, False, Choice(cards.LOST)),
        (OTHER_MATTE, Mode.MATTE, None, True, Choice(cards.NO_MATTE, True)),
        (OTHER_MATTE, Mode.PASSTHROUGH, None, True, Choice(cards.NO_MATTE, True)),
        (ROOM, Mode.MATTE, None, True, Choice(cards.NO_MATTE, True)),
        (ROOM, Mode.CARD, None, True, Choice(cards.OFF)),
        (ROOM, Mode.PASSTHROUGH, None, True, ITSELF),
        (ROOM, Mode.PASSTHROUGH, None, False, Choice(cards.NO_MATTE)),
        (CARD, Mode.MATTE, None, False, ITSELF),
        (CARD, Mode.MATTE, cards.STANDBY, True, ITSELF),
        (CARD, Mode.MATTE, cards.STANDBY, False, Choice(cards.STANDBY)),
    ],
)
def test_what_viewers_may_see(
    last: HostFrame | None, mode: Mode, missing: Card | None, is_fresh: bool, expected: Choice
) -> None:
    assert choose(last, mode, missing, is_fresh) == expected


@pytest.mark.parametrize(
    ("silent_s", "content", "age_s", "says", "not_said"),
    [
        (0.0, Content.COMPOSITE, 5.0, "too slow", "plate"),
        (9.0, Content.COMPOSITE, 9.0, "sends no pictures", "slow"),
        (0.0, Content.ROOM, 0.0, "matte of its own", "slow"),
    ],
)
def test_the_user_is_told_what_is_the_matter(
    silent_s: float, content: Content, age_s: float, says: str, not_said: str
) -> None:
    rig, now = Rig(), [0.0]
    rig.state.camera = CameraState("always", clock=lambda: now[0])
    rig.state.camera.mark_running()
    now[0] = silent_s
    last = HostFrame.empty(rig.sink.fmt, rig.sink.size)
    last.content, last.t = content, time.monotonic() - age_s
    spare = HostFrame.empty(rig.sink.fmt, rig.sink.size)
    shown = presentable(last, spare, rig.pipeline.stage, rig.state, rig.metrics)
    assert shown is spare
    assert shown.card == cards.NO_MATTE
    reason = present(shown.card).reason
    assert says in reason
    assert not_said not in reason


def test_a_complaint_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    complaints = Complaints(60.0, lambda: now[0])
    for at in (0.0, 30.0, 59.0, 60.0, 61.0):
        now[0] = at
        complaints.log_once("card", "too slow")
    complaints.log_once("card", "another")
    assert [record.getMessage() for record in caplog.records] == ["card: too slow", "card: too slow", "card: another"]
