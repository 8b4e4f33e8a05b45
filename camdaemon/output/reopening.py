"""A sink that comes back: a virtual camera whose module was reloaded, or that another program used for a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from camdaemon.errors import DeviceError, StreamEnded
from camdaemon.frames.frame import HostFrame
from camdaemon.linux.backoff import Backoff
from camdaemon.output import FollowViewers, Sink

log = logging.getLogger(__name__)


class ReopeningSink:
    """Writes to a sink, and opens it again after it was lost. Meanwhile frames are dropped.

    For the output thread alone, like any sink.

    Args:
        first: The opened sink. It is owned and closed from here on.
        reopen: Opens it again; raises DeviceError as long as that is not possible.
        count: Called with 'sink_lost' and 'sink_back'.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        first: Sink,
        reopen: Callable[[], Sink],
        count: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.live, self.fmt, self.size = first.name, first.live, first.fmt, first.size
        self.can_reopen = False  # it does so itself
        self._first = first
        self._sink: Sink | None = first
        self._reopen, self._count = reopen, count
        self._backoff = Backoff(clock=clock)

    @property
    def viewers(self) -> Sequence[FollowViewers]:
        """See Sink.viewers."""
        return self._first.viewers

    @property
    def is_lost(self) -> bool:
        """Whether there is no sink now. Any thread may ask."""
        return self._sink is None

    def write(self, frame: HostFrame) -> None:
        """See Sink.write. A lost device is no error here; StreamEnded still is, because a window was closed."""
        sink = self._sink or self._try_to_reopen()
        if sink is None:
            return
        try:
            sink.write(frame)
        except StreamEnded:
            raise
        except DeviceError as exc:
            log.warning("sink lost, trying to reopen it: %s: %s", self.name, exc)
            self._count("sink_lost")
            self._sink = None
            self._backoff.restart()
            sink.close()

    def _try_to_reopen(self) -> Sink | None:
        if not self._backoff.is_due():
            return None
        try:
            sink = self._reopen()
        except DeviceError as exc:
            log.info("sink reopen failed, retrying: %s", exc)
            self._backoff.increase()
            return None
        if (sink.fmt, sink.size) != (self.fmt, self.size):
            log.info("sink reopen failed, retrying: %s now takes %s %s", self.name, sink.fmt, sink.size)
            self._backoff.increase()
            sink.close()
            return None
        log.warning("sink is back: %s", self.name)
        self._count("sink_back")
        self._sink = sink
        return sink

    def close(self) -> None:
        """See Sink.close."""
        if self._sink is not None:
            self._sink.close()
