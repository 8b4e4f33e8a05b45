"""A camera in PipeWire, for every program that asks the desktop for cameras: any number of readers at once."""

from __future__ import annotations

import functools
import threading
from collections import defaultdict
from collections.abc import Callable

from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.linux.pipewire.camera import PublishedCamera
from camdaemon.output import FollowViewers
from camdaemon.output.layouts import list_layouts, paint

_NAME = "camdaemon"
_LOOK_S = 0.5  # between two checks of the stop flag


class Audience:
    """Whether a camera is read. It outlives the sink: one that is opened after a loss has the same viewers."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watched: set[int] = set()  # the sinks that are read

    def record(self, sink: int, is_watched: bool) -> None:
        """Say whether a sink is read. Any thread."""
        with self._changed:
            (self._watched.add if is_watched else self._watched.discard)(sink)
            self._changed.notify_all()

    def follow(self, report: Callable[[bool], None], stop: threading.Event) -> None:
        """Report each change until `stop` is set: a `FollowViewers`."""
        told = False
        while not stop.is_set():
            with self._changed:
                if bool(self._watched) == told:
                    self._changed.wait(_LOOK_S)
                now = bool(self._watched)
            if now != told:
                told = now
                report(now)


_audiences: defaultdict[str, Audience] = defaultdict(Audience)  # by the camera's name


class PipeWireSink:
    """A camera in PipeWire; see the protocol `Sink` for threads and ownership.

    `write` takes I420 and converts it only where a reader takes another format. It waits for readers at most a moment.

    Args:
        name: What people call the camera, and what programs find it by.
        size: Size of the frames, and of the camera that viewers see.
        fps: Frames per second to announce.

    Raises:
        DeviceError: PipeWire does not run, is not installed, or takes no camera.
    """

    live = True
    can_reopen = True
    is_file = False
    fmt = PixelFormat.I420

    @classmethod
    def open(cls, spec: str, size: Size, fps: float, *, paced: bool) -> PipeWireSink:
        """See `open_sink`."""
        return cls(spec.partition(":")[2] or _NAME, size, fps)

    def __init__(self, name: str, size: Size, fps: float) -> None:
        self.name, self.size = "pipewire" if name == _NAME else f"pipewire:{name}", size
        self._audience = _audiences[name]
        self._camera = PublishedCamera(
            name,
            name,
            (size.width, size.height),
            fps,
            list_layouts(size),
            functools.partial(self._audience.record, id(self)),
        )

    @property
    def viewers(self) -> tuple[FollowViewers, ...]:
        """See Sink.viewers. Exact: PipeWire says which streams are read."""
        return (self._audience.follow,)

    def write(self, frame: HostFrame) -> None:
        """See Sink.write."""
        self._camera.send(functools.partial(paint, frame.data, self.size))

    def close(self) -> None:
        """See Sink.close. Viewers keep the last frame that they got."""
        self._camera.close()
