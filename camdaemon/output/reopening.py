"""A sink that comes back: a virtual camera whose module was reloaded, or that another program has taken for a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from camdaemon.errors import DeviceError, StreamEnded
from camdaemon.frames.frame import HostFrame
from camdaemon.output import FollowViewers, Sink

log = logging.getLogger(__name__)

_FIRST_S, _LONGEST_S = 0.5, 5.0  # between two tries


class ReopeningSink:
    """`first` until it fails, then what `reopen` opens. While there is none, frames are dropped: viewers saw its end.

    For the output thread alone, like any sink. count: told 'sink_lost' and 'sink_back'.   clock: seconds.
    """

    def __init__(
        self,
        first: Sink,
        reopen: Callable[[], Sink],
        count: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.live, self.fmt, self.size = first.name, first.live, first.fmt, first.size
        self.can_reopen = False  # it does so by itself
        self._first = first
        self._sink: Sink | None = first
        self._reopen, self._count, self._clock = reopen, count, clock
        self._pause, self._again_at = _FIRST_S, 0.0

    @property
    def viewers(self) -> Sequence[FollowViewers]:
        """See Sink.viewers."""
        return self._first.viewers

    @property
    def lost(self) -> bool:
        """Whether there is none now. Any thread."""
        return self._sink is None

    def write(self, frame: HostFrame) -> None:
        """See Sink.write, but that a lost device is no error. StreamEnded still is: a window was closed."""
        sink = self._sink or self._again()
        if sink is None:
            return
        try:
            sink.write(frame)
        except StreamEnded:
            raise
        except DeviceError as exc:
            log.warning("%s is lost, trying to reopen it: %s", self.name, exc)
            self._count("sink_lost")
            self._sink = None
            self._pause, self._again_at = _FIRST_S, self._clock() + _FIRST_S
            sink.close()

    def _again(self) -> Sink | None:
        if self._clock() < self._again_at:
            return None
        try:
            sink = self._reopen()
        except DeviceError as exc:
            log.info("not yet: %s", exc)
            self._pause = min(2 * self._pause, _LONGEST_S)
            self._again_at = self._clock() + self._pause
            return None
        if (sink.fmt, sink.size) != (self.fmt, self.size):
            sink.close()
            return None
        log.warning("%s is back", self.name)
        self._count("sink_back")
        self._sink = sink
        return sink

    def close(self) -> None:
        """See Sink.close."""
        if self._sink is not None:
            self._sink.close()
