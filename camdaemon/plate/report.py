"""How the plate in use stands, for other threads and for the log."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from camdaemon.plate.parts import Growth, Mask, Origin, Plate

log = logging.getLogger(__name__)

SEEN = 2.0  # pixels; a camera that has moved by less was not bumped


@dataclass(frozen=True, slots=True, eq=False)
class PlateReport:
    """How the plate in use stands, for other threads.

    Attributes:
        plate: As the camera sees it now.
        chosen: Which of the plates that were given it was made of; None where none explains what the camera sees.
        growth: What was learned; None if nothing was.
        trusted: Blocks of it that are, (rows,columns).
        moved: How far the camera has moved since it was shot, in pixels of the middle of the picture.
        person: In which part of the plate somebody is, in words; '' if nobody is.
    """

    plate: Plate
    chosen: Plate | None
    growth: Growth | None
    trusted: Mask
    moved: float
    person: str = ""

    @property
    def known(self) -> float:
        """Share of the picture, 0..1, of which the plate is trusted."""
        return float(self.trusted.mean())

    @property
    def healed(self) -> float:
        """Share of the picture, 0..1, that was learned where the room has changed."""
        return self.plate.share(Origin.HEALED)


def log_changes(before: PlateReport | None, now: PlateReport) -> None:
    """Log what has become of the plate since the report before: a line for each event."""
    was_chosen = None if before is None else before.chosen
    if now.person and (before is None or now.chosen is not was_chosen):
        log.warning("somebody is in the plate, %s: that part is not used. Run: camdaemon plate", now.person)
    if now.chosen is not was_chosen and before is not None:
        if now.chosen is None:
            log.warning("the plate is put aside: it is not of this room, or the camera was turned far. Another grows")
        else:
            log.info("another plate is used")
    elif before is not None and abs(now.moved - before.moved) >= SEEN:
        log.info("the camera has moved: the plate is aligned by %.0f px", now.moved)
