"""What can be written of one matte, the same for pictures and videos."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from camdaemon.backdrop import Backdrop, make_backdrop
from camdaemon.backdrop.video import VideoBackdrop
from camdaemon.capture.file import FileSource
from camdaemon.errors import ConfigError
from camdaemon.frames.composite import Matte, composite
from camdaemon.frames.frame import HostFrame, Size
from camdaemon.frames.picture import Picture, Upload, cover, from_tensor
from camdaemon.plate.take import Plate
from camdaemon.tools.files.studio import Studio, shown_alpha


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where each result goes; None: not wanted. A file for a picture or a video, a folder for many pictures.

    alpha: 8-bit gray, as the composite uses it (its outermost 2 % stretched to 0 and 255), of the source's size.
    foreground: RGBA, the person's own colours cut out by that alpha, black elsewhere.   composite: RGB, over the
    backdrop.   error: gray, the error that the base network predicts.   refined: gray, 255 where the refiner worked.
    """

    alpha: Path | None = None
    foreground: Path | None = None
    composite: Path | None = None
    error: Path | None = None
    refined: Path | None = None

    def __post_init__(self) -> None:
        if not self.paths():
            raise ConfigError("nothing to write is named; try --alpha alpha.png, or --composite composite.png")
        if len(set(self.paths().values())) < len(self.paths()):
            raise ConfigError("two results have the same name; name another file for one of them")

    def paths(self) -> dict[str, Path]:
        """The results that are wanted, by name."""
        named = ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self))
        return {name: path for name, path in named if path is not None}


def develop(
    studio: Studio, matte: Matte, plate: Plate, wanted: Wanted, backdrop: Backdrop | None, t: float, like: Picture
) -> dict[str, Picture]:
    """The wanted results of `matte`, uint8, by name (see `Wanted`), cut to the size of the picture `like`.

    matte: the last one that `studio` made, by `plate`.   backdrop: for composites, its picture at `t` seconds.
    """
    found: dict[str, Picture] = {}
    names = wanted.paths()
    alpha = from_tensor(shown_alpha(matte))
    if "alpha" in names:
        found["alpha"] = alpha
    if "foreground" in names:
        # Black where nobody is: the network's foreground there looks much like the room.
        found["foreground"] = np.dstack([from_tensor(matte.foreground) * (alpha > 0)[..., None], alpha])
    if "composite" in names:
        assert backdrop is not None
        behind = backdrop.picture(t, studio.clean(plate), studio.upload)
        found["composite"] = from_tensor(composite(matte, behind))
    if "error" in names or "refined" in names:
        maps = dict(zip(("error", "refined"), studio.maps(), strict=True))
        found |= {name: pixels for name, pixels in maps.items() if name in names}
    height, width = like.shape[:2]
    return {name: np.ascontiguousarray(pixels[:height, :width]) for name, pixels in found.items()}


def open_backdrop(spec: str, size: Size) -> Backdrop:
    """As `make_backdrop`, but a video runs by the time of the frames instead of the clock. Raises ConfigError."""
    made = make_backdrop(spec, size)
    if isinstance(made, VideoBackdrop):
        made.close()
        return ClipBackdrop(spec, size)
    return made


class ClipBackdrop:
    """The video `spec` in a loop, each picture the one that is due at `t` (see the protocol `Backdrop`)."""

    def __init__(self, spec: str, size: Size) -> None:
        self.spec = spec
        self._source = FileSource(Path(spec).expanduser(), loop=True, paced=False)
        self._frame = HostFrame.empty(self._source.fmt, self._source.size)
        self._size = size
        self._shown = -1

    def picture(self, t: float, plate: Tensor, upload: Upload) -> Tensor:
        """See Backdrop.picture; `t` never runs backwards."""
        while self._shown < 0 or self._shown < int(t * self._source.fps + 1e-6):
            self._source.read(self._frame)
            self._shown += 1
        return upload(cover(self._frame.data, self._size))

    def close(self) -> None:
        """Close the file."""
        self._source.close()
