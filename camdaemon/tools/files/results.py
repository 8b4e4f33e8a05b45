"""The results that can be written of one matte, for pictures and for videos."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from camdaemon.backdrop import Backdrop, check_backdrop, make_backdrop
from camdaemon.errors import ConfigError
from camdaemon.frames.composite import Matte, composite
from camdaemon.frames.frame import Size
from camdaemon.frames.kinds import room_blur
from camdaemon.frames.picture import Picture, from_tensor
from camdaemon.linux.results import expand
from camdaemon.plate.parts import Plate
from camdaemon.tools.files.offline import OfflinePipeline, stretch_alpha

NO_PLATE = "none"  # of the option --plate


@dataclass(frozen=True, slots=True)
class ResultPaths:
    """Where each result goes: a file for a picture or a video, a folder for many pictures. None: not wanted.

    Attributes:
        alpha: 8-bit gray, as the composite uses it (its outermost 2 % stretched to 0 and 255), of the source's size.
        foreground: RGBA, the person's colors cut out by that alpha, black elsewhere.
        composite: RGB, the person over the backdrop.
        error: Gray, the error that the base network predicts.
        refined: Gray, 255 where the refiner worked.

    Raises:
        ConfigError: No result is wanted.
    """

    alpha: Path | None = None
    foreground: Path | None = None
    composite: Path | None = None
    error: Path | None = None
    refined: Path | None = None

    def __post_init__(self) -> None:
        if not self.paths():
            raise ConfigError("no result is named. Run with: --alpha alpha.png, or --composite composite.png")

    def paths(self) -> dict[str, Path]:
        """Return the paths of the wanted results by name."""
        named = ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self))
        return {name: expand(path) for name, path in named if path is not None}


def render_results(
    pipeline: OfflinePipeline,
    matte: Matte,
    plate: Plate,
    wanted: ResultPaths,
    backdrop: Backdrop | None,
    t: float,
    like: Picture,
) -> dict[str, Picture]:
    """Render the wanted results of a matte.

    Args:
        pipeline: What has computed the matte.
        matte: Its last one.
        plate: The matte's plate.
        wanted: The results to render.
        backdrop: For composites.
        t: Time of the backdrop's picture, in seconds.
        like: A picture of the results' size.

    Returns:
        The results by name (see `ResultPaths`), uint8.
    """
    found: dict[str, Picture] = {}
    names = wanted.paths()
    alpha = from_tensor(stretch_alpha(matte))
    if "alpha" in names:
        found["alpha"] = alpha
    if "foreground" in names:
        # Black where alpha is 0: the network's foreground there looks much like the room.
        found["foreground"] = np.dstack([from_tensor(matte.foreground) * (alpha > 0)[..., None], alpha])
    if "composite" in names:
        assert backdrop is not None
        bgr = backdrop.picture(t, pipeline.upload_room(plate), pipeline.upload)
        found["composite"] = from_tensor(composite(matte, bgr))
    if "error" in names or "refined" in names:
        maps = dict(zip(("error", "refined"), pipeline.render_maps(), strict=True))
        found |= {name: pixels for name, pixels in maps.items() if name in names}
    height, width = like.shape[:2]
    return {name: np.ascontiguousarray(pixels[:height, :width]) for name, pixels in found.items()}


def check_files_backdrop(spec: str, plate: object) -> None:
    """Check, before anything is loaded, that `spec` is a backdrop for results with the option `--plate` as given.

    Raises:
        ConfigError: It is none, or shows the room, of which no picture is given.
    """
    check_backdrop(spec)
    if str(plate) == NO_PLATE and room_blur(spec) == 0:
        raise ConfigError(f"the backdrop {spec} is the picture of the empty room. Run with: --plate FILE")


def open_backdrop(spec: str, size: Size) -> Backdrop:
    """Make a backdrop as `make_backdrop` does, but a video runs by the time of the frames instead of the clock.

    Raises:
        ConfigError: The backdrop cannot be opened.
    """
    return make_backdrop(spec, size, paced=False)
