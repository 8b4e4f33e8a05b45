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
_CHANGE = 0.04  # of full brightness; a shadow beside a person changes a block by less, a person by more
_SAMPLES, _PAUSE_S = 4, 0.06  # frames whose mean is learned, and between two of them
_NEAR = 1  # blocks beside what is visible in which nothing is learned: faint hair, a hand that comes out
_PERSON = 0.004  # of the picture; below a piece so large nothing is learned: it is the person's body, desk and chair
_STEADY_S = 1.0  # after the light has changed at once
_JUMP = 0.03  # relative change of the gain between two frames
_DARK, _BRIGHT = 0.02, 0.98  # of full brightness: what is black or white in all channels says nothing
_LEAST = 0.001  # of the picture; fewer blocks are not worth another plate
_REST_S = 2.0  # after something was learned: another plate costs as much as a frame
_REFUSED_S = 10.0  # after which a block that the network calls a person may be looked at again
_BESIDE_S = 3.0  # the same for one beside such a block


class Learned(NamedTuple):
    """What can be learned: a picture (H,W,3) in the camera's light, and which blocks of it."""

    picture: Picture
    blocks: Mask


class PlateLearner:
    """Watches blocks, and collects frames for those that can be learned. For the worker alone."""

    def __init__(self) -> None:
        self._since: NDArray[np.float64] = np.zeros((0, 0))  # when each block began to show the room, unchanged
        self._colors: Floats = np.zeros((0, 0, 3), np.float32)  # what each block looked like then
        self._refused_until: NDArray[np.float64] = np.zeros((0, 0))
        self._is_empty = False  # nobody was visible in the last frame
        self._gain: Floats | None = None
        self._steady_since = -np.inf
        self._last = -np.inf
        self._now: Floats = np.zeros((0, 0, 3), np.float32)
        self._samples: list[Picture] = []  # the last ones, in a ring
        self._sampled = -np.inf
        self._next = 0  # where in the ring the next sample goes
        self._counts: NDArray[np.int64] = np.zeros((0, 0), np.int64)  # how many of the last samples show each block
        self._rests_until = -np.inf

    def observe(self, now: Floats, gain: Floats, person: Mask, t: float) -> None:
        """Look at a frame.

        Args:
            now: Means of its blocks, (rows,columns,3), 0..1.
            gain: Of the plate, (3,).
            person: Blocks in which viewers see anything of its matte.
            t: Time of the frame in seconds.
        """
        colors = now / gain
        if self._since.shape != person.shape or not 0 <= t - self._last < 1.0:
            self._since, self._colors = np.full(person.shape, t), colors.copy()
            self._refused_until = np.full(person.shape, -np.inf)
            self._gain, self._steady_since = None, -np.inf
            self.forget()
        is_empty = not person.any()
        if is_empty and not self._is_empty:  # everybody has stepped out: the best moment there is
            self._refused_until[:] = -np.inf
        self._is_empty = is_empty
        if self._gain is not None and bool((np.abs(gain / self._gain - 1) > _JUMP).any()):
            self._steady_since = t
        self._gain, self._last, self._now = gain, t, now
        begins = find_covered(person) | (_find_highest(np.abs(colors - self._colors)) > _CHANGE)
        self._since[begins], self._colors[begins] = t, colors[begins]

    def forget(self) -> None:
        """Begin again to collect: the plate lies in another place."""
        self._counts = np.zeros(self._since.shape, np.int64)
        self._rests_until = -np.inf

    def collect(self, download: Callable[[], Picture], wanted: Mask) -> Learned | None:
        """Add the frame observed last to those that are collected for `wanted` blocks.

        Args:
            download: Returns the frame, uint8 (H,W,3); called only where it is needed.
            wanted: (rows,columns).

        Returns:
            What can be learned, once there are enough frames.
        """
        ready = self._find_ready(wanted)
        self._counts[~ready] = 0
        if float(ready.mean()) < _LEAST or 0 <= self._last - self._sampled < _PAUSE_S:
            return None
        self._sample(download())
        self._counts[ready] += 1
        blocks = self._counts >= _SAMPLES
        if self._last < self._rests_until or float(blocks.mean()) < _LEAST:
            return None
        self._counts[blocks] = 0
        self._rests_until = self._last + _REST_S
        total = np.zeros(self._samples[0].shape, np.uint16)
        for sample in self._samples:
            cv2.add(total, sample, dst=total, dtype=cv2.CV_16U)
        return Learned(np.asarray(cv2.convertScaleAbs(total, alpha=1 / _SAMPLES), np.uint8), blocks)

    def _find_ready(self, wanted: Mask) -> Mask:
        """Return which of the `wanted` blocks have shown the room, unchanged, for long enough."""
        if self._last - self._steady_since < _STEADY_S or not wanted.any():
            return np.zeros_like(wanted)
        ready = wanted & (self._last - self._since >= _STILL_S) & (self._last >= self._refused_until)
        return np.asarray(ready & (_find_highest(self._now) > _DARK) & (_find_highest(-self._now) > -_BRIGHT))

    def _sample(self, picture: Picture) -> None:
        """Keep a copy of `picture` in the stead of the oldest."""
        if len(self._samples) < _SAMPLES or self._samples[0].shape != picture.shape:
            self._samples, self._next = [picture.copy() for _ in range(_SAMPLES)], 0
        np.copyto(self._samples[self._next], picture)
        self._next, self._sampled = (self._next + 1) % _SAMPLES, self._last

    def refuse(self, person: Mask, beside: Mask) -> None:
        """Note blocks that are not to be learned for a while: the network sees a person there, or beside them."""
        self._refused_until[beside] = self._last + _BESIDE_S
        self._refused_until[person] = self._last + _REFUSED_S


def _find_highest(values: Floats) -> Floats:
    """Return the highest of the three values of each block, (rows,columns)."""
    return np.asarray(np.maximum(np.maximum(values[..., 0], values[..., 1]), values[..., 2]))


def find_covered(person: Mask) -> Mask:
    """Return the blocks in which a person is or may be: near what is visible, and below the body."""
    cover = person.astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(cover, connectivity=8)
    large = np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= _PERSON * person.size) + 1
    near = cv2.dilate(cover, np.ones((2 * _NEAR + 1, 2 * _NEAR + 1), np.uint8)) > 0
    body = cv2.dilate(np.isin(labels, large).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.asarray(near | (np.maximum.accumulate(body, axis=0)))
