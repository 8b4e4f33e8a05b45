"""Holding the camera's exposure, white balance and focus for as long as a plate is in use."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from camdaemon.capture import lock
from camdaemon.capture.controls import Values
from camdaemon.errors import CamdaemonError

log = logging.getLogger(__name__)

_OPENING_S = 5.0  # the longest wait for a camera's first frame
_GLANCE_S = 0.05  # between two looks for it
_MEASURING_S = 1.5  # what automatic exposure takes to settle
_ATTEMPTS = 3  # to measure, when the camera is reopened meanwhile


class ControlsHolder:
    """Holds the controls of one camera. Any thread; a camera that refuses is logged, never raised.

    One lock makes each change of the camera whole. It is held while the driver answers, and never while
    `lock_for_plate` waits: so the capture thread, which calls `reapply` whenever it has opened the camera, is not held
    up by a plate that is being taken, and frames keep coming.

    When the camera is reopened while `lock_for_plate` measures, `reapply` leaves it automatic, and the measurement
    begins again, because a reopened camera has measured nothing. When it is reopened later, even before the plate is
    saved, it is put back to what it was locked at for that plate.

    Args:
        path: Of the camera; None where there is nothing to hold, and every method does nothing.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._lock = threading.Lock()  # guards everything below, and the camera's controls
        self._held: Values = {}  # what the camera is held at for the plate in use
        self._is_measuring = False
        self._openings = 0  # how often the camera was reopened

    def reapply(self, stored: Values) -> None:
        """Hold the camera, which has just been opened, at what the plate in use needs.

        That is what this holder locked it at, else what is `stored` with the plate. Without either the camera is freed
        of what a killed camdaemon left locked.
        """
        if self._path is None:
            return
        with self._lock:
            self._openings += 1
            try:
                wanted = {} if self._is_measuring else self._held or stored
                done = lock.apply(self._path, wanted) if wanted else lock.restore(self._path)
            except CamdaemonError as exc:
                log.warning("camera not held: %s", exc)
                return
            if not self._is_measuring:
                self._held = wanted
        _log_refusals(done)

    def lock_for_plate(self, has_frames: Callable[[], bool]) -> Values:
        """Lock the camera as it is now, for the plate that is about to be taken.

        To be called while the person is still in the picture: in front of the empty room the camera would focus on the
        wall. Takes up to 6.5 s, in which the camera opens and measures, and as long again each time it is reopened.

        Args:
            has_frames: Whether frames of the camera come. One that was just opened has measured nothing yet.

        Returns:
            What it was held at before, for `revert`.
        """
        with self._lock:
            before = self._held
        if self._path is None:
            return before
        try:
            done = self._measure_and_lock(self._path, has_frames)
        except CamdaemonError as exc:
            log.warning("camera not locked: %s", exc)
            return before
        finally:
            with self._lock:
                self._is_measuring = False
        _log_refusals(done)
        return before

    def _measure_and_lock(self, path: str, has_frames: Callable[[], bool]) -> lock.Locked:
        is_fresh = False  # automatic exposure has not settled
        for _ in range(_ATTEMPTS):
            is_fresh = self._wait_for_frames(has_frames) or is_fresh
            with self._lock:
                openings, self._is_measuring = self._openings, True
                is_fresh = lock.restore(path) is not None or is_fresh  # another plate, another light: measure again
                if not is_fresh:
                    return self._lock_now(path)
            time.sleep(_MEASURING_S)
            with self._lock:
                if self._openings == openings:
                    return self._lock_now(path)
        with self._lock:
            return self._lock_now(path)

    def _lock_now(self, path: str) -> lock.Locked:
        """Lock the camera; `self._lock` is held by the caller."""
        done = lock.lock(path)
        self._held, self._is_measuring = done.now, False
        return done

    @staticmethod
    def _wait_for_frames(has_frames: Callable[[], bool]) -> bool:
        """Wait until frames come, at most `_OPENING_S`; return whether there were none at first."""
        is_fresh = not has_frames()
        end = time.monotonic() + _OPENING_S
        while not has_frames() and time.monotonic() < end:
            time.sleep(_GLANCE_S)
        return is_fresh

    def revert(self, before: Values) -> None:
        """Hold the camera at `before` again: the new plate was refused, so the previous one stays in use."""
        if self._path is None:
            return
        with self._lock:
            self._held = before
            try:
                done = lock.apply(self._path, before) if before else lock.restore(self._path)
            except CamdaemonError as exc:
                log.warning("could not restore camera controls: %s", exc)
                return
        _log_refusals(done)

    @property
    def held(self) -> Values:
        """What the camera is held at, to be stored with the plate in use; empty if it is not held."""
        with self._lock:
            return self._held

    def switch(self, stored: Values) -> None:
        """Hold the camera at what is `stored` with another plate, which is in use from now on."""
        with self._lock:
            if self._is_measuring:
                return
            self._held = {}
        self.reapply(stored)

    def release(self) -> None:
        """Give the camera back as it was found."""
        if self._path is None:
            return
        with self._lock:
            self._held = {}
            try:
                done = lock.restore(self._path)
            except CamdaemonError as exc:
                log.warning("camera is still locked: %s", exc)
                return
        _log_refusals(done)


def _log_refusals(done: lock.Locked | None) -> None:
    for sentence in done.refused if done else ():
        log.warning("%s", sentence)
