"""What is matted: a clip from its sixth second on, when somebody is there, and the plate to it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from camdaemon.capture import Source, open_source
from camdaemon.config.schema import Config
from camdaemon.frames import color, picture
from camdaemon.frames.frame import HostFrame, Size
from camdaemon.frames.picture import Picture
from camdaemon.plate.store import check_shape
from camdaemon.plate.take import Plate

_SKIPPED_S = 5.0  # an empty room is refined nowhere, and nobody would believe the figures
_DIFFERENT = 8  # frames that are kept


@dataclass(frozen=True, slots=True)
class Footage:
    """frames: a few that differ, in the source's format and size.   plate: of the working size `size`.

    open: the source once more, at its sixth second, not paced.   fps: its rate.   about: for the report.
    """

    frames: list[HostFrame]
    plate: Plate
    size: Size
    open: Callable[[], Source]
    fps: float
    about: str


def from_memory(footage: Footage) -> Footage:
    """`footage` that is neither decoded nor drawn: its few frames again and again."""
    return replace(footage, open=lambda: Kept(footage.frames, footage.fps))


def load(config: Config, different: int = _DIFFERENT) -> Footage:
    """Read what `config.source` names, at `config.size`. Raises ConfigError or DeviceError."""
    source = open_source(config.source, config.size, config.fps, loop=True, paced=False)
    with contextlib.closing(source):
        size = config.size or source.size
        first = HostFrame.empty(source.fmt, source.size)
        source.read(first)
        plate, whose = _plate(config.source, source, first)
        about = f"{Path(source.name).name}, {source.size} at {source.fps:g} fps, plate: {whose}"

    def opened() -> Source:
        fresh = open_source(config.source, config.size, config.fps, loop=True, paced=False)
        _skip(fresh)
        return fresh

    frames = []
    with contextlib.closing(opened()) as later:
        for _ in range(different):
            frames.append(HostFrame.empty(later.fmt, later.size))
            later.read(frames[-1])
    return Footage(frames, Plate(picture.cover(plate, size)), size, opened, source.fps, about)


def _skip(source: Source) -> None:
    """Go on to the sixth second; where there is no such, the clip has begun anew."""
    count = round(_SKIPPED_S * source.fps)
    unseen = HostFrame.empty(source.fmt, source.size)
    for _ in range(count):
        source.read(unseen)


def _plate(spec: str, source: Source, first: HostFrame) -> tuple[Picture, str]:
    """Of the source's size, and whose it is."""
    beside = Path(spec).with_name(f"{Path(spec).stem}-plate.png")
    if not beside.is_file():
        return color.host_to_rgb(first.data, first.fmt), "its first frame"
    rgb = picture.read(beside, "--source pattern")
    check_shape(rgb, (source.size.width, source.size.height), str(beside), "camdaemon bench --source pattern")
    return picture.cover(rgb, source.size), beside.name


class Kept:
    """A few frames again and again, as fast as they are taken (see the protocol `Source`). given: how many so far."""

    live = False
    has_controls = False

    def __init__(self, frames: list[HostFrame], fps: float) -> None:
        self.name, self.fmt, self.size, self.fps = "memory", frames[0].fmt, frames[0].size, fps
        self._frames, self.given = frames, 0

    def read(self, into: HostFrame) -> None:
        """The next frame, copied."""
        into.data[:] = self._frames[self.given % len(self._frames)].data
        into.t = time.monotonic()
        self.given += 1

    def close(self) -> None:
        """Nothing is open."""


class Camera:
    """A source that is not paced, as a camera (see the protocol `Source`): a frame each 1/fps s, whoever is late.

    Owns `source`. Frames are decoded as they come, so that this work is part of what is measured.
    """

    live = False
    has_controls = False

    def __init__(self, source: Source) -> None:
        self.name, self.fmt, self.size, self.fps = source.name, source.fmt, source.size, source.fps
        self._source = source
        self._start: float | None = None
        self._next = 0  # number of the next frame

    def read(self, into: HostFrame) -> None:
        """The newest frame that is due; those before it are gone."""
        self._start = time.monotonic() if self._start is None else self._start
        due = max(self._next, int((time.monotonic() - self._start) * self.fps))
        for _ in range(due - self._next + 1):
            self._source.read(into)
        self._next = due + 1
        time.sleep(max(0.0, self._start + due / self.fps - time.monotonic()))
        into.t = time.monotonic()

    def close(self) -> None:
        """Close the source."""
        self._source.close()
