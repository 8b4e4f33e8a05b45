"""What is said of the last frame, with a clock of the test's own; nobody is told of a frame before it is written."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from camdaemon.frames import card as cards
from camdaemon.frames.frame import Content, HostFrame, PixelFormat, Size
from camdaemon.pipeline.published import Kind, Publication, Published


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def frame(
    content: Content, *, card: cards.Card | None = None, backdrop: str = "", is_frozen: bool = False
) -> HostFrame:
    made = HostFrame.empty(PixelFormat.I420, Size(64, 64))
    made.content, made.card, made.backdrop, made.is_frozen = content, card, backdrop, is_frozen
    return made


CARD = frame(Content.CARD, card=cards.OFF)
LIVE = frame(Content.COMPOSITE, backdrop="blur")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def publication(clock: Clock) -> Publication:
    return Publication(clock)


@pytest.mark.parametrize(
    ("written", "is_lost", "kind"),
    [
        (CARD, False, Kind.CARD),
        (LIVE, False, Kind.COMPOSITE),
        (frame(Content.COMPOSITE, is_frozen=True), False, Kind.FROZEN),
        (frame(Content.ROOM), False, Kind.PASSTHROUGH),
        (LIVE, True, Kind.NOTHING),
    ],
)
def test_what_a_frame_is_to_viewers(publication: Publication, written: HostFrame, is_lost: bool, kind: Kind) -> None:
    assert publication.last.kind is Kind.NOTHING
    assert publication.record(written, is_lost=is_lost).kind is kind


def test_since_when_it_has_been_so_and_what_it_was_before(publication: Publication, clock: Clock) -> None:
    publication.record(CARD)
    clock.now = 103.0
    assert publication.record(CARD) == Published(Kind.CARD, 103.0, 100.0, card=cards.OFF, count=2)
    clock.now = 104.0
    publication.record(LIVE)
    clock.now = 105.0
    expected = Published(Kind.COMPOSITE, 105.0, 104.0, Kind.CARD, card=cards.OFF, backdrop="blur", count=4)
    assert publication.record(LIVE) == expected
    clock.now = 106.0
    last = publication.record(CARD)
    assert (last.since, last.previous, last.left_at) == (106.0, Kind.COMPOSITE, 104.0)


def waiting(publication: Publication, is_right: Callable[[Published], bool]) -> tuple[threading.Thread, list[bool]]:
    """A thread that waits for a frame, and what it is told."""
    told: list[bool] = []
    thread = threading.Thread(target=lambda: told.append(publication.wait(is_right, 20)), daemon=True)
    thread.start()
    return thread, told


def is_card(last: Published) -> bool:
    return last.kind is Kind.CARD


def test_what_shows_already_is_told_at_once(publication: Publication) -> None:
    publication.begin()
    publication.record(CARD)
    assert publication.wait(is_card, 0)
    assert not publication.wait(lambda last: last.kind is Kind.COMPOSITE, 0)


def test_a_frame_on_its_way_to_viewers_is_waited_for(publication: Publication) -> None:
    """It was chosen before, and might still be the person, although the one before it was a card."""
    publication.begin()
    publication.record(CARD)
    publication.begin()
    assert not publication.wait(is_card, 0)
    thread, told = waiting(publication, is_card)
    publication.record(LIVE)
    thread.join(0.05)
    assert told == [], "the frame that was on its way was the person"
    publication.begin()
    publication.record(CARD)
    thread.join(20)
    assert told == [True]


def test_a_wait_ends_without_the_frame(publication: Publication) -> None:
    assert not publication.wait(is_card, 0.01)
