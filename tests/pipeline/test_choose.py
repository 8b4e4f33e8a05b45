"""The last gate before the sink, as a table."""

import pytest

from camdaemon.frames import card as cards
from camdaemon.frames.card import Card
from camdaemon.frames.frame import Content, HostFrame, PixelFormat, Size
from camdaemon.pipeline.loops import Choice, choose
from camdaemon.pipeline.state import Mode

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
