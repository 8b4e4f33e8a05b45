"""The privacy card: what viewers see whenever there is no safe composite. Drawn on the host, without accelerator.

A card never tells viewers what to type, nor what is wrong with the user's machine or room. That is for the user alone,
in `Card.reason`, which status, panel and log show and nothing draws.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.frames import color
from camdaemon.frames.frame import Content, HostFrame, PixelFormat, Size
from camdaemon.frames.picture import Picture

_TOP, _BOTTOM = (38, 50, 64), (18, 24, 34)  # RGB, a calm dark gradient
_INK, _SOFT = (240, 244, 248), (150, 166, 184)
_FONT = cv2.FONT_HERSHEY_DUPLEX


@dataclass(frozen=True, slots=True)
class Card:
    """What a card says to viewers, in ASCII, and why it shows, for the user. Two that look the same are equal."""

    title: str  # what is going on
    hint: str = ""  # what viewers may expect, in one line or more
    big: str = ""  # counts down
    leaving: bool = False  # the symbol: a person who steps out of the picture, instead of a camera that is off
    reason: str = field(default="", compare=False)  # for the user: what the matter is and what to do; never drawn


STARTING = Card("Starting", "one moment", reason="the camera starts")
OFF = Card("Camera off")
STANDBY = Card("Standing by", "the camera starts with the first viewer", reason="nobody watches, the camera is off")
LOST = Card("Camera lost", "looking for it again", reason="the camera is lost and is looked for. Run: camdaemon doctor")
NO_MATTE = Card("One moment")
FAULT = Card("Camera off", "interrupted", reason="camdaemon stopped by a fault. Run: journalctl --user -u camdaemon")
TAKING = Card("Photographing the empty room", "hold on")


def make_invitation(how: str) -> Card:
    """Make the card for a camera without a plate, the first one that most people see.

    Args:
        how: For the user alone: the key to press or the command to type, in a few words.
    """
    reason = f"there is no plate, the photo of your empty room. To take it, {how}, then step out of the picture"
    return Card("Not ready yet", "please wait", leaving=True, reason=reason)


NO_PLATE = make_invitation("type: camdaemon plate")


def draw(card: Card, size: Size) -> Picture:
    """Draw `card` as uint8 (H,W,3) RGB. Sizes follow the shorter side, so that it looks the same at any resolution."""
    ramp = np.linspace(0, 1, size.height)[:, None, None]
    rgb = np.ascontiguousarray(
        np.broadcast_to(np.array(_TOP) * (1 - ramp) + np.array(_BOTTOM) * ramp, (size.height, size.width, 3)), np.uint8
    )
    unit = min(size.height, size.width * 9 / 16) / 720
    center = size.height / 2
    if card.big:
        _write(rgb, card.big, center - 60 * unit, 5 * unit, _INK)
    else:
        symbol = _draw_leaving if card.leaving else _draw_camera
        symbol(rgb, (size.width / 2, center - 105 * unit), unit)
    _write(rgb, card.title, center + 70 * unit, 1.9 * unit, _INK)
    for row, line in enumerate(card.hint.split("\n")):
        _write(rgb, line, center + (140 + 50 * row) * unit, 1.25 * unit, _SOFT)
    return rgb


def _write(rgb: Picture, text: str, y: float, scale: float, ink: tuple[int, int, int]) -> None:
    """Write `text` centerd about row `y`, smaller where it would not fit into 90 % of the width."""
    if not text:
        return
    while True:  # in steps, since a font has sizes of whole pixels
        thick = max(1, round(1.6 * scale))
        (width, height), _ = cv2.getTextSize(text, _FONT, scale, thick)
        if width <= 0.9 * rgb.shape[1]:
            break
        if scale < 0.02:
            return  # too small to be read
        scale *= 0.95
    at = (round((rgb.shape[1] - width) / 2), round(y + height / 2))
    cv2.putText(rgb, text, at, _FONT, scale, ink, thick, cv2.LINE_AA)


def _draw_camera(rgb: Picture, center: tuple[float, float], unit: float) -> None:
    """Draw a small camera, crossed out."""
    x, y = center

    def at(dx: float, dy: float) -> tuple[int, int]:
        return round(x + dx * unit), round(y + dy * unit)

    line = max(1, round(7 * unit))
    cv2.rectangle(rgb, at(-75, -45), at(35, 45), _SOFT, line, cv2.LINE_AA)
    lens = np.array([at(50, -12), at(85, -38), at(85, 38), at(50, 12)], np.int32)
    cv2.polylines(rgb, [lens], True, _SOFT, line, cv2.LINE_AA)
    cv2.line(rgb, at(-95, 65), at(95, -65), _BOTTOM, 3 * line, cv2.LINE_AA)
    cv2.line(rgb, at(-95, 65), at(95, -65), _INK, line, cv2.LINE_AA)


def _draw_leaving(rgb: Picture, center: tuple[float, float], unit: float) -> None:
    """Draw a picture frame, and a person who has just stepped out of it to the right."""
    x, y = center

    def at(dx: float, dy: float) -> tuple[int, int]:
        return round(x + dx * unit), round(y + dy * unit)

    line = max(1, round(7 * unit))
    cv2.rectangle(rgb, at(-130, -75), at(50, 60), _SOFT, line, cv2.LINE_AA)
    cv2.arrowedLine(rgb, at(-40, -5), at(75, -5), _INK, line, cv2.LINE_AA, tipLength=0.22)
    cv2.circle(rgb, at(115, -42), max(1, round(22 * unit)), _INK, -1, cv2.LINE_AA)
    cv2.ellipse(rgb, at(115, 60), (round(36 * unit), round(72 * unit)), 0, 180, 360, _INK, -1, cv2.LINE_AA)


class CardCache:
    """Cards in the format of one sink, each drawn once. Any thread; never touches the accelerator.

    Args:
        fmt: Pixel format of the sink.
        size: Of the frames that cards are copied into.
    """

    def __init__(self, fmt: PixelFormat, size: Size) -> None:
        self._fmt, self._size = fmt, size
        self._lock = threading.Lock()
        self._drawn: dict[Card, NDArray[np.uint8]] = {}

    def copy_to(self, card: Card, into: HostFrame) -> None:
        """Copy `card` into the frame `into` and mark it as that card; its `seq` and `t` stay."""
        with self._lock:
            if card not in self._drawn:
                if len(self._drawn) >= 16:  # countdowns and figures: each makes a card of its own
                    self._drawn.clear()
                picture = np.empty(self._fmt.shape(self._size), np.uint8)
                color.rgb_to_host(draw(card, self._size), self._fmt, picture)
                self._drawn[card] = picture
            into.data[:] = self._drawn[card]
        into.content, into.matte_seq, into.card = Content.CARD, None, card
