"""Whether the camera runs and why: one state machine under one condition, shared by all threads."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from camdaemon.frames import card as cards
from camdaemon.frames.card import Card

ALWAYS, VIEWERS, PLATE, PANEL = "always", "viewers", "plate", "panel"  # reasons for the camera to run


class Phase(StrEnum):
    """What the capture thread does with the camera."""

    OPENING = "opening"  # open or being opened, no frame yet
    RUNNING = "running"  # frames come
    COVERING = "covering"  # not needed: still open, until viewers have a card
    CLOSED = "closed"  # not needed, and closed
    LOST = "lost"  # the device is gone and is searched for
    LOST_IDLE = "lost, idle"  # the device is gone, and is not searched for because it is not needed


class CameraState:
    """The camera's phase, the reasons for it to run, and the card that stands in for its frames.

    A virtual camera keeps its last picture for the next viewer, so a card must be out before the camera closes: hence
    COVERING, which ends when the output thread has written a card.

        transition (thread)         from                 to          card afterwards
        mark_running     (capture)  OPENING, RUNNING     RUNNING     none
        mark_covering    (capture)  OPENING, RUNNING     COVERING    STANDBY
        mark_closed      (capture)  COVERING             CLOSED      as before
        mark_opening     (capture)  CLOSED               OPENING     as before, until the first frame
        mark_lost        (capture)  OPENING, RUNNING     LOST        LOST
        wait_to_search   (capture)  LOST                 LOST        as before; LOST_IDLE while it is not needed
        mark_reopened    (capture)  LOST                 OPENING     as before, until the first frame

    Only the capture thread moves the phase; any other order of its calls raises RuntimeError. The output thread calls
    `record_published`. Reasons, `fall_asleep`, `wake_up`, `stop` and every question are for any thread: they never move
    the phase, but they wake up the capture thread, which then does.

    Args:
        reasons: Reasons to begin with, as `add_reason` takes them.
        clock: Monotonic seconds.
    """

    def __init__(self, *reasons: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._changed = threading.Condition()  # guards everything below
        self._clock = clock
        self._reasons: Counter[str] = Counter(reasons)
        self._unneeded_at = -float("inf")  # when the last reason went; meaningless while there is one
        self._is_asleep = False
        self._is_stopping = False
        self._phase = Phase.OPENING
        self._card: Card | None = cards.STARTING
        self._is_covered = False  # the frame written last is a card
        self._frame_at = clock()  # when the last frame came; the capture thread's

    # ---- questions: any thread

    @property
    def phase(self) -> Phase:
        """The phase of this moment."""
        return self._phase

    @property
    def card(self) -> Card | None:
        """The card to show for having no frames; None while frames come. Replaced whole, by one reference."""
        return self._card

    @property
    def has_frames(self) -> bool:
        """Whether frames come."""
        return self._card is None

    @property
    def is_needed(self) -> bool:
        """Whether there is a reason for the camera to run. There is none while the machine sleeps."""
        with self._changed:
            return self._needed()

    @property
    def is_idle(self) -> bool:
        """Whether viewers have a card and the camera is not needed."""
        with self._changed:
            return self._is_covered and not self._needed()

    @property
    def is_asleep(self) -> bool:
        """Whether the machine is about to sleep."""
        return self._is_asleep

    @property
    def is_stopping(self) -> bool:
        """Whether the pipeline is being stopped."""
        return self._is_stopping

    def seconds_silent(self) -> float:
        """Return the seconds since the camera's last frame, or since the beginning."""
        return self._clock() - self._frame_at

    def may_close(self, linger_s: float) -> bool:
        """Whether the camera has not been needed for over `linger_s` seconds, or the machine is about to sleep."""
        with self._changed:
            if self._is_asleep:
                return True
            return not self._reasons and self._clock() - self._unneeded_at > linger_s

    def reasons(self) -> list[str]:
        """The reasons of this moment, sorted; empty when the camera is not needed."""
        with self._changed:
            return sorted(self._reasons)

    def wait_closed(self, timeout: float) -> bool:
        """Wait until no device is open because it is not needed (CLOSED, LOST_IDLE), at most `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._phase in (Phase.CLOSED, Phase.LOST_IDLE), timeout)

    # ---- what others ask for: any thread

    def add_reason(self, reason: str) -> None:
        """Ask for the camera to run; each `remove_reason` takes one such call back."""
        with self._changed:
            self._reasons[reason] += 1
            self._changed.notify_all()

    def remove_reason(self, reason: str) -> None:
        """Take back one `add_reason`; without effect where there was none."""
        with self._changed:
            self._reasons[reason] -= 1
            self._reasons = +self._reasons
            if not self._reasons:
                self._unneeded_at = self._clock()
            self._changed.notify_all()

    @contextmanager
    def hold(self, reason: str) -> Iterator[None]:
        """Have the camera run for `reason` inside the context."""
        self.add_reason(reason)
        try:
            yield
        finally:
            self.remove_reason(reason)

    def fall_asleep(self) -> None:
        """Have the camera closed at once, whatever the reasons, until `wake_up`: the machine is about to sleep."""
        self._set_asleep(True)

    def wake_up(self) -> None:
        """Let the reasons count again: the machine is awake."""
        self._set_asleep(False)

    def _set_asleep(self, asleep: bool) -> None:
        with self._changed:
            self._is_asleep = asleep
            self._changed.notify_all()

    def stop(self) -> None:
        """End every wait of the capture thread, for good: the pipeline stops."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()

    # ---- the output thread

    def record_published(self, *, is_card: bool) -> None:
        """Say whether the frame that was just written is a card."""
        with self._changed:
            self._is_covered = is_card
            self._changed.notify_all()

    # ---- the capture thread: transitions, and the waits between them

    def mark_running(self) -> None:
        """Record that a frame has arrived."""
        self._frame_at = self._clock()
        if self._phase is not Phase.RUNNING:  # for every frame, so without the lock: no other thread moves the phase
            with self._changed:
                self._move(Phase.RUNNING, Phase.OPENING)
                self._card = None

    def mark_covering(self) -> None:
        """Have a card shown instead of frames, because the camera is about to close."""
        with self._changed:
            self._move(Phase.COVERING, Phase.OPENING, Phase.RUNNING)
            self._card = cards.STANDBY
            self._is_covered = False  # a frame chosen before this moment may still be on its way to the sink

    def wait_covered(self, timeout: float) -> bool:
        """Wait in COVERING until viewers have a card, at most `timeout` seconds; return whether they have."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_covered or self._is_stopping, timeout)
            return self._is_covered

    def mark_closed(self) -> None:
        """Record that the camera is closed; to be called after the device is."""
        self._move(Phase.CLOSED, Phase.COVERING)

    def wait_needed(self) -> bool:
        """Wait in CLOSED until the camera is needed; False when the pipeline stops instead."""
        with self._changed:
            self._changed.wait_for(lambda: self._needed() or self._is_stopping)
            return not self._is_stopping

    def mark_opening(self) -> None:
        """Record that the closed camera is about to be opened; to be called before the device is."""
        self._move(Phase.OPENING, Phase.CLOSED)

    def mark_lost(self) -> None:
        """Have the card for a lost camera shown; to be called after the device is closed."""
        with self._changed:
            self._move(Phase.LOST, Phase.OPENING, Phase.RUNNING)
            self._card = cards.LOST

    def wait_to_search(self, pause_s: float) -> bool:
        """Wait in LOST before the next attempt to open the camera; False when the pipeline stops instead.

        The wait takes `pause_s` seconds. If the camera is not needed, it takes as long as that lasts, in LOST_IDLE,
        where no device is open; the wait then ends with the first reason.
        """
        with self._changed:
            self._move(Phase.LOST, Phase.LOST)
            self._changed.wait_for(lambda: self._is_stopping or not self._needed(), pause_s)
            if not self._needed() and not self._is_stopping:
                self._move(Phase.LOST_IDLE, Phase.LOST)
                self._changed.wait_for(lambda: self._is_stopping or self._needed())
                self._move(Phase.LOST, Phase.LOST_IDLE)
            return not self._is_stopping

    def mark_reopened(self) -> None:
        """Record that the lost camera is open again."""
        self._move(Phase.OPENING, Phase.LOST)

    def _needed(self) -> bool:
        return bool(self._reasons) and not self._is_asleep

    def _move(self, to: Phase, *allowed: Phase) -> None:
        with self._changed:  # reentrant
            if self._phase not in allowed:
                raise RuntimeError(f"the camera cannot become {to!r} while it is {self._phase!r}")
            self._phase = to
            self._changed.notify_all()
