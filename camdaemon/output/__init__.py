"""Sinks: where finished frames go. `camdaemon.frames.kinds` lists them; each is one file here."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

from camdaemon.frames import kinds

if TYPE_CHECKING:
    import threading

    from camdaemon.frames.frame import HostFrame, PixelFormat, Size

# Body of a thread: calls the function with whether anyone is watching, at each change, until the event is set.
FollowViewers: TypeAlias = "Callable[[Callable[[bool], None], threading.Event], None]"


class Sink(Protocol):
    """Takes finished frames. Opened by the daemon; written and closed by the output thread alone.

    But for one that can be reopened: until the output thread begins, another one writes the first card to it.

    Attributes:
        name: What people call it.
        live: Whether people watch while it is written: the last frame must then be the card, and a clip loops for
            them. A file just ends.
        can_reopen: Whether a sink that was lost may come back when it is opened again.
        fmt: Pixel format that `write` expects, fixed for the sink's life.
        size: Picture size that `write` expects, fixed for the sink's life.
    """

    name: str
    live: bool
    can_reopen: bool
    fmt: PixelFormat
    size: Size

    @property
    def viewers(self) -> Sequence[FollowViewers]:
        """For each device below, what follows its viewers; empty if not all of them can be followed."""

    def write(self, frame: HostFrame) -> None:
        """Show `frame`, borrowed for the call, now.

        Raises:
            DeviceError: The frame did not reach the device.
            StreamEnded: The viewer has closed the window.
        """

    def close(self) -> None:
        """Finish the file or give the device back. May be called twice."""


class SinkClass(Protocol):
    """The class of a kind of sink: what is known before one is opened, and how to open it."""

    live: bool
    can_reopen: bool
    is_file: bool  # the spec names a file that it writes: it must not be one that is read, nor overwritten unasked

    def open(self, spec: str, size: Size, fps: float, *, paced: bool) -> Sink:
        """Open the sink; see `open_sink`."""


def find_sink(spec: str) -> SinkClass:
    """Return the class of the sink that `spec` names.

    Raises:
        ConfigError: `spec` names no kind of sink.
    """
    found: SinkClass = kinds.find_class(kinds.SINKS, spec, "sink", "camdaemon devices")
    return found


def open_sink(spec: str, size: Size, fps: float, *, paced: bool) -> Sink:
    """Open the sink that `spec` names.

    Args:
        spec: One of `kinds.SINKS`.
        size: Size of the frames.
        fps: About how many frames come per second.
        paced: Whether frames come in real time, and may be repeated. A file gets each frame once, at its own `t`.

    Raises:
        DeviceError: A device cannot be opened.
        ConfigError: `spec` names no kind of sink, or a file that cannot be created.
    """
    return find_sink(spec).open(os.path.expanduser(spec), size, fps, paced=paced)
