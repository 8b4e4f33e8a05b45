"""Everything that lives on one accelerator, and what other threads may know of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from camdaemon.frames.transfer import Transfer
from camdaemon.matting import Matting
from camdaemon.pipeline.compositor import Compositor
from camdaemon.pipeline.governor import Governor
from camdaemon.plate.gate import PlateGate
from camdaemon.plate.match import PlateMatcher


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything that lives on one accelerator."""

    transfer: Transfer
    matting: Matting
    matcher: PlateMatcher
    compositor: Compositor
    governor: Governor | None = None  # None: always full effort
    gate: PlateGate = field(default_factory=PlateGate)


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
            str(engine.transfer.device),
            engine.matting.name,
            str(engine.matting.effort),
            reduced,
            engine.gate.needs_plate,
        )
