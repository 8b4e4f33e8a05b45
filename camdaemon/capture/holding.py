"""Holding the camera's exposure, white balance and focus for as long as a plate serves. What fails is said, no more."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from camdaemon.capture import lock
from camdaemon.capture.controls import Values
from camdaemon.errors import CamdaemonError

log = logging.getLogger(__name__)

_OPENING_S = 5.0  # that a camera may take until its first frame
_MEASURING_S = 1.5  # that automatic exposure takes to find itself again


class ControlsHolder:
    """Of the camera at `path`; with None there is none to hold, and every method does nothing. Any thread."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._held: Values = {}

    def as_stored(self, plate: Path) -> None:
        """The camera was opened: put it as it was when `plate` was taken; what a killed camdaemon left locked, free."""
        if self._path is None:
            return
        try:
            stored = lock.load(plate)
            done = lock.apply(self._path, stored) if stored else lock.restore(self._path)
        except CamdaemonError as exc:
            log.warning("the camera is not held: %s", exc)
            return
        self._held = stored
        _say(done)

    def for_plate(self, running: Callable[[], bool]) -> Values:
        """Lock it as it is now, for the plate that is about to be taken; what it was held at before.

        While somebody still sits there: the empty room would have it focus on the wall. running: whether its frames
        come; a camera that has just been opened has measured nothing yet.
        """
        before = self._held
        if self._path is None:
            return before
        try:
            fresh = not running()
            end = time.monotonic() + _OPENING_S
            while not running() and time.monotonic() < end:
                time.sleep(0.05)
            if lock.restore(self._path) or fresh:  # another plate, another light: let it measure anew
                time.sleep(_MEASURING_S)
            done = lock.lock(self._path)
        except CamdaemonError as exc:
            log.warning("the camera is not locked: %s", exc)
            return before
        self._held = done.now
        _say(done)
        return before

    def back_to(self, before: Values) -> None:
        """The plate was refused, the one of `before` goes on to serve."""
        if self._path is None:
            return
        try:
            _say(lock.apply(self._path, before) if before else lock.restore(self._path))
        except CamdaemonError as exc:
            log.warning("the camera is not as it was: %s", exc)
        self._held = before

    def keep(self, plate: Path) -> None:
        """The plate was kept in the file `plate`: keep beside it what the camera is held at. Raises ConfigError."""
        if self._path is not None:
            lock.save(plate, self._held)

    def release(self) -> None:
        """Give the camera back as it was found."""
        if self._path is None:
            return
        try:
            _say(lock.restore(self._path))
        except CamdaemonError as exc:
            log.warning("the camera is still locked: %s", exc)


def _say(done: lock.Locked | None) -> None:
    for sentence in done.refused if done else ():
        log.warning("%s", sentence)
