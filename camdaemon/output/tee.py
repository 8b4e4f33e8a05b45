"""Several sinks at once: the first is the one that matters, the others look on."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from camdaemon.frame import HostFrame
from camdaemon.output import Sink


class TeeSink:
    """Writes every frame to each of `sinks`, in order. All must take the same format and size."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = sinks
        self.name = " + ".join(sink.name for sink in sinks)
        self.live = any(sink.live for sink in sinks)
        self.fmt, self.size = sinks[0].fmt, sinks[0].size

    def write(self, frame: HostFrame) -> None:
        """See Sink.write. The first sink that fails ends the run."""
        for sink in self._sinks:
            sink.write(frame)

    def close(self) -> None:
        """Close them all."""
        with contextlib.ExitStack() as closing:  # also those after one that cannot be finished
            for sink in reversed(self._sinks):
                closing.callback(sink.close)
