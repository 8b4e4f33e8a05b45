"""Frames to matte: a clip from its sixth second on, when a person is in the picture, and its plate."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from camdaemon.capture import Source, find_source, open_source
from camdaemon.config.schema import Config
from camdaemon.errors import ConfigError
from camdaemon.frames import color, picture
from camdaemon.frames.frame import HostFrame, Size
from camdaemon.frames.picture import Picture
from camdaemon.plate.parts import Plate
from camdaemon.plate.store import check_shape

_SKIPPED_S = 5.0  # an empty room is refined nowhere, which would flatter the figures
_KEPT = 8  # different frames


@dataclass(frozen=True, slots=True)
class Footage:
    """What is matted.

    Attributes:
        frames: A few different frames, in the source's format and size.
        plate: Plate of the working size.
        size: Working size.
        open: Opens the source again at its sixth second; it is not paced.
        fps: Frame rate of the source.
        about: Description for the report.
    """

    frames: list[HostFrame]
    plate: Plate
    size: Size
    open: Callable[[], Source]
    fps: float
    about: str


def load_footage(config: Config, count: int = _KEPT) -> Footage:
    """Read `count` frames and the plate of `config.source` at `config.size`.

    The plate of NAME.mp4 is NAME-plate.png beside it, else the clip's first frame.

    Raises:
        ConfigError: The source is a camera or unusable, or the plate has another shape.
        DeviceError: The source cannot be read.
    """
    if find_source(config.source).live:
        raise ConfigError(
            f"{config.source} is a camera, whose pictures are never the same twice: name a clip. "
            "Run: camdaemon bench --source pattern"
        )

    def open_again() -> Source:
        source = open_source(config.source, config.size, config.fps, loop=True, paced=False)
        unseen = HostFrame.empty(source.fmt, source.size)
        for _ in range(round(_SKIPPED_S * source.fps)):
            source.read(unseen)
        return source

    with contextlib.closing(open_source(config.source, config.size, config.fps, loop=True, paced=False)) as source:
        size = config.size or source.size
        first = HostFrame.empty(source.fmt, source.size)
        source.read(first)
        plate, origin = _find_plate(config.source, source, first)
        about = f"{Path(source.name).name}, {source.size} at {source.fps:g} fps, plate: {origin}"
    frames = []
    with contextlib.closing(open_again()) as source:
        for _ in range(count):
            frames.append(HostFrame.empty(source.fmt, source.size))
            source.read(frames[-1])
    return Footage(frames, Plate(picture.cover(plate, size)), size, open_again, source.fps, about)


def _find_plate(spec: str, source: Source, first: HostFrame) -> tuple[Picture, str]:
    """Return the plate in the source's size, and where it is from."""
    file = Path(spec).with_name(f"{Path(spec).stem}-plate.png")
    if not file.is_file():
        return color.host_to_rgb(first.data, first.fmt), "its first frame"
    rgb = picture.read(file, "--source pattern")
    check_shape(rgb, (source.size.width, source.size.height), str(file), "camdaemon bench --source pattern")
    return picture.cover(rgb, source.size), file.name
