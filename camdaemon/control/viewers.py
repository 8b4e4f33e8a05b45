"""What viewers see, in words: for status, panel, badge, status line and the answers of the commands.

Made of nothing but what the output thread has written last, so that all of them say the same, and what is so.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from camdaemon.frames import card as cards
from camdaemon.frames.card import Card
from camdaemon.pipeline.published import Kind, Published

_RECENT_S = 1.0  # what is said is what was written within this time

RAW = "Viewers see the raw camera, your room included. Back with: camdaemon mode matte"


class View(NamedTuple):
    """What viewers see."""

    state: str  # 'live', 'unsteady', 'paused', 'card', 'passthrough' or 'unknown'
    badge: str  # in a word
    sentence: str  # for people
    reason: str = ""  # why it is a card, for the user


def describe_view(last: Published, now: float | None = None) -> View:
    """Describe what viewers see at `now` (monotonic seconds, by default this moment). Any thread."""
    now = time.monotonic() if now is None else now
    if last.count == 0:
        return View("unknown", "Starting", "Viewers see nothing yet.")
    if last.kind is Kind.NOTHING:
        reason = "the virtual camera is lost and is looked for"
        return View("unknown", "Nothing", f"Viewers see nothing new: {reason}. Run: camdaemon doctor", reason)
    view = _describe_kind(last)
    if now - last.at > _RECENT_S:
        reason = f"nothing was written for {now - last.at:.0f} s"
        return View("unknown", "Stuck", f"What viewers see stands still: {reason}. Last: {view.sentence}", reason)
    flickers = {last.kind, last.previous} == {Kind.COMPOSITE, Kind.CARD} and now - last.left_at < _RECENT_S
    if flickers and last.card == cards.NO_MATTE:
        sentence = f"Viewers see you and a card by turns{_because(last.card.reason)}"
        return View("unsteady", "Unsteady", sentence, last.card.reason)
    return view


def _describe_kind(last: Published) -> View:
    match last.kind:
        case Kind.CARD:
            card = last.card or cards.NO_MATTE
            return View("card", "Card", _name_card(card) + _because(card.reason), card.reason)
        case Kind.FROZEN:
            return View("paused", "Paused", "Viewers see a still picture of you. To go on: camdaemon pause off")
        case Kind.PASSTHROUGH:
            return View("passthrough", "Passthrough", RAW)
        case _:
            return View("live", "Live", f"Viewers see you in front of {_name_backdrop(last.backdrop)}.")


def _name_card(card: Card) -> str:
    if card == cards.OFF:
        return "Viewers see the privacy card"
    if card.title == cards.TAKING.title:
        return "Viewers see the countdown card until the plate is taken"
    return f"Viewers see the card “{card.title}”"


def _because(reason: str) -> str:
    """Return the end of a sentence; after a command no full stop, which would be copied with it."""
    return f": {reason}{'' if 'Run: ' in reason or 'type: ' in reason else '.'}" if reason else "."


def _name_backdrop(spec: str) -> str:
    if spec.partition(":")[0] == "blur":
        return "your room, blurred"
    if spec.startswith("color:"):
        return "one color"
    return "your empty room" if spec == "plate" else spec.rpartition("/")[2]
