"""Several sinks at once. The run ends if the first one fails, and goes on without another one that fails."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence

from camdaemon.errors import DeviceError, StreamEnded
from camdaemon.frames.frame import HostFrame
from camdaemon.output import FollowViewers, Sink

log = logging.getLogger(__name__)


class TeeSink:
    """Writes every frame to each of `sinks`, in order; see the protocol `Sink`.

    All must take the same format and size. If the first one fails, so does the tee; another one that fails is closed
    and no longer written to.
    """

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._first, *self._others = sinks
        self.name = " + ".join(sink.name for sink in sinks)
        self.live = any(sink.live for sink in sinks)
        self.can_reopen = False
        self.sinks = tuple(sinks)
        self.fmt, self.size = self._first.fmt, self._first.size

    @property
    def viewers(self) -> tuple[FollowViewers, ...]:
        """See Sink.viewers."""
        found = [sink.viewers for sink in self.sinks]
        return tuple(follow for each in found for follow in each) if all(found) else ()

    def write(self, frame: HostFrame) -> None:
        """See Sink.write. StreamEnded of any sink (a closed window) ends all of them."""
        self._first.write(frame)
        for sink in list(self._others):
            try:
                sink.write(frame)
            except StreamEnded:
                raise
            except DeviceError as exc:
                log.warning("sink dropped: %s: %s", sink.name, exc)
                self._others.remove(sink)
                sink.close()

    def close(self) -> None:
        """See Sink.close. All are closed, even if one cannot be finished."""
        with contextlib.ExitStack() as closing:
            for sink in reversed([self._first, *self._others]):
                closing.callback(sink.close)
