"""How far the plate is to be trusted, block by block: what a frame contradicts loses the trust and may earn it again.

A contradiction is a block that differs from the plate although the matte sees the room there. That a block differs
says nothing by itself: people do, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camdaemon.plate.align import Mask
from camdaemon.plate.take import Plate

_REGAIN_S = 1.0  # for so long a block must have fitted again


@dataclass(frozen=True, slots=True, eq=False)
class _Trust:
    """What has become of the plate's blocks.

    Attributes:
        known: Blocks that no frame contradicts, (rows, columns).
        since: When a block that was contradicted began to fit again, seconds of the frames' `t`.
    """

    known: Mask
    since: NDArray[np.float64]

    def after(self, differs: Mask, room: Mask, t: float) -> _Trust:
        """Return the trust after a frame of time `t`: its blocks that differ, and those that it shows the room in."""
        fits = room & ~differs
        since = np.where(fits & (self.since <= t), self.since, t)  # time goes backwards where a clip begins again
        known = (self.known & ~(room & differs)) | (fits & (t - since >= _REGAIN_S))
        return _Trust(self.known if np.array_equal(known, self.known) else known, since)


class PlateConfidence:
    """The confidence of the plate in use. For the worker alone.

    What a frame changes counts for that frame's own matte, and for the next frames once it is kept.
    """

    def __init__(self) -> None:
        self._plate: Plate | None = None
        self._kept: _Trust | None = None  # None: everything that was photographed is trusted
        self._now: _Trust | None = None
        self._sent: tuple[Mask | None, Plate, Tensor] | None = None  # the tensor, and what it was made of

    def use(self, plate: Plate) -> None:
        """Trust `plate` wholly if it is another one than before."""
        if plate is not self._plate:
            self._plate = plate
            self.forget()

    def forget(self) -> None:
        """Trust the whole plate again, as it lies in another place now."""
        self._kept = self._now = None

    def record(self, differs: Mask, room: Mask, inside: Mask, t: float) -> float:
        """Record a frame, or the second look at it.

        Args:
            differs: Its blocks that differ from the plate, (rows, columns).
            room: Those in which its matte sees only the room.
            inside: Those of which the plate knows anything, where it lies now.
            t: Time of the frame in seconds.

        Returns:
            Share of the picture, 0..1, that has lost its confidence.
        """
        before = self._before(inside, t)
        after = before.after(differs, room & inside, t)
        known = after.known & inside
        self._now = after if np.array_equal(known, after.known) else _Trust(known, after.since)
        return float((before.known & ~known).mean())

    def lose(self, inside: Mask, t: float) -> float:
        """Record that the frame of time `t` is not explained by the plate at all; see `record`."""
        before = self._before(inside, t)
        known = np.zeros_like(inside) if before.known.any() else before.known
        self._now = _Trust(known, np.full(inside.shape, t))
        return float(before.known.mean())

    def _before(self, inside: Mask, t: float) -> _Trust:
        if self._now is None or self._now.known.shape != inside.shape:
            return _Trust(np.ones_like(inside), np.full(inside.shape, t))
        return self._now

    def keep(self) -> None:
        """Have the next frames begin with what the last one has left."""
        self._kept = self._now

    def revert(self) -> None:
        """Have the last frame change nothing: it may be broken."""
        self._now = self._kept

    def tensor(self, plate: Plate, on: torch.device) -> Tensor | None:
        """Return the confidence of `plate` for a `Matting`; the same tensor as long as nothing changes."""
        self.use(plate)
        known = None if self._now is None or self._now.known.all() else self._now.known
        if known is None and plate.confidence is None:
            return None
        sent = self._sent
        if sent is None or sent[0] is not known or sent[1] is not plate or sent[2].device != on:
            sent = self._sent = known, plate, _combine(known, plate).to(on)
        return sent[2]


def _combine(known: Mask | None, plate: Plate) -> Tensor:
    """Return as (1,1,rows,columns) what of the plate was photographed and is not contradicted."""
    if known is None:
        assert plate.confidence is not None
        return torch.from_numpy(plate.confidence)[None, None]
    trust = known.astype(np.float32)
    if plate.confidence is not None:
        trust *= cv2.resize(plate.confidence, trust.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return torch.from_numpy(trust)[None, None]
