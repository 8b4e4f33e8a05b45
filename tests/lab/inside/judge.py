"""What one picture shows: the composite, one of camdaemon's cards, or the room, which is forbidden."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from camdaemon.frames import card as cards
from camdaemon.frames.frame import Size

BACKDROP = (32, 160, 96)  # RGB, of the lab's daemon
ROOM, COMPOSITE, STRANGE = "ROOM", "composite", "strange"
_CORNER = 20  # pixels along a side; the figure reaches neither upper corner
_RIM = 0.012  # share of marker pixels that the rim of a figure may have; the whole room has 0.25 and more
_CARDS = {
    "card:starting": cards.STARTING,
    "card:off": cards.OFF,
    "card:standby": cards.STANDBY,
    "card:lost": cards.LOST,
    "card:no matte": cards.NO_MATTE,
    "card:no plate": cards.NO_PLATE,
    "card:fault": cards.FAULT,
    "card:taking": cards.TAKING,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a picture shows."""

    word: str  # COMPOSITE, ROOM, STRANGE or 'card:…'
    marked: float  # share of pixels in the room's marker color, 0..1


class Judge:
    """Judges pictures of one size. For one thread."""

    def __init__(self, size: Size, backdrop: tuple[int, int, int] = BACKDROP) -> None:
        self._backdrop = np.array(backdrop)
        self._cards = {name: _halve(picture) for name, picture in _draw_cards(size)}

    def __call__(self, rgb: np.ndarray) -> Verdict:
        """Judge a picture (H,W,3) uint8 RGB."""
        share = marked_share(rgb)
        left, right = rgb[:_CORNER, :_CORNER], rgb[:_CORNER, -_CORNER:]
        if share > _RIM or marked_share(left) + marked_share(right) > 0:
            return Verdict(ROOM, share)
        if all(np.abs(corner.mean((0, 1)) - self._backdrop).max() < 14 for corner in (left, right)):
            return Verdict(COMPOSITE, share)
        small = _halve(rgb).astype(np.int16)
        off = {name: float(np.abs(small - card).mean()) for name, card in self._cards.items()}
        nearest = min(off, key=lambda name: off[name])
        return Verdict(nearest if off[nearest] < 4 else STRANGE, share)


def marked_share(rgb: np.ndarray) -> float:
    """Return the share of pixels near the marker's color, also where it is mixed half and half with another color."""
    red, green, blue = cv2.split(rgb)
    return float((cv2.subtract(cv2.min(red, blue), green) > 90).mean())


def _draw_cards(size: Size) -> list[tuple[str, np.ndarray]]:
    return [(name, cards.draw(card, size)) for name, card in _CARDS.items()]


def _halve(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.resize(rgb, None, fx=1 / 2, fy=1 / 2, interpolation=cv2.INTER_AREA), np.uint8)
