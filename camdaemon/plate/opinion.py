"""A second opinion of what is the person: the network's, told of no plate at all.

A plate that is known in parts misleads: what lies unknown beside somebody looks like a part of them. So where a matte
by the plate is not sure, and the network sees the room when it is asked without a plate, the room may be learned.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from camdaemon.plate.learn import find_covered
from camdaemon.plate.parts import Mask

_PAUSE_S = 2.0  # between two looks, which cost as much as a frame each
_LEAST = 0.002  # of the picture; for fewer blocks nobody is asked
_SURE_S = 10.0  # after which a block that was called a person may be asked about again


class SecondOpinion:
    """Remembers in which blocks the last look has shown the room. For the worker alone."""

    def __init__(self) -> None:
        self._room: Mask = np.zeros((0, 0), bool)  # in the last look
        self._person: NDArray[np.float64] = np.zeros((0, 0))  # when each block was called a person
        self._last = -np.inf

    def is_due(self, suspects: Mask, t: float) -> bool:
        """Whether the network should be asked, in a frame of time `t`, about blocks that may be no person."""
        if 0 <= t - self._last < _PAUSE_S:
            return False
        if self._room.shape == suspects.shape and t >= self._last:
            suspects = suspects & (t - self._person >= _SURE_S)
        return float(suspects.mean()) >= _LEAST

    def record(self, room: Mask, t: float) -> None:
        """Record a look at a frame of time `t`, which has shown the room in these blocks."""
        if self._room.shape != room.shape or t < self._last:
            self._person = np.full(room.shape, -np.inf)
        self._room = ~find_covered(~room)
        self._person[~room] = t
        self._last = t

    def overrules(self, visible: Mask) -> Mask:
        """Return which of the blocks that a matte sees somebody in are the room after all."""
        return visible & self._room if self._room.shape == visible.shape else np.zeros_like(visible)

    def forget(self) -> None:
        """Begin again: the camera looks elsewhere."""
        self._room, self._last = np.zeros((0, 0), bool), -np.inf
