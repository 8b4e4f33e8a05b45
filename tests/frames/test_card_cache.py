"""Cards in the sink's own format, drawn once, and marked as cards whatever the frame was before."""

import threading

import numpy as np
import pytest

from camdaemon.frames import card as cards
from camdaemon.frames import color
from camdaemon.frames.card import Card, CardCache, draw
from camdaemon.frames.frame import Content, HostFrame, PixelFormat, Size

SIZE = Size(128, 72)


def composite(fmt: PixelFormat = PixelFormat.I420) -> HostFrame:
    frame = HostFrame.empty(fmt, SIZE)
    frame.seq, frame.t, frame.content, frame.matte_seq = 9, 4.5, Content.COMPOSITE, 8
    return frame


@pytest.mark.parametrize("fmt", [PixelFormat.I420, PixelFormat.RGB, PixelFormat.BGR])
def test_a_dealt_card_shows_the_card_and_says_so(fmt):
    frame = composite(fmt)
    CardCache(fmt, SIZE).copy_to(cards.LOST, frame)
    assert (frame.seq, frame.t, frame.content, frame.matte_seq) == (9, 4.5, Content.CARD, None)
    assert frame.may_publish(allow_raw=False)
    shown = color.host_to_rgb(frame.data, fmt).astype(int)
    assert np.abs(shown - draw(cards.LOST, SIZE)).mean() < 3


def test_a_card_is_drawn_once_and_what_is_dealt_is_a_copy(monkeypatch):
    calls = []
    monkeypatch.setattr(cards, "draw", lambda card, size: calls.append(card) or draw(card, size))
    dealer, first, second = CardCache(PixelFormat.I420, SIZE), composite(), composite()
    dealer.copy_to(cards.OFF, first)
    first.data[:] = 0
    dealer.copy_to(cards.OFF, second)
    assert calls == [cards.OFF]
    assert second.data.max() > 100, "who wrote into a dealt frame wrote into the deck"


def test_a_countdown_does_not_fill_the_memory():
    dealer, frame = CardCache(PixelFormat.I420, SIZE), composite()
    for i in range(100):
        dealer.copy_to(Card("Photographing", "", str(i)), frame)
    assert len(dealer._drawn) <= 16


def test_two_threads_may_deal_at_once():
    dealer, wrong = CardCache(PixelFormat.I420, SIZE), []
    expected = {}
    for card in (cards.OFF, cards.LOST):
        frame = composite()
        CardCache(PixelFormat.I420, SIZE).copy_to(card, frame)
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
