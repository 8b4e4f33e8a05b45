"""The gate: a frame that the plate does not explain is not published, or the plate is not trusted with it.

A network that is given the plate of another room, or of this one before the camera was moved, calls much of the room
the person. Where it does see the room, the plate tells: with the right plate hardly a block differs, with a wrong one
a fifth to nearly all of them. A lamp that goes on and a bump of the camera look the same at first, so a fit is looked
for before a frame is refused (see `align`).

A matting that doubts is told instead which blocks to trust (see `confidence`): then a frame is refused only where a
plate is needed and this one explains nothing.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
import torch
from torch import Tensor

from camdaemon.errors import PlateMismatch, SuddenChange
from camdaemon.frames import pixels
from camdaemon.frames.picture import Picture
from camdaemon.plate import align
from camdaemon.plate.align import Bytes, Mask
from camdaemon.plate.confidence import PlateConfidence
from camdaemon.plate.jumps import JumpGuard
from camdaemon.plate.match import PlateMatcher, Survey
from camdaemon.plate.pieces import StillPieces, close_margins, hide
from camdaemon.plate.take import Plate

_LIMIT = 0.25  # of the room's blocks; more that differ are another room
_FITTED = 0.12  # as much after a fit, which explains by itself some of what is wrong
_ENOUGH = 0.25  # of the picture should be room to judge by; with less of it, as much less may differ
_LEAST = 0.04  # of the picture
_MUCH = 0.005  # of the picture; if more has lost its confidence, the frame's matte is computed once more
_RETRY_S, _RETRY_REFUSED_S = 1.0, 0.25  # until the next search for a fit, while frames are shown or refused

_REMEDY = "Point the camera as it was, or take a new plate with: camdaemon plate"


class State(StrEnum):
    """How a plate stands to the frames."""

    UNKNOWN = "unknown"  # no frame was judged yet
    FITS = "fits"
    MOVED = "moved"  # it fits where it was moved to
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, eq=False)
class Health:
    """How well the plate explains a frame.

    Attributes:
        state: In a word.
        share: Of the blocks that the matte calls room, 0..1: those that differ from the plate.
        shift: (right, down) in pixels by which the plate was moved to fit.
        differs: Blocks of the whole picture that differ from the plate, (rows, columns); empty before the first frame.
        side: Of a block, in pixels.
        reason: Why the frame is refused, and what to do, for the user; '' when it is not.
    """

    state: State = State.UNKNOWN
    share: float = 0.0
    shift: tuple[int, int] = (0, 0)
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
        needs_plate: As given.
    """

    def __init__(
        self, *, refuses: bool = True, is_live: bool = False, doubts: bool = False, needs_plate: bool = True
    ) -> None:
        self._refuses, self._doubts = refuses, doubts
        self.needs_plate = needs_plate or not doubts
        self._confidence = PlateConfidence()
        self._jumps = JumpGuard() if is_live else None
        self.health = Health()
        self._pieces = StillPieces()
        self._survey: Survey | None = None  # of the last frame
        self._next = -math.inf  # when a fit may be looked for again, in seconds of the frames' `t`
        self._last = -math.inf  # `t` of the last frame

    def confidence(self, plate: Plate, on: torch.device) -> Tensor | None:
        """Return how far the matting may trust `plate` in the frame that comes or is examined; see `Matting`."""
        return self._confidence.tensor(plate, on) if self._doubts else None

    def still_holds(self, before: Tensor | None, plate: Plate, on: torch.device) -> bool:
        """Return whether `before`, an earlier `confidence`, will do: too little has changed for a second look."""
        return _share_that_differs(before, self.confidence(plate, on)) <= _MUCH

    def examine(self, matcher: PlateMatcher, plate: Plate, src: Tensor, alpha: Tensor, t: float) -> bool:
        """Judge a frame, and fit the plate to it where that is needed and possible.

        Args:
            matcher: Has matched `plate` to the frame.
            plate: The plate.
            src: The frame, (1,3,H,W).
            alpha: Of its matte, (1,1,H,W).
            t: Its time in seconds.

        Returns:
            Whether the matte should be computed again, because the plate was moved to another place in the picture, or
            has lost much of its confidence.

        Raises:
            PlateMismatch: The plate does not explain the frame.
        """
        survey, shift = matcher.survey(alpha), matcher.shift
        if plate.is_blank:  # there is nothing to judge
            self.health, self._survey = Health(side=survey.side), survey
            return False
        health = judge(survey, shift)
        if t < self._last or health.share <= align.SOUND:  # a clip begins again; or nothing is wrong until now
            self._next = t
        self._last = t
        if health.share > align.SOUND and t >= self._next:
            found = align.find_fit(*matcher.shrink(src), survey.room, survey.side)
            if found.fit is not None and found.share <= min(health.share / 2, _FITTED * _weight(survey)):
                matcher.adopt(found.fit)
                matcher.match(plate, src)
                survey = matcher.survey(alpha)
                health = judge(survey, matcher.shift)
                self._confidence.forget()
            else:
                health = _with_movement(health, found.moved)
                self._next = t + (_RETRY_REFUSED_S if health.reason else _RETRY_S)
        self.health, self._survey = health, survey
        if health.reason and self._refuses and self.needs_plate:
            raise PlateMismatch(health.reason)
        lost = self._doubt(health, survey, t) if self._doubts else 0.0
        return matcher.shift != shift or lost > _MUCH

    def _doubt(self, health: Health, survey: Survey, t: float) -> float:
        """Return the share of the picture, 0..1, that has lost its confidence by the frame of time `t`."""
        inside = align.find_known(survey.room.shape, health.shift, survey.side)
        if health.reason:
            return self._confidence.lose(inside, t)
        return self._confidence.record(health.differs, survey.room, inside, t)

    def confirm(self, t: float) -> None:
        """Hold back the frame examined last, of time `t`, if much appears in it that no other frames have shown yet.

        Raises:
            SuddenChange: It is to be left out. The next frames decide.
        """
        if self._jumps is not None and self._survey is not None and self._jumps.hold_back(self._survey, t):
            self._confidence.revert()
            raise SuddenChange("much appeared at once in a single frame, which may be broken")
        self._confidence.keep()

    def clean(self, alpha: Tensor, t: float) -> Tensor:
        """Return the alpha, (1,1,H,W), of the frame examined last without what is certainly no person.

        That is what stands still, loose or in a corner, and what begins where the moved plate knows nothing. The same
        tensor where there is nothing of the kind.
        """
        if self._survey is None:
            return alpha
        alpha = close_margins(alpha, self.health.shift)
        still = self._pieces.find(self._survey, t)
        return alpha if still is None else hide(alpha, still, self._survey.side)


def judge(survey: Survey, shift: tuple[int, int]) -> Health:
    """Judge by a frame's survey how well the plate, moved by `shift`, explains it. A pure function."""
    differs = align.find_differences(survey.now, survey.then)
    room = survey.room & align.find_known(survey.room.shape, shift, survey.side)
    share = float(differs[room].mean()) if room.any() else 1.0
    health = Health(State.FITS if shift == (0, 0) else State.MOVED, share, shift, differs, survey.side)
    if float(room.mean()) < _LEAST or (float(room.mean()) < _ENOUGH and _hides_corners(survey.room)):
        return _refuse(health, "next to nothing of the picture looks like the room on it")
    if share > _LIMIT * _weight(survey):
        return _refuse(health, f"{share:.0%} of what should be the room differs from it")
    return health


def _share_that_differs(first: Tensor | None, second: Tensor | None) -> float:
    """Return the share of the blocks, 0..1, that two confidences do not agree on; see `Matting`."""
    if first is second:
        return 0.0
    if first is None or second is None:
        first, second = torch.ones(()), first if second is None else second
    elif first.shape != second.shape:
        return 1.0
    return float((first != second).float().mean())


def _with_movement(health: Health, pixels: float) -> Health:
    return _refuse(health, f"the camera has moved by {pixels:.0f} pixels") if pixels else health


def _refuse(health: Health, why: str) -> Health:
    return replace(health, state=State.REFUSED, reason=f"the plate does not fit: {why}. {_REMEDY}")


def _weight(survey: Survey) -> float:
    """Return how far the room that is seen bears a judgment, 0..1."""
    return min(1.0, float(survey.room.mean()) / _ENOUGH)


def _hides_corners(room: Mask) -> bool:
    """Whether the person covers both upper corners, which come last when somebody leans towards the camera."""
    height, width = (max(1, length // 12) for length in room.shape)
    return not (room[:height, :width].any() or room[:height, -width:].any())


def explain(rgb: Picture, plate: Picture, alpha: Bytes) -> Health:
    """Judge a single picture as live: does `plate` explain it, or a small shift and the light beside the plate?

    Args:
        rgb: The picture, uint8 (H,W,3).
        plate: Of the same size.
        alpha: Of its matte, uint8 (H,W).
    """
    matcher, gate, src = (
        PlateMatcher(pixels.tensor, enabled=True),
        PlateGate(),
        pixels.tensor(np.ascontiguousarray(rgb)),
    )
    taken, seen = Plate(np.ascontiguousarray(plate)), pixels.tensor(np.ascontiguousarray(alpha))
    matcher.upload_clean(taken)
    matcher.learn(seen)
    matcher.match(taken, src)
    with contextlib.suppress(PlateMismatch):
        gate.examine(matcher, taken, src, seen, 0.0)
    return gate.health
