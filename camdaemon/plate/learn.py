"""Learning parts of the plate from frames with somebody in them: what is surely room, and stands still.

Conservative, as ViBe is (Barnich and Van Droogenbroeck 2011): nothing is learned where a person is or may be, and what
is known already is left alone. A block is learned where the confidence is 0, every frame's own matte of the last second
saw the room, it did not change, and the network sees the room there without being told of any plate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.frames.picture import Picture
from camdaemon.plate.light import Floats
from camdaemon.plate.parts import Mask

_STILL_S = 0.7  # for so long a block must have shown the room, unchanged
_SAMPLES, _PAUSE_S = 6, 0.06  # frames whose mean is learned, and between two of them
_NEAR = 1  # blocks beside what is visible in which nothing is learned: faint hair, a hand that comes out
_PERSON = 0.004  # of the picture; below a piece so large nothing is learned: it is the person's body, desk and chair
_STEADY_S = 1.0  # after the light has changed at once
_JUMP = 0.03  # relative change of the gain between two frames
_DARK, _BRIGHT = 0.02, 0.98  # of full brightness: what is black or white in all channels says nothing
_LEAST = 0.002  # of the picture; fewer blocks are not worth another plate
_REST_S = 2.0  # after something was learned: another plate costs as much as a frame
_REFUSED_S = 10.0  # after which a block that the network calls a person may be looked at again


class Learned(NamedTuple):
    """What can be learned: a picture (H,W,3) in the camera's light, and which blocks of it."""

    picture: Picture
    blocks: Mask


class PlateLearner:
    """Watches blocks, and collects frames for those that can be learned. For the worker alone."""

    def __init__(self) -> None:
        self._room_since: NDArray[np.float64] = np.zeros((0, 0))
        self._refused: NDArray[np.float64] = np.zeros((0, 0))  # when the network called a block a person
        self._gain: Floats | None = None
        self._steady_since = -np.inf
        self._last = -np.inf
        self._batch: Mask | None = None  # blocks that are being collected
        self._sum: NDArray[np.uint16] | None = None
        self._count, self._sampled = 0, -np.inf
        self._rests_until = -np.inf
        self._candidates: Mask | None = None

    def observe(self, now: Floats, gain: Floats, person: Mask, still_since: NDArray[np.float64], t: float) -> None:
        """Look at a frame.

        Args:
            now: Means of its blocks, (rows,columns,3), 0..1.
            gain: Of the plate, (3,).
            person: Blocks in which viewers see anything of its matte.
            still_since: When each block changed last, in seconds of `t`.
            t: Time of the frame.
        """
        if self._room_since.shape != person.shape or not 0 <= t - self._last < 1.0:
            self._room_since, self._refused = np.full(person.shape, t), np.full(person.shape, -np.inf)
            self._gain, self._steady_since = None, -np.inf
            self.forget()
        if not person.any():  # somebody has stepped out: the best moment there is
            self._refused[:] = -np.inf
        if self._gain is not None and bool((np.abs(gain / self._gain - 1) > _JUMP).any()):
            self._steady_since = t
        self._gain, self._last = gain, t
        covered = find_covered(person)
        self._room_since[covered] = t
        ready = ~covered & (t - self._room_since >= _STILL_S) & (t - still_since >= _STILL_S)
        ready &= (now > _DARK).any(2) & (now < _BRIGHT).any(2) & (t - self._refused >= _REFUSED_S)
        self._candidates = ready if t - self._steady_since >= _STEADY_S else None

    def forget(self) -> None:
        """Begin again to collect: the plate lies in another place."""
        self._batch = self._candidates = None
        self._count, self._rests_until = 0, -np.inf

    def collect(self, download: Callable[[], Picture], wanted: Mask) -> Learned | None:
        """Add the frame observed last to those that are collected for `wanted` blocks.

        Args:
            download: Returns the frame, uint8 (H,W,3); called only where it is needed.
            wanted: (rows,columns).

        Returns:
            What can be learned, once there are enough frames.
        """
        ready = None if self._candidates is None else self._candidates & wanted
        if ready is None or (self._batch is None and float(ready.mean()) < _LEAST):
            self._batch = None
            return None
        if self._batch is None:
            if self._last < self._rests_until:
                return None
            self._batch, self._count, self._sampled, self._sum = ready, 0, -np.inf, None
        self._batch = self._batch & ready
        if not self._batch.any():
            self._batch = None
            return None
        if self._last - self._sampled < _PAUSE_S:
            return None
        picture = download()
        if self._sum is None:
            self._sum = np.zeros(picture.shape, np.uint16)
        cv2.add(self._sum, picture, dst=self._sum, dtype=cv2.CV_16U)
        self._count, self._sampled = self._count + 1, self._last
        if self._count < _SAMPLES:
            return None
        mean = np.asarray(cv2.convertScaleAbs(self._sum, alpha=1 / _SAMPLES), np.uint8)
        found, self._batch, self._sum = Learned(mean, self._batch), None, None
        self._rests_until = self._last + _REST_S
        return found

    def refuse(self, blocks: Mask) -> None:
        """Note blocks that are not to be learned for a while: the network sees a person there."""
        self._refused[blocks] = self._last


def find_covered(person: Mask) -> Mask:
    """Return the blocks in which a person is or may be: near what is visible, and below the body."""
    cover = person.astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(cover, connectivity=8)
    large = np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= _PERSON * person.size) + 1
    near = cv2.dilate(cover, np.ones((2 * _NEAR + 1, 2 * _NEAR + 1), np.uint8)) > 0
    body = cv2.dilate(np.isin(labels, large).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.asarray(near | (np.maximum.accumulate(body, axis=0)))
