"""What the threads of a running pipeline share: the scene, the jobs, and the state of the camera."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field
from enum import StrEnum

from camdaemon.backdrop import Backdrop
from camdaemon.frames import card as cards
from camdaemon.frames.card import Card
from camdaemon.frames.job import Job
from camdaemon.frames.style import Style
from camdaemon.pipeline.demand import ALWAYS, Demand
from camdaemon.pipeline.patience import Patience
from camdaemon.plate.take import Plate


class Mode(StrEnum):
    """What viewers get: the composite, the card, or (only ever by the user's explicit command) the raw camera."""

    MATTE = "matte"
    CARD = "card"
    PASSTHROUGH = "passthrough"


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a frame's journey depends on, read once for each frame. Prepared and checked before it gets here.

    invitation: the card for as long as there is no plate.
    name: the configuration's scene that it was made from.   paused: the last composite stays.   fade_s: seconds in
    which this scene replaces the one before it.
    """

    backdrop: Backdrop
    plate: Plate | None = None
    mode: Mode = Mode.MATTE
    style: Style = field(default_factory=Style)
    name: str | None = None
    paused: bool = False
    invitation: Card = cards.NO_PLATE
    fade_s: float = 0.0


@dataclass(slots=True)
class Show:
    """`scene` and `trouble` are replaced whole, by one reference, never changed in place. Any thread may read.

    scene: written by the commands.   trouble: the card for having no frames, None while there are; written by the
    capture thread.   jobs: put by the commands, taken by the worker.   demand: why the camera must run.
    resting: set while the camera is closed because nobody needs it.   veiled: set when what was written last is a card.
    patience: with faults of the capture and worker threads that nobody foresaw.
    """

    scene: Scene
    trouble: Card | None = cards.STARTING
    jobs: queue.SimpleQueue[Job] = field(default_factory=queue.SimpleQueue)
    demand: Demand = field(default_factory=lambda: Demand(ALWAYS))
    patience: Patience = field(default_factory=Patience)
    resting: threading.Event = field(default_factory=threading.Event)
    veiled: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)
    first_published: threading.Event = field(default_factory=threading.Event)
