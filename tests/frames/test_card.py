"""The card is readable at every size, with nothing cut off; the cache draws each once, in the sink's own format."""

import threading

import numpy as np
import pytest

from camdaemon.frames import card as cards
from camdaemon.frames import color, pixels
from camdaemon.frames.card import Card, CardCache, draw
from camdaemon.frames.frame import Content, HostFrame, PixelFormat, Size
from camdaemon.frames.job import JobFrame
from camdaemon.plate.take import PlateJob, PlateRules

SIZES = [Size(64, 64), Size(320, 180), Size(640, 360), Size(1920, 1080), Size(720, 1280)]
TAKING = Card("Photographing the empty room", "please step out of the picture", "12")
MOVING = Card("Photographing the empty room", "please stay out of the picture")
CONSTANTS = [value for value in vars(cards).values() if isinstance(value, Card)]
CARDS = [*CONSTANTS, TAKING, MOVING]


def drawn(rgb: np.ndarray) -> np.ndarray:
    """(H,W) bool: where something is drawn on the even gradient."""
    empty = draw(Card(""), Size(rgb.shape[1], rgb.shape[0]))[:, :1].astype(int)
    return np.abs(rgb.astype(int) - empty).max(2) > 12


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("card", CARDS, ids=lambda card: f"{card.title} {card.hint}"[:40])
def test_nothing_is_cut_off_and_something_is_there(card, size):
    rgb = draw(card, size)
    assert (rgb.shape, rgb.dtype) == ((size.height, size.width, 3), np.uint8)
    ink = drawn(rgb)
    margin = max(1, size.width // 50)
    assert not ink[:, :margin].any(), "something touches the left edge"
    assert not ink[:, -margin:].any(), "something touches the right edge"
    assert not ink[:1].any(), "something touches the top"
    assert not ink[-1:].any(), "something touches the bottom"
    assert ink.mean() > 0.005, "the card is empty"
    columns = np.nonzero(ink.any(0))[0]
    assert abs(columns.mean() - (size.width - 1) / 2) < 0.03 * size.width + 1, "it is not in the center"


@pytest.mark.parametrize("size", SIZES[2:], ids=str)
def test_the_lines_do_not_run_into_each_other(size):
    """Title, hint and what is above them are bands with empty rows between."""
    for card in (TAKING, cards.LOST):
        rows = np.asarray(drawn(draw(card, size)).any(1))
        starts = int((np.diff(rows.astype(int)) == 1).sum()) + int(rows[0])
        assert starts == 3, card


@pytest.mark.parametrize("card", CONSTANTS, ids=lambda card: card.title)
def test_every_letter_can_be_drawn(card):
    assert (card.title + card.hint + card.big).isascii()
    assert card.title


def test_the_words_of_a_plate_job_can_be_drawn():
    """Its card carries figures: they too must be ASCII, or viewers see question marks."""
    for brightness in (0.0, 0.5, 1.0):
        job = PlateJob(PlateRules(), countdown=1.0)
        for t in (0.0, 2.0, 2.1):
            assert (job.card().title + job.card().hint + job.card().big).isascii()
            job.feed(JobFrame(0, t, pixels.as_planes(np.full((64, 64, 3), 255 * brightness, np.uint8)), None, None))
        assert (job.card().title + job.card().hint + job.card().big).isascii()


@pytest.mark.parametrize("card", CARDS, ids=lambda card: f"{card.title} {card.hint}"[:40])
def test_viewers_are_never_told_what_to_type(card):
    assert not [word for word in ("type", "camdaemon", "log", "press", "matte") if word in f"{card.title} {card.hint}"]


def test_the_reason_is_not_drawn_and_makes_no_other_card():
    with_reason = Card("One moment", reason="something moves in the top left")
    assert with_reason == cards.NO_MATTE
    assert np.array_equal(draw(with_reason, Size(320, 180)), draw(cards.NO_MATTE, Size(320, 180)))
    dealer, frame = CardCache(PixelFormat.I420, CACHED), composite()
    dealer.copy_to(cards.NO_MATTE, composite())
    dealer.copy_to(with_reason, frame)
    assert len(dealer._drawn) == 1
    assert frame.card is with_reason


def test_different_cards_look_different():
    size = Size(640, 360)
    pictures = [draw(card, size) for card in (cards.OFF, cards.LOST, cards.NO_PLATE, TAKING)]
    for i, one in enumerate(pictures):
        for other in pictures[:i]:
            assert (one != other).any(2).mean() > 0.002


def test_the_ground_is_dark_and_calm():
    for size in SIZES:
        rgb = draw(Card("x"), size)
        assert rgb[0].max() <= 64
        assert np.abs(np.diff(rgb[:, 0].astype(int), axis=0)).max() <= 2


# ---- the cache

CACHED = Size(128, 72)


def composite(fmt: PixelFormat = PixelFormat.I420) -> HostFrame:
    frame = HostFrame.empty(fmt, CACHED)
    frame.seq, frame.t, frame.content, frame.matte_seq = 9, 4.5, Content.COMPOSITE, 8
    return frame


@pytest.mark.parametrize("fmt", [PixelFormat.I420, PixelFormat.RGB, PixelFormat.BGR])
def test_a_dealt_card_shows_the_card_and_says_so(fmt):
    frame = composite(fmt)
    CardCache(fmt, CACHED).copy_to(cards.LOST, frame)
    assert (frame.seq, frame.t, frame.content, frame.matte_seq) == (9, 4.5, Content.CARD, None)
    assert frame.may_publish(allow_raw=False)
    shown = color.host_to_rgb(frame.data, fmt).astype(int)
    assert np.abs(shown - draw(cards.LOST, CACHED)).mean() < 3


def test_a_card_is_drawn_once_and_what_is_dealt_is_a_copy(monkeypatch):
    calls = []
    monkeypatch.setattr(cards, "draw", lambda card, size: calls.append(card) or draw(card, size))
    dealer, first, second = CardCache(PixelFormat.I420, CACHED), composite(), composite()
    dealer.copy_to(cards.OFF, first)
    first.data[:] = 0
    dealer.copy_to(cards.OFF, second)
    assert calls == [cards.OFF]
    assert second.data.max() > 100, "who wrote into a dealt frame wrote into the deck"


def test_a_countdown_does_not_fill_the_memory():
    dealer, frame = CardCache(PixelFormat.I420, CACHED), composite()
    for i in range(100):
        dealer.copy_to(Card("Photographing", "", str(i)), frame)
    assert len(dealer._drawn) <= 16


def test_two_threads_may_deal_at_once():
    dealer, wrong = CardCache(PixelFormat.I420, CACHED), []
    expected = {}
    for card in (cards.OFF, cards.LOST):
        frame = composite()
        CardCache(PixelFormat.I420, CACHED).copy_to(card, frame)
        expected[card] = frame.data.copy()

    def work(card):
        frame = composite()
        for i in range(40):
            dealer.copy_to(Card(str(i)), frame)
            dealer.copy_to(card, frame)
            wrong.extend([] if np.array_equal(frame.data, expected[card]) else [card])

    threads = [threading.Thread(target=work, args=(card,)) for card in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not wrong
