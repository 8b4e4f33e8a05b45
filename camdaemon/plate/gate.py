"""The gate: a frame that the plate does not explain is not published, or the plate is not trusted with it.

A network that is given the plate of another room, or of this one before the camera was moved, calls much of the room
the person. Where it does see the room, the plate tells: with the right plate hardly a block differs, with a wrong one
a fifth to nearly all of them. A lamp that goes on looks the same at first, so another light is looked for before a
frame is refused (see `light`). Where the camera looks now is looked for between two frames (see `keeper`).

A matting that doubts is told instead which blocks to trust (see `confidence`): then a frame is refused only where a
plate is needed and this one explains nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.errors import PlateMismatch, SuddenChange
from camdaemon.frames import pixels
from camdaemon.frames.pixels import Array
from camdaemon.plate.confidence import PlateConfidence
from camdaemon.plate.jumps import JumpGuard, LossGuard
from camdaemon.plate.light import SOUND, find_differences, find_light, shed
from camdaemon.plate.match import PlateMatcher
from camdaemon.plate.parts import Mask, Plate
from camdaemon.plate.pieces import StillPieces, close_margins, hide
from camdaemon.plate.survey import Survey

_LIMIT = 0.25  # of the room's blocks; more that differ are another room
_FITTED = 0.12  # as much after a fit, which explains by itself some of what is wrong
_ENOUGH = 0.25  # of the picture should be room to judge by; with less of it, as much less may differ
_LEAST = 0.04  # of the picture
_FEW = 0.02  # of the picture: the plate knows too little to be judged as a whole
_RIM, _NEAR = 1, 2  # blocks beside what is visible, and beside the person
_MUCH = 0.005  # of the picture; if more has lost its confidence, the frame's matte is computed once more
_RETRY_S, _RETRY_REFUSED_S = 1.0, 0.25  # until another light is looked for, while frames are shown or refused

_REMEDY = "Point the camera as it was, or take a new plate with: camdaemon plate"


class State(StrEnum):
    """How a plate stands to the frames."""

    UNKNOWN = "unknown"  # no frame was judged yet
    FITS = "fits"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, eq=False)
class Health:
    """How well the plate explains a frame.

    Attributes:
        state: In a word.
        share: Of the blocks that the matte calls room, 0..1: those that differ from the plate.
        differs: Blocks of the whole picture that differ from the plate, (rows, columns); empty before the first frame.
        side: Of a block, in pixels.
        reason: Why the frame is refused, and what to do, for the user; '' when it is not.
    """

    state: State = State.UNKNOWN
    share: float = 0.0
    differs: Mask = field(default_factory=lambda: np.zeros((0, 0), bool))
    side: int = 16
    reason: str = ""


class PlateGate:
    """Judges each frame by the plate and its own matte. For the worker alone, `health` excepted.

    Args:
        refuses: Whether to refuse frames at all. Only a measurement of speed, whose network may have random weights,
            goes on with all of them.
        is_live: Whether the frames come from a camera, which may send broken ones.
        doubts: Whether the matting is told how far to trust the plate.
        needs_plate: Whether a frame is refused that no plate explains. A matting that does not doubt always needs one.

    Attributes:
        health: Of the last frame. Replaced whole, by one reference; any thread may read it.
        needs_plate, doubts: As given.
        trust: How far the plate is trusted, block by block.
        survey: Of the last frame; None before the first.
        hidden: Blocks of that frame in which alpha was taken away, (rows, columns): what stands still is no person.
    """

    def __init__(
        self, *, refuses: bool = True, is_live: bool = False, doubts: bool = False, needs_plate: bool = True
    ) -> None:
        self._refuses, self.doubts = refuses, doubts
        self.needs_plate = needs_plate or not doubts
        self.trust = PlateConfidence()
        self._jumps = JumpGuard() if is_live else None
        self._losses = LossGuard() if is_live else None
        self.health = Health()
        self._pieces = StillPieces()
        self.survey: Survey | None = None
        self.hidden: Mask = np.zeros((0, 0), bool)
        self._inside: Mask = np.zeros((0, 0), bool)  # blocks of which the plate knows anything
        self._next = -math.inf  # when another light may be looked for, in seconds of the frames' `t`
        self._last = -math.inf  # `t` of the last frame

    @property
    def still_since(self) -> NDArray[np.float64]:
        """When each block changed last, in seconds of the frames' `t`."""
        return self._pieces.since

    def confidence(self, plate: Plate, src: Array) -> Array | None:
        """Return how far the matting may trust `plate` in `src`, the frame that comes or is examined; see `Matting`."""
        return self.trust.map_for(plate, src) if self.doubts else None

    def still_holds(self, before: Array | None, plate: Plate, src: Array) -> bool:
        """Return whether `before`, an earlier `confidence`, will do: too little has changed for a second look."""
        return _share_that_differs(before, self.confidence(plate, src)) <= _MUCH

    def examine(self, matcher: PlateMatcher, plate: Plate, src: Array, alpha: Array, t: float) -> bool:
        """Judge a frame, and light the plate as it is where that is needed and possible.

        Args:
            matcher: Has matched `plate` to the frame.
            plate: The plate.
            src: The frame, (1,3,H,W).
            alpha: Of its matte, (1,1,H,W).
            t: Its time in seconds.

        Returns:
            Whether the matte should be computed again, because the plate has lost much of its confidence.

        Raises:
            PlateMismatch: The plate does not explain the frame.
        """
        self.survey = survey = matcher.survey(alpha)
        self._inside = plate.known(survey.room.shape)
        if plate.is_blank:  # there is nothing to judge
            self.health = Health(side=survey.side)
            return False
        health = judge(survey, self._inside)
        if t < self._last or health.share <= SOUND:  # a clip begins again; or nothing is wrong until now
            self._next = t
        self._last = t
        if health.share > SOUND and t >= self._next:
            if self._find_light(matcher, survey, health):
                matcher.match(plate, src)
                self.survey = survey = matcher.survey(alpha)
                health = judge(survey, self._inside)
            else:
                self._next = t + (_RETRY_REFUSED_S if health.reason else _RETRY_S)
        self.health = health
        if health.reason and self._refuses and self.needs_plate:
            raise PlateMismatch(health.reason)
        if not self.doubts:
            return False
        if health.reason:
            return self.trust.refuse(self._inside, t) > _MUCH
        return self._doubt(health, survey, t) > _MUCH

    def _doubt(self, health: Health, survey: Survey, t: float) -> float:
        """Return the share of the picture, 0..1, that has lost its confidence by the frame of time `t`."""
        still_since, visible = self.still_since, (~survey.room).astype(np.uint8)
        if still_since.shape != survey.room.shape:  # the first frame
            still_since = np.full(survey.room.shape, t)
        clear = survey.room & (_widen(visible, _RIM) == 0)  # a matte may miss some of the rim
        body = _widen(_find_largest(visible), _NEAR) > 0
        return self.trust.record(health.differs, clear, self._inside, t, still_since, body)

    def _find_light(self, matcher: PlateMatcher, survey: Survey, health: Health) -> bool:
        """Look for another light that explains what the present one does not; return whether there is one."""
        then, room = matcher.clean_blocks(), survey.room & self._inside
        found = find_light(survey.now, then, room)
        if found is None:
            return False
        share = float(find_differences(survey.now, shed(then, found))[room].mean())
        if share > min(health.share / 2, _FITTED * _weight(room)):
            return False
        matcher.adopt(found)
        return True

    def confirm(self, t: float) -> None:
        """Hold back the frame examined last, of time `t`, if it may be broken, or the camera was moved just now.

        Raises:
            SuddenChange: It is to be left out. The next frames decide.
        """
        if self._losses is not None and self._losses.hold_back(not self.health.reason, t):
            self.trust.revert()
            raise SuddenChange("the plate explains nothing all at once, so the camera may have moved")
        if self._jumps is not None and self.survey is not None and self._jumps.hold_back(self.survey, t):
            self.trust.revert()
            raise SuddenChange("much appeared at once in a single frame, which may be broken")
        self.trust.keep()

    def clean(self, alpha: Array, t: float) -> Array:
        """Return the alpha, (1,1,H,W), of the frame examined last without what is certainly no person.

        That is what stands still, loose or in a corner, and what begins where the moved plate knows nothing. The same
        array where there is nothing of the kind.
        """
        if self.survey is None:
            return alpha
        if not self.doubts:
            alpha = close_margins(alpha, self._inside, self.survey.side)
        still = self._pieces.find(self.survey, t)
        self.hidden = np.zeros_like(self.survey.room) if still is None else still
        return alpha if still is None else hide(alpha, still, self.survey.side)


def _widen(blocks: NDArray[np.uint8], by: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.dilate(blocks, np.ones((2 * by + 1, 2 * by + 1), np.uint8)), np.uint8)


def _find_largest(blocks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the largest connected piece of `blocks`, (rows, columns), 0 or 1."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(blocks, connectivity=8)
    if count < 2:
        return blocks
    return np.asarray(labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()), np.uint8)


def judge(survey: Survey, inside: Mask) -> Health:
    """Judge by a frame's survey how well the plate explains it, which knows the blocks `inside`. A pure function."""
    differs = find_differences(survey.now, survey.then)
    room = survey.room & inside
    share = float(differs[room].mean()) if room.any() else float(not survey.room.any())
    health = Health(State.FITS, share, differs, survey.side)
    seen = float(survey.room.mean())
    if seen < _LEAST or (seen < _ENOUGH and _hides_corners(survey.room)):
        return _refuse(health, "next to nothing of the picture looks like the room on it")
    if share > _LIMIT * _weight(room) and float(room.mean()) > _FEW:
        return _refuse(health, f"{share:.0%} of what should be the room differs from it")
    return health


def _share_that_differs(first: Array | None, second: Array | None) -> float:
    """Return the share of the blocks, 0..1, that two confidences do not agree on; see `Matting`."""
    if first is second:
        return 0.0
    if first is None or second is None:
        known = first if second is None else second
        return 0.0 if known is None else float((pixels.to_host(known) != 1).mean())
    if first.shape != second.shape:
        return 1.0
    return float((pixels.to_host(first) != pixels.to_host(second)).mean())


def _refuse(health: Health, why: str) -> Health:
    return replace(health, state=State.REFUSED, reason=f"the plate does not fit: {why}. {_REMEDY}")


def _weight(room: Mask) -> float:
    """Return how far the blocks of room that are seen bear a judgment, 0..1."""
    return min(1.0, float(room.mean()) / _ENOUGH)


def _hides_corners(room: Mask) -> bool:
    """Whether the person covers both upper corners, which come last when somebody leans towards the camera."""
    height, width = (max(1, length // 12) for length in room.shape)
    return not (room[:height, :width].any() or room[:height, -width:].any())
