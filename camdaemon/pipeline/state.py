"""What the threads of a running pipeline share: the scene, the jobs, and the state of the camera."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from camdaemon.backdrop import Backdrop
from camdaemon.frames import card as cards
from camdaemon.frames.card import Card
from camdaemon.frames.composite import Appearance
from camdaemon.frames.job import Job
from camdaemon.plate.take import Plate

ALWAYS, VIEWERS, PLATE, PANEL = "always", "viewers", "plate", "panel"  # reasons


class CameraDemand:
    """Reasons for the camera to run, each as often as it was given. Any thread.

    While the machine goes to sleep there are none, whoever has given one.
    """

    def __init__(self, *reasons: str) -> None:
        self._changed = threading.Condition()
        self._reasons: Counter[str] = Counter(reasons)
        self._asleep = False

    @property
    def asleep(self) -> bool:
        """Whether the machine is about to sleep: the camera is closed at once."""
        return self._asleep

    def sleep(self, asleep: bool) -> None:
        """The machine goes to sleep, or is awake again."""
        with self._changed:
            self._asleep = asleep
            self._changed.notify_all()

    def add(self, reason: str) -> None:
        """One more."""
        with self._changed:
            self._reasons[reason] += 1
            self._changed.notify_all()

    def remove(self, reason: str) -> None:
        """One less; harmless when there is none."""
        with self._changed:
            self._reasons[reason] -= 1
            self._reasons = +self._reasons
            self._changed.notify_all()

    @contextmanager
    def held(self, reason: str) -> Iterator[None]:
        """There is `reason` meanwhile."""
        self.add(reason)
        try:
            yield
        finally:
            self.remove(reason)

    def reasons(self) -> list[str]:
        """Why, now; empty when nobody needs it."""
        with self._changed:
            return sorted(self._reasons)

    @property
    def there(self) -> bool:
        """Whether there is any reason."""
        with self._changed:
            return bool(self._reasons) and not self._asleep

    def wait(self, timeout: float) -> bool:
        """Until there is a reason, at most `timeout` seconds; whether there is one."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._reasons) and not self._asleep, timeout)


class FaultLimit:
    """Forgives `times` faults within `within_s` seconds. Any thread. clock: seconds, time.monotonic outside tests."""

    def __init__(self, times: int = 0, within_s: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._times, self._within_s, self._clock = times, within_s, clock
        self._lock = threading.Lock()
        self._faults: deque[float] = deque(maxlen=times + 1)

    def record(self) -> bool:
        """There was one more; whether the show goes on."""
        with self._lock:
            now = self._clock()
            self._faults.append(now)
            recent = [at for at in self._faults if now - at <= self._within_s]
            return len(recent) <= self._times


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
    which this scene replaces the one before it.   max_coverage: share of the picture that a person may cover, 0..1.
    """

    backdrop: Backdrop
    plate: Plate | None = None
    mode: Mode = Mode.MATTE
    appearance: Appearance = field(default_factory=Appearance)
    name: str | None = None
    paused: bool = False
    invitation: Card = cards.NO_PLATE
    fade_s: float = 0.0
    max_coverage: float = 0.92


@dataclass(slots=True)
class SharedState:
    """`scene` and `trouble` are replaced whole, by one reference, never changed in place. Any thread may read.

    scene: written by the commands.   trouble: the card for having no frames, None while there are; written by the
    capture thread.   jobs: put by the commands, taken by the worker.   demand: why the camera must run.
    resting: set while the camera is closed because nobody needs it.   veiled: set when what was written last is a card.
    patience: with faults of the capture and worker threads that nobody foresaw.
    """

    scene: Scene
    trouble: Card | None = cards.STARTING
    jobs: queue.SimpleQueue[Job] = field(default_factory=queue.SimpleQueue)
    demand: CameraDemand = field(default_factory=lambda: CameraDemand(ALWAYS))
    fault_limit: FaultLimit = field(default_factory=FaultLimit)
    resting: threading.Event = field(default_factory=threading.Event)
    veiled: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)
    first_published: threading.Event = field(default_factory=threading.Event)
