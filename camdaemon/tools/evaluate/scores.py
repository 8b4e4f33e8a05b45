"""The figures of one matting on one set of pictures or on one clip, and what they come to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from camdaemon.tools.evaluate.metrics import Alpha, Figures, Mask, find_leaks, holes, leak

_MUCH = 10  # percent of the room


@dataclass(slots=True)
class MattingScores:
    """The scores of one matting on one set.

    Attributes:
        on: Name of the set.
        matting: Name of the matting.
        cases: The figures of each picture or frame, by its name.
        fault: What is wrong with the plate; '' if nothing is by intention.
        ever: Of a clip, the share of the room that leaked in any frame, in percent; of several, their mean; else NaN.
        benchmark: Of a published test set: 'photos' or 'clips', for the table of its paper; else ''.
    """

    on: str
    matting: str
    cases: dict[str, Figures] = field(default_factory=dict)
    fault: str = ""
    ever: float = math.nan
    benchmark: str = ""

    def add(self, case: str, figures: Figures) -> None:
        """Add figures of a case."""
        self.cases.setdefault(case, {}).update(figures)

    def values(self, name: str) -> list[float]:
        """Return the figure of every case that has it."""
        return [figures[name] for figures in self.cases.values() if math.isfinite(figures.get(name, math.nan))]

    def means(self) -> Figures:
        """Return the mean of each figure over the cases that have it."""
        names = dict.fromkeys(name for figures in self.cases.values() for name in figures)
        return {name: sum(found) / len(found) if (found := self.values(name)) else math.nan for name in names}

    def leaks(self) -> Figures:
        """Return how much of the room viewers see, and how often.

        Returns:
            In percent: 'mean', 'p99' and 'worst' of the pictures; '>10 %', the share of pictures of which more
            leaks; 'ever'. And 'cards': how many pictures would be a card, which are not in the other figures.
        """
        found = self.values("leak")
        told = {"mean": math.nan, "p99": math.nan, "worst": math.nan, ">10 %": math.nan}
        if found:
            told["mean"], told["p99"], told["worst"] = sum(found) / len(found), np.percentile(found, 99), max(found)
            told[">10 %"] = 100 * sum(value > _MUCH for value in found) / len(found)
        return {name: float(value) for name, value in told.items()} | {
            "ever": self.ever,
            "cards": sum(self.values("card")),
        }


def look(alpha: Alpha, truth: Alpha, room: Mask, *, card: bool = False) -> Figures:
    """Return what viewers see that they should not, and the reverse.

    Args:
        alpha: As it is published.
        truth: The true one.
        room: Where there is surely the room.
        card: Whether the picture would be a card instead, so that nobody sees any of it.
    """
    shown = {} if card else {"leak": leak(alpha, room), "holes": holes(alpha, truth)}
    return shown | {"card": float(card)}


class LeakedRoom:
    """Which of a clip's room has leaked in any of its frames.

    Args:
        shape: Height and width of the frames.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._room, self._leaked = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)

    def add(self, alpha: Alpha, room: Mask) -> float:
        """Add a frame; returns the share of the room so far that has leaked, in percent; NaN without a room."""
        self._room |= room
        self._leaked |= find_leaks(alpha, room)
        return leak(self._leaked.astype(np.float32), self._room)
