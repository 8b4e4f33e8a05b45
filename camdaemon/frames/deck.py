"""Cards ready to be shown: drawn once, kept in the sink's pixel format."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from camdaemon.frames import color
from camdaemon.frames.card import Card, draw
from camdaemon.frames.frame import Content, HostFrame, PixelFormat, Size


class Deck:
    """Deals cards for one sink. Any thread; never touches the accelerator."""

    def __init__(self, fmt: PixelFormat, size: Size) -> None:
        self._fmt, self._size = fmt, size
        self._lock = threading.Lock()
        self._drawn: dict[Card, NDArray[np.uint8]] = {}

    def deal(self, card: Card, into: HostFrame) -> None:
        """Copy `card` into `into` (the sink's format and size) and mark it as a card; seq and t stay."""
        with self._lock:
            if card not in self._drawn:
                if len(self._drawn) >= 16:  # messages with figures in them come and go
                    self._drawn.clear()
                picture = np.empty(self._fmt.shape(self._size), np.uint8)
                color.rgb_to_host(draw(card, self._size), self._fmt, picture)
                self._drawn[card] = picture
            into.data[:] = self._drawn[card]
        into.content, into.matte_seq = Content.CARD, None
