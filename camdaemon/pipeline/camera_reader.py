"""Reading the camera, closing it while it is not needed, and reopening it after a loss."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from camdaemon.capture import Source
from camdaemon.errors import DeviceError, StreamEnded
from camdaemon.frames.frame import HostFrame
from camdaemon.linux.backoff import Backoff
from camdaemon.pipeline.metrics import Metrics
from camdaemon.pipeline.state import SharedState

log = logging.getLogger(__name__)

_COVER_S = 0.5  # the longest wait for the card to be out before the camera closes


@dataclass(frozen=True, slots=True)
class CameraInput:
    """What the capture thread is given."""

    first: Source  # opened at start
    reopen: Callable[[], Source]  # the same camera again; raises DeviceError
    limit: int | None = None  # frames to deliver; None: no limit
    total: int | None = None  # frames that will come, or about; None: unknown, or without end


class CameraReader:
    """The source that is read at the moment, and the ways to another one. The capture thread's alone."""

    def __init__(self, camera: CameraInput, state: SharedState, metrics: Metrics) -> None:
        self.source = camera.first
        self._camera, self._state, self._metrics = camera, state, metrics

    def read_or_reopen(self, frame: HostFrame) -> bool:
        """Read the next frame into `frame`; False when the camera had to be reopened instead.

        A clip is never reopened, and neither is a camera after too many unexpected exceptions: they raise.
        """
        try:
            with self._metrics.step("capture"):
                self.source.read(frame)
            return True
        except Exception as exc:
            if not isinstance(exc, DeviceError):
                self._state.fault_limit.record()
            if not self.source.live or self._state.fault_limit.is_exceeded:
                raise
            lost = exc
        self.source.close()
        self._search(lost)
        return False

    def close_until_needed(self) -> None:
        """Close the camera until it is needed. A card is out before, because a virtual camera keeps its last picture.

        Raises StreamEnded when the pipeline stops meanwhile.
        """
        state = self._state.camera
        state.mark_covering()
        state.wait_covered(_COVER_S)
        self.source.close()
        state.mark_closed()
        log.info("camera closed: %s", "the machine goes to sleep" if state.is_asleep else "no viewers")
        if not state.wait_needed():
            raise StreamEnded("stopped while the camera was closed")
        log.info("camera opening: %s", ", ".join(state.reasons()))
        self._metrics.count("wakes")
        state.mark_opening()
        try:
            self.source = self._open()
        except DeviceError as exc:
            self._search(exc)

    def _open(self) -> Source:
        """Open the camera again. DeviceError when it is gone, or returns with another format or size."""
        source, first = self._camera.reopen(), self._camera.first
        if (source.fmt, source.size) != (first.fmt, first.size):
            source.close()
            raise DeviceError(f"it came back with {source.fmt} {source.size} instead of {first.size}")
        return source

    def _search(self, lost: Exception) -> None:
        """Try to open the lost camera until it is back, with back-off. StreamEnded when the pipeline stops."""
        state, backoff = self._state.camera, Backoff()
        state.mark_lost()
        expected = isinstance(lost, DeviceError)
        log.warning("camera lost, trying to reopen it: %s", lost, exc_info=None if expected else lost)
        while state.wait_to_search(backoff.pause_s):
            try:
                self.source = self._open()
            except DeviceError as exc:
                backoff.increase()
                log.info("camera reopen failed, retrying: %s", exc)
            else:
                state.mark_reopened()
                self._metrics.count("reconnects")
                log.warning("camera is back: %s", self.source.name)
                return
        raise StreamEnded("stopped while the camera was lost")
