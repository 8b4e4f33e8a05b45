"""What the threads of a running pipeline share: the scene, the jobs, the camera's state, the limit of faults.

Locks, outermost first. A thread that holds one may take those below it, never one above:

    1. `Surfaces._opening`, then the panel's own, while the panel starts or ends; no command runs inside of them
    2. `Commands._preparing`: next, previous and reload, one at a time, while they prepare what they show
    3. `Commands._lock`: the configuration in force and the replacement of the scene, for assignments alone
    4. the cache of prepared backdrops; and `ControlsHolder`, which is held while the camera's driver answers
    5. `CameraState`
    6. `Mailbox`, `Pool`, `FaultLimit`, `Metrics`, `CardCache`, `LivePreview`, `Publication`: inside of them nothing
       else is locked

No thread holds a lock of 3 to 6 while it waits for frames, a job or a viewer; `Mailbox`, `Pool`, `LivePreview`,
`Publication` and `CameraState` wait on their own condition, which releases it. A plate that is being taken holds none
at all. The three threads of the pipeline take no lock of `Commands`: they read `SharedState.scene`, and publish
`FrameProcessor.snapshot`, references that are replaced whole.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from camdaemon.backdrop import Backdrop
from camdaemon.frames import card as cards
from camdaemon.frames.appearance import Appearance
from camdaemon.frames.card import Card
from camdaemon.frames.job import Job
from camdaemon.pipeline.camera_state import ALWAYS, CameraState
from camdaemon.pipeline.published import Publication
from camdaemon.plate.parts import Plate
from camdaemon.plate.store import Place


class Mode(StrEnum):
    """What viewers get: the composite, the card, or (only ever by the user's explicit command) the raw camera."""

    MATTE = "matte"
    CARD = "card"
    PASSTHROUGH = "passthrough"


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that a frame's picture depends on, read once for each frame.

    Prepared and checked before it is put into `SharedState`, so that showing it cannot fail for want of a file.
    """

    backdrop: Backdrop
    plate: Plate | None = None
    mode: Mode = Mode.MATTE
    appearance: Appearance = field(default_factory=Appearance)
    name: str | None = None  # of the configuration's scene that it was made from
    paused: bool = False  # the last composite stays
    invitation: Card = cards.NO_PLATE  # shown for as long as there is no plate
    fade_s: float = 0.0  # seconds in which it replaces the scene before it
    others: tuple[Plate, ...] = ()  # of the camera's other places
    max_coverage: float = 0.92  # the largest share of the picture, 0..1, that may be the person


class FaultLimit:
    """Counts unexpected exceptions, and knows when there were too many. Any thread.

    Args:
        times: How many are tolerated within `within_s`.
        within_s: Seconds.
        clock: Monotonic seconds.
    """

    def __init__(self, times: int = 0, within_s: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._times, self._within_s, self._clock = times, within_s, clock
        self._lock = threading.Lock()
        self._faults: deque[float] = deque(maxlen=times + 1)

    def record(self) -> None:
        """Count one more."""
        with self._lock:
            self._faults.append(self._clock())

    @property
    def is_exceeded(self) -> bool:
        """Whether there were more than `times` within the last `within_s` seconds."""
        with self._lock:
            now = self._clock()
            return sum(now - at <= self._within_s for at in self._faults) > self._times


@dataclass(slots=True)
class SharedState:
    """What commands, surfaces and the three threads of one pipeline share. Any thread may read.

    Attributes:
        scene: Replaced whole, by one reference, by the commands; read once per frame by the worker.
        jobs: Put by the commands, taken by the worker.
        camera: Why the camera runs and whether it does; see there for who may call what.
        published: What the output thread has written last.
        fault_limit: Of unexpected exceptions in the capture and worker threads.
        places: The camera's saved plates, as they were at the start.
        first_published: Set once the sink has its first frame, or the pipeline has ended without one.
        first_submitted: Set once a job was submitted.
    """

    scene: Scene
    jobs: queue.SimpleQueue[Job] = field(default_factory=queue.SimpleQueue)
    camera: CameraState = field(default_factory=lambda: CameraState(ALWAYS))
    published: Publication = field(default_factory=Publication)
    fault_limit: FaultLimit = field(default_factory=FaultLimit)
    places: tuple[Place, ...] = ()
    first_published: threading.Event = field(default_factory=threading.Event)
    first_submitted: threading.Event = field(default_factory=threading.Event)
