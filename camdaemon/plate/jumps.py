"""Which frames to hold back: broken pictures, and the first ones after the camera was moved.

What the matte calls the person and was not there a moment ago: is it a person, or a broken picture?

A camera's frame can lose rows on its way over USB, or be overwritten while it is read. Much of the room is then where
it never was, or in other colors, and the matte calls that the person. A broken frame comes alone, or the next one is
broken elsewhere; a person who comes in quickly is still there, looking the same. So a frame in which much appears at
once is held back until two more confirm it.

A plate that fitted and all at once explains nothing lies elsewhere, most likely: the camera was bumped, or its lid
turned. The network alone may call a window a person then. So viewers see the frame before for a moment, in which the
plate is found again (see `keeper`).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from camdaemon.plate.light import Floats
from camdaemon.plate.parts import Mask
from camdaemon.plate.survey import Survey

_SUDDEN = 0.03  # of the picture, far from what was there; less is a hand, a chair that turns
_GROWTH = 0.05  # of the picture, by which all that is there may grow between two frames
_SPEED = 1.0  # picture widths per second: as fast as the outline of a person moves
_REACH = 3  # blocks that it may move between any two frames
_SAME = 0.04  # of full brightness: the median change of what appeared, while it is the same thing
_CONFIRMATIONS = 2  # frames in a row, after the one that is held back; a cable may spoil two that are alike
# Somebody who moves fast looks different in each frame, and is believed after these:
_PATIENCE_FRAMES = 3  # held back at least, as the first frames of a camera come slowly
_PATIENCE_S, _LIMIT_S = 0.3, 1.0  # where the place at least hardly changes; whatever it looks like
_GAP_S = 2.0  # between two frames; after a longer one anything may be in the picture
_SETTLED_S = 1.0  # for so long a plate has fitted, so that a loss is worth a pause
_SEARCH_FRAMES, _SEARCH_S = 2, 0.25  # held back at least, then all until so long after the loss


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """One frame: where its matte sees anything but the room, (rows, columns), the colors there, and its time."""

    visible: Mask
    colors: Floats
    t: float


class JumpGuard:
    """Tells which frames to hold back. For the worker alone."""

    def __init__(self) -> None:
        self._accepted: _Look | None = None
        self._held: _Look | None = None  # the last one, if it was held back
        self._count = self._alike = 0  # of those held back in a row: all, and the last that look like the one before
        self._since = 0.0  # when the first of those held back in a row was taken

    def hold_back(self, survey: Survey, t: float) -> bool:
        """Judge the surveyed frame of time `t`, in seconds; return whether it must wait until others confirm it."""
        look = _Look(~survey.room, survey.now / survey.gain, t)
        before = self._accepted
        if before is None or before.visible.shape != look.visible.shape or not 0 <= t - before.t <= _GAP_S:
            before = _Look(np.zeros_like(look.visible), look.colors, t)
        if _is_sudden(look, before) and not self._confirm(look, before):
            self._since = t if self._held is None else self._since
            self._held, self._count = look, self._count + 1
            return True
        self._accepted = look
        self._forget_held()
        return False

    def _forget_held(self) -> None:
        self._held, self._count, self._alike = None, 0, 0

    def _confirm(self, look: _Look, before: _Look) -> bool:
        """Compare with the frame held back before; return whether enough of them are alike, or were waited for."""
        held = self._held
        if held is None or held.visible.shape != look.visible.shape or look.t < held.t:
            self._forget_held()
            return False
        is_elsewhere = _is_sudden(look, held)
        self._alike = 0 if is_elsewhere or not _is_alike(look, held, before) else self._alike + 1
        if self._alike >= _CONFIRMATIONS:
            return True
        patience = _LIMIT_S if is_elsewhere else _PATIENCE_S
        return self._count >= _PATIENCE_FRAMES and look.t - self._since >= patience


def _is_alike(look: _Look, held: _Look, before: _Look) -> bool:
    """Whether what has appeared since `before` has the same colors in `look` as in `held`."""
    both = look.visible & held.visible & ~before.visible
    return bool(both.any()) and float(np.median(np.abs(look.colors - held.colors)[both])) <= _SAME


def _is_sudden(look: _Look, before: _Look) -> bool:
    """Whether more is visible in `look` than can have come into the picture since `before`."""
    if float(look.visible.mean() - before.visible.mean()) > _GROWTH:
        return True
    reach = max(_REACH, round(_SPEED * (look.t - before.t) * look.visible.shape[1]))
    near = cv2.dilate(before.visible.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    return float((look.visible & (near == 0)).mean()) > _SUDDEN


class LossGuard:
    """Tells which frames to hold back when a plate that fitted explains nothing any more. For the worker alone."""

    def __init__(self) -> None:
        self._fits_since: float | None = None
        self._lost_at: float | None = None
        self._count = 0  # frames that were held back since

    def hold_back(self, fits: bool, t: float) -> bool:
        """Return whether the frame of time `t`, in seconds, is to wait; `fits` says whether the plate explains it."""
        if fits:
            if self._fits_since is None or self._lost_at is not None or t < self._fits_since:
                self._fits_since, self._lost_at = t, None
            return False
        if self._lost_at is None or t < self._lost_at:
            self._lost_at, self._count = t, 0
        settled = self._fits_since is not None and self._lost_at - self._fits_since >= _SETTLED_S
        if not settled or (self._count >= _SEARCH_FRAMES and t - self._lost_at >= _SEARCH_S):
            return False
        self._count += 1
        return True
