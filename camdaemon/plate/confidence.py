"""How far the plate is to be trusted, block by block: what a frame contradicts loses the trust and may earn it again.

A contradiction is a block that differs from the plate although the matte sees the room there. That a block differs
says nothing by itself: people do, too. Nor is every contradiction one of the room: a matte may miss a hand. So one
counts once it stands still, as furniture does, or has lasted, as a screen that plays; a large one apart from the
person at once. What was learned a moment ago may have been a person who sat still, and loses the trust by any
difference.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.frames import pixels
from camdaemon.frames.pixels import Array
from camdaemon.plate.parts import Mask, Plate

_REGAIN_S = 1.0  # for so long a block must have fitted again
_LONGEST_S = 30.0  # the same for one that was contradicted often: a screen that plays, a curtain
_CALM_S = 60.0  # after so long without a contradiction it counts as one that never was
_PROBATION_S = 30.0  # after a block was learned
_LARGE = 0.02  # of the picture: no hand
_STILL_S = 0.5  # for so long a contradiction has stood still, or
_LASTING_S, _LASTING = 1.5, 0.7  # was there for such a share of about the last seconds

Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Trust:
    """What has become of the plate's blocks; maps are (rows,columns), times are seconds of the frames' `t`.

    Attributes:
        known: Which no frame contradicts.
        since: When one that was contradicted began to fit again.
        wait: For how many seconds it must fit.
        lost: When it was contradicted last.
        learned: When it was learned, if ever.
        doubt: For what share of the last seconds it was contradicted, 0..1.
        t: Of the last frame.
        refused: When a frame was not explained by the plate at all, if ever.
    """

    known: Mask
    since: Times
    wait: Times
    lost: Times
    learned: Times
    doubt: Times
    t: float
    refused: float = -np.inf

    @classmethod
    def begin(cls, shape: tuple[int, ...], t: float) -> _Trust:
        """Trust all blocks, none of which was learned."""
        never = np.full(shape, -np.inf)
        return cls(np.ones(shape, bool), np.full(shape, t), np.full(shape, _REGAIN_S), never, never, np.zeros(shape), t)

    def after(self, differs: Mask, room: Mask, still: Mask, body: Mask, t: float) -> _Trust:
        """Return the trust after a frame.

        Args:
            differs: Its blocks that differ from the plate.
            room: Those that it shows the room in.
            still: Those that have not changed for a while.
            body: Those of the person, or near.
            t: Its time.
        """
        fits = room & ~differs
        since = np.where(fits & (self.since <= t), self.since, t)  # time goes backwards where a clip begins again
        is_young = (t - self.learned < _PROBATION_S) & (t >= self.learned)
        wrong = differs & room
        doubt = self.doubt + (1 - np.exp(-max(0.0, t - self.t) / _LASTING_S)) * (wrong - self.doubt)
        counts = wrong & (still | (doubt > _LASTING) | _find_large(wrong, body))
        lost = self.known & (counts | (differs & is_young))
        known = (self.known & ~lost) | (fits & (t - since >= self.wait))
        if not lost.any():
            same = np.array_equal(known, self.known)
            return replace(self, known=self.known if same else known, since=since, doubt=doubt, t=t)
        # where a person passes what was learned a moment ago, nothing has contradicted it
        again = np.where(t - self.lost < _CALM_S, np.minimum(2 * self.wait, _LONGEST_S), _REGAIN_S)
        again = np.where(counts, again, self.wait)
        return replace(
            self,
            known=known,
            since=since,
            wait=np.where(lost, again, self.wait),
            lost=np.where(lost, t, self.lost),
            doubt=doubt,
            t=t,
        )

    def is_refused(self, t: float) -> bool:
        """Whether nothing of the plate is to be trusted in a frame of time `t`."""
        return 0 <= t - self.refused < _REGAIN_S


def _find_large(where: Mask, body: Mask) -> Mask:
    """Return the blocks of `where` that are parts of large pieces, none of which touches the `body`."""
    least = _LARGE * where.size
    if np.count_nonzero(where) < least:
        return np.zeros_like(where)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(where.astype(np.uint8), connectivity=8)
    large = np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= least) + 1
    return np.asarray(np.isin(labels, np.setdiff1d(large, labels[body])))


class PlateConfidence:
    """The confidence of the plate in use. For the worker alone.

    What a frame changes counts for that frame's own matte, and for the next frames once it is kept.
    """

    def __init__(self) -> None:
        self._plate: Plate | None = None
        self._kept: _Trust | None = None  # None: everything that was photographed is trusted
        self._now: _Trust | None = None
        self._t = -np.inf  # of the last frame
        self._sent: tuple[Mask | None, Plate, Array] | None = None  # the map, and what it was made of

    def use(self, plate: Plate) -> None:
        """Trust `plate` wholly if it is another one than before."""
        if plate is not self._plate:
            self._plate = plate
            self._kept = self._now = None

    def go_on(self, plate: Plate, learned: Mask, t: float) -> None:
        """Go on with `plate`, which is the one before with other parts: blocks that were `learned` at `t`."""
        self._plate = plate
        before = self._before(learned.shape, t)
        known = before.known | learned
        self._kept = self._now = replace(before, known=known, learned=np.where(learned, t, before.learned))

    def forget(self, plate: Plate) -> None:
        """Trust all of `plate`, which is the one before and lies in another place now."""
        self._plate = plate
        self._kept = self._now = None

    def lacking(self, plate: Plate) -> Mask | None:
        """Return which blocks no confidence is left in, or never was; None before the first frame."""
        if self._now is None:
            return None
        known = self._now.known
        return ~(known & plate.known(known.shape))

    def waits(self, t: float) -> Mask | None:
        """Return blocks that were contradicted often of late, so that nothing is to be learned there yet."""
        if self._now is None:
            return None
        return np.asarray(t - self._now.lost < self._now.wait)

    def record(
        self,
        differs: Mask,
        room: Mask,
        inside: Mask,
        t: float,
        still_since: Times | None = None,
        body: Mask | None = None,
    ) -> float:
        """Record a frame, or the second look at it.

        Args:
            differs: Its blocks that differ from the plate, (rows, columns).
            room: Those in which its matte sees only the room.
            inside: Those of which the plate knows anything, where it lies now.
            t: Time of the frame in seconds.
            still_since: When each block changed last; None: nothing is known of that, and all of them are still.
            body: Blocks of the person, or near; None: there is nobody.

        Returns:
            Share of the picture, 0..1, that has lost its confidence.
        """
        self._t = t
        before = self._before(inside.shape, t)
        still = np.ones_like(room) if still_since is None else t - still_since >= _STILL_S
        nobody = np.zeros_like(room)
        self._now = before.after(differs & inside, room & inside, still, nobody if body is None else body, t)
        return float((before.known & ~self._now.known).mean())

    def refuse(self, inside: Mask, t: float) -> float:
        """Record that the frame of time `t` is not explained by the plate at all; see `record`."""
        self._t, before = t, self._before(inside.shape, t)
        self._now = replace(before, refused=t)
        return 0.0 if before.is_refused(t) else float((before.known & inside).mean())

    def _before(self, shape: tuple[int, ...], t: float) -> _Trust:
        if self._now is None or self._now.known.shape != shape:
            return _Trust.begin(shape, t)
        return self._now

    def keep(self) -> None:
        """Have the next frames begin with what the last one has left."""
        self._kept = self._now

    def revert(self) -> None:
        """Have the last frame change nothing: it may be broken."""
        self._now = self._kept

    def map_for(self, plate: Plate, src: Array) -> Array | None:
        """Return the confidence of `plate` for the `Matting` of `src`; the same map as long as nothing changes."""
        self.use(plate)
        known = None if self._now is None or self._now.known.all() else self._now.known
        if self._now is not None and self._now.is_refused(self._t):
            known = self._nothing(self._now.known.shape)
        if known is None and plate.confidence is None:
            return None
        sent = self._sent
        if sent is None or sent[0] is not known or sent[1] is not plate or not pixels.is_beside(sent[2], src):
            sent = self._sent = known, plate, pixels.to_kind_of(src, _combine(known, plate))
        return sent[2]

    def _nothing(self, shape: tuple[int, ...]) -> Mask:
        """Return the same map of no block at all each time."""
        sent = None if self._sent is None else self._sent[0]
        return sent if sent is not None and sent.shape == shape and not sent.any() else np.zeros(shape, bool)


def _combine(known: Mask | None, plate: Plate) -> NDArray[np.float32]:
    """Return as (1,1,rows,columns) what of the plate was photographed and is not contradicted."""
    if known is None:
        assert plate.confidence is not None
        return plate.confidence[None, None]
    return (known * plate.trust(known.shape))[None, None]
