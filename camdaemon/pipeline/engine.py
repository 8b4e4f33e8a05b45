"""Everything that lives on one accelerator, and what other threads may know of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

import numpy as np

from camdaemon.errors import MattingError
from camdaemon.frames import pixels
from camdaemon.frames.pixels import Array
from camdaemon.frames.transfer import Transfer
from camdaemon.matting import Matting
from camdaemon.pipeline.compositor import Compositor
from camdaemon.pipeline.governor import Governor
from camdaemon.plate.gate import PlateGate
from camdaemon.plate.match import PlateMatcher
from camdaemon.plate.unknown import make_blank_plate

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything that lives on one accelerator."""

    transfer: Transfer
    matting: Matting
    matcher: PlateMatcher
    compositor: Compositor
    governor: Governor | None = None  # None: always full effort
    gate: PlateGate = field(default_factory=PlateGate)


def matte_alone(engine: Engine, picture: Array) -> Array | None:
    """Return the alpha (1,1,H,W) of a picture (1,3,H,W) that the network is told of no plate for.

    For the thread that owns `engine`. None where its matting needs a plate, or fails.
    """
    matting = engine.matting
    if not matting.doubts:
        return None
    blank = engine.transfer.upload_picture(make_blank_plate(picture.shape[3], picture.shape[2]).rgb)
    nothing = pixels.to_kind_of(picture, np.zeros((1, 1, 1, 1), np.float32))
    effort, matting.effort = matting.effort, replace(matting.effort, refined=0.0)  # its edges are of no interest
    try:
        return matting(picture, blank, nothing, -1).alpha
    except MattingError:
        log.debug("the picture was not matted without a plate", exc_info=True)
        return None
    finally:
        matting.effort = effort


@dataclass(frozen=True, slots=True)
class EngineSnapshot:
    """What other threads may know of the engine, as plain values."""

    device: str
    matting: str  # its name
    effort: str  # of the next frame, for people
    is_reduced: bool  # the governor has lowered the effort
    needs_plate: bool = True  # without one there is a card

    @classmethod
    def of(cls, engine: Engine) -> EngineSnapshot:
        """Describe `engine`. For the thread that owns it."""
        reduced = engine.governor is not None and engine.governor.rung > 0
        return cls(
            engine.transfer.device,
            engine.matting.name,
            str(engine.matting.effort),
            reduced,
            engine.gate.needs_plate,
        )
