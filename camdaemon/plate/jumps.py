"""What the matte calls the person and was not there a moment ago: is it a person, or a broken picture?

A camera's frame can lose rows on its way over USB, or be overwritten while it is read. Much of the room is then where
it never was, or in other colors, and the matte calls that the person. A broken frame comes alone and the next one
looks different; a person who comes in quickly is still there, looking the same. So a frame in which much appears at
once is held back until the next one confirms it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from camdaemon.plate.align import Floats, Mask
from camdaemon.plate.match import Survey

_SUDDEN = 0.03  # of the picture; less that appears is a hand, a chair that turns
_SPEED = 1.0  # picture widths per second: as fast as the outline of a person moves
_REACH = 3  # blocks that it may move between any two frames
_SAME = 0.04  # of full brightness: the median change of what appeared, while it is the same thing
_PATIENCE_S = 0.3  # after which it is believed whatever it looks like: somebody who moves fast, not a broken frame
_GAP_S = 2.0  # between two frames; after a longer one anything may be in the picture


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
        self._since = 0.0  # when the first of those held back in a row was taken

    def needs_confirmation(self, survey: Survey, t: float) -> bool:
        """Whether the surveyed frame of time `t`, in seconds, is to be held back until another one confirms it."""
        look = _Look(~survey.room, survey.now / survey.gain, t)
        appeared = _find_new(look, self._accepted)
        if float(appeared.mean()) > _SUDDEN and not self._is_confirmed(look, appeared):
            self._since = t if self._held is None else self._since
            self._held = look
            return True
        self._accepted, self._held = look, None
        return False

    def _is_confirmed(self, look: _Look, appeared: Mask) -> bool:
        """Whether the frame held back before shows the same, or waiting has been long enough."""
        held = self._held
        if held is None or held.visible.shape != appeared.shape or look.t < held.t:
            self._held = None
            return False
        if look.t - self._since >= _PATIENCE_S:
            return True
        both = appeared & held.visible
        if float(_find_new(look, held).mean()) > _SUDDEN or not both.any():
            return False
        return float(np.median(np.abs(look.colors - held.colors)[both])) <= _SAME


def _find_new(look: _Look, before: _Look | None) -> Mask:
    """Return the blocks of `look` that are visible, and farther from what was visible `before` than a person moves."""
    if before is None or before.visible.shape != look.visible.shape or not 0 <= look.t - before.t <= _GAP_S:
        return look.visible
    columns = look.visible.shape[1]
    reach = max(_REACH, round(_SPEED * (look.t - before.t) * columns))
    near = cv2.dilate(before.visible.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    return np.asarray(look.visible & (near == 0))
