"""Parts of alpha that are no person: above all what has stood still for seconds, loose or in an upper corner.

A chair that was moved, a bag that somebody put down: the plate does not know them, so the network calls them the
person. A person moves, if only a little; so does a hand that is raised, and whoever looks in at the side.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.frames import pixels
from camdaemon.frames.pixels import Array
from camdaemon.plate.light import Floats
from camdaemon.plate.parts import Mask, spread
from camdaemon.plate.survey import Survey

_STILL_S = 3.0  # for so long a piece must not have changed
_MOVED = 0.02  # of full brightness: noise of a block stays below, an edge that moves by a pixel does not
_FOLLOW_S = 2.0  # in which a slow drift of the light is followed: it is no movement
_DOUBTFUL = (0.25, 0.55)  # alpha between that of room beside a person and that of a person's edge
_GAP_S = 1.0  # between two frames; after a longer one nobody knows what stood still


class StillPieces:
    """Finds them, block by block. For the worker alone.

    A piece is a connected region of blocks in which any alpha is visible. The largest that reaches the lower edge is
    the person's; only a corner makes that one suspicious.

    Attributes:
        since: When each block changed last, seconds of the frames' `t`.
    """

    def __init__(self) -> None:
        self._seen: Floats | None = None  # the blocks as they were when they changed last
        self.since = np.zeros((0, 0))
        self._last = 0.0

    def find(self, survey: Survey, t: float) -> Mask | None:
        """Return the blocks, (rows, columns), whose alpha is to be 0 in the surveyed frame of time `t`; None: none."""
        self._watch(survey.now / survey.gain, t)
        visible = ~survey.room
        hidden = np.zeros_like(visible)
        for piece in _list_suspects(visible):
            if self.since[piece].max() <= t - _STILL_S:
                hidden |= piece
        if not hidden.any():
            return None
        wide = cv2.dilate(hidden.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0  # its faint rim
        return np.asarray(wide & ~(visible & ~hidden))

    def _watch(self, now: Floats, t: float) -> None:
        """Note which blocks have changed; `now` is free of the light's changes."""
        if self._seen is None or self._seen.shape != now.shape or not 0 <= t - self._last <= _GAP_S:
            self._seen, self.since = now.copy(), np.full(now.shape[:2], t)
        changed = (np.abs(now - self._seen) > _MOVED).any(2)
        self._seen += (1 - math.exp((self._last - t) / _FOLLOW_S)) * (now - self._seen)
        self._seen[changed], self.since[changed] = now[changed], t
        self._last = t


def _list_suspects(visible: Mask) -> list[Mask]:
    """Return the pieces that are loose or touch an upper corner, each as a map of blocks."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(visible.astype(np.uint8), connectivity=8)
    if count <= 1:
        return []
    sizes = stats[:, cv2.CC_STAT_AREA].astype(float)
    sizes[0] = 0
    standing = np.isin(np.arange(count), labels[-1])  # reaches the lower edge
    person = int(np.argmax(np.where(standing, sizes, sizes / labels.size)))
    corners = {int(label) for label in (*labels[:2, :2].flat, *labels[:2, -2:].flat)}
    return [labels == label for label in range(1, count) if label != person or label in corners]


def hide(alpha: Array, blocks: Mask, side: int) -> Array:
    """Return alpha (1,1,H,W), bytes or floats, with 0 in `blocks` of `side` pixels."""
    hidden = pixels.to_kind_of(alpha, spread(blocks, alpha.shape[2:], side))
    if not pixels.is_host(alpha):
        return alpha.masked_fill(pixels.as_tensor(hidden), 0)
    return np.where(hidden, alpha.dtype.type(0), alpha)


def restrain(alpha: Array, known: Array | None, side: int) -> Array:
    """Return alpha without what the matte is not sure of where nothing is known of the room.

    There a network calls some of the room beside a person half a person. What is more than half one stays.

    Args:
        alpha: (1,1,H,W), bytes or floats.
        known: How far the plate was trusted, (1,1,rows,columns), 0..1; None: everywhere.
        side: Of a block, in pixels.
    """
    if known is None:
        return alpha
    unknown = spread(pixels.to_host(known)[0, 0] == 0, alpha.shape[2:], side)
    if not pixels.is_host(alpha) or alpha.dtype != np.uint8:  # what is no number stays none
        found: Array = pixels.namespace(alpha).where(pixels.to_kind_of(alpha, unknown), alpha * _weigh(alpha), alpha)
        return found
    low = pixels.interleave(alpha).copy()
    cv2.copyTo(cv2.LUT(low, _RESTRAINED), unknown.astype(np.uint8), dst=low)
    return pixels.as_planes(low)


def _weigh(alpha: Any) -> Any:
    """Return what is left of alpha where it is doubtful: nothing up to the lower limit, all from the upper one on."""
    low, high = _DOUBTFUL
    share = ((alpha - low) / (high - low)).clip(0, 1)
    return share * share * (3 - 2 * share)


def close_margins(alpha: Array, inside: Mask, side: int) -> Array:
    """Return alpha (1,1,H,W) without what begins at the picture's edge where the plate knows nothing.

    A person who reaches into such a margin is visible at its inner edge as well; what is not is the room.

    Args:
        alpha: Of the frame.
        inside: Blocks that the plate knows, (rows, columns).
        side: Of a block, in pixels.
    """
    for axis in (3, 2):
        known: Mask = np.asarray(inside.any(axis=3 - axis))  # lines of blocks, across or down
        if known.all() or not known.any():
            continue
        first, last = (int(at) for at in np.flatnonzero(known)[[0, -1]])
        end, length = (last + 1) * side, alpha.shape[axis]
        if first:
            alpha = _close(alpha, axis, slice(0, first * side), first * side)
        if last + 1 < len(known):
            alpha = _close(alpha, axis, slice(end, length), end - 1)
    return alpha


def _close(alpha: Array, axis: int, margin: slice, inner: int) -> Array:
    """Return alpha that is nowhere in `margin`, lines of pixels, higher than in the line `inner`."""
    found = alpha.copy() if pixels.is_host(alpha) else alpha.clone()
    after = () if axis == 3 else (slice(None),)
    edge, at = alpha[(..., slice(inner, inner + 1), *after)], (..., margin, *after)
    found[at] = pixels.namespace(alpha).minimum(found[at], edge)
    return found


_LEVELS = np.arange(256, dtype=np.float32) / 255
_RESTRAINED: NDArray[np.uint8] = (255 * _LEVELS * _weigh(_LEVELS) + 0.5).astype(np.uint8)  # of each level of alpha
