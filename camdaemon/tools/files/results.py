"""The results that can be written of one matte, for pictures and for videos, in 8 or 16 bits."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from camdaemon.backdrop import Backdrop, check_backdrop, make_backdrop
from camdaemon.errors import ConfigError
from camdaemon.frames import pixels
from camdaemon.frames.composite import Matte, composite
from camdaemon.frames.frame import Size
from camdaemon.frames.kinds import room_blur
from camdaemon.frames.picture import Picture, Upload, copy_to_host
from camdaemon.frames.pixels import Array
from camdaemon.linux.results import expand
from camdaemon.model.layout import SIDE
from camdaemon.plate.parts import Plate
from camdaemon.tools.files.offline import OfflinePipeline
from camdaemon.tools.files.rendering import Pixels, render_alpha, to_pixels
from camdaemon.tools.files.uploader import ADD_TORCH, has_torch

NO_PLATE = "none"  # of the option --plate


@dataclass(frozen=True, slots=True)
class ResultPaths:
    """Where each result goes: a file for a picture or a video, a folder for many pictures. None: not wanted.

    Attributes:
        alpha: Gray, as the composite uses it (its outermost 2 % stretched to nothing and all), of the source's size.
        foreground: RGBA, the person's colors cut out by that alpha, black elsewhere.
        composite: RGB, the person over the backdrop.
        error: Gray, the error that the base network predicts.
        refined: Gray, white where the refiner worked.

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

    @property
    def needs_maps(self) -> bool:
        """Whether any of them shows what the network predicts of its own matte."""
        return self.error is not None or self.refined is not None


def render_results(
    pipeline: OfflinePipeline,
    matte: Matte,
    plate: Plate,
    wanted: ResultPaths,
    backdrop: Backdrop | None,
    t: float,
    size: tuple[int, int],
    *,
    deep: bool = False,
) -> dict[str, Pixels]:
    """Render the wanted results of a matte.

    Args:
        pipeline: What has computed the matte.
        matte: Its last one.
        plate: The matte's plate.
        wanted: The results to render.
        backdrop: For composites.
        t: Time of the backdrop's picture, in seconds.
        size: Width and height of the results.
        deep: Whether results are uint16, of a matte in floats; else they are uint8.

    Returns:
        The results by name (see `ResultPaths`), in memory of their own. The foreground is straight: not multiplied by
        alpha.
    """
    found: dict[str, Pixels] = {}
    names = wanted.paths()
    if "alpha" in names or "foreground" in names:
        found["alpha"] = alpha = render_alpha(matte, deep=deep)
    if "foreground" in names:
        found["foreground"] = _cut_out(to_pixels(matte.foreground, deep=deep), alpha)
    if "composite" in names:
        assert backdrop is not None
        bgr = backdrop.picture(t, pipeline.upload_room(plate), pipeline.upload)
        found["composite"] = to_pixels(composite(matte, bgr), deep=deep)
    if wanted.needs_maps:
        error, refined = _render_maps(pipeline)
        found |= {"error": error, "refined": refined}
    width, height = size
    return {name: np.ascontiguousarray(found[name][:height, :width]) for name in names}


def _cut_out(colors: Pixels, alpha: Pixels) -> Pixels:
    """Return RGBA (H,W,4), black where alpha is 0: the network's foreground there looks much like the room."""
    there = (alpha > 0).view(np.uint8)
    found = np.zeros((*alpha.shape, 4), colors.dtype)
    cv2.mixChannels([cv2.copyTo(colors, there), alpha], [found], [0, 0, 1, 1, 2, 2, 3, 3])
    return found


def _render_maps(pipeline: OfflinePipeline) -> tuple[Picture, Picture]:
    """Render the network's maps of the last picture.

    Returns:
        The predicted error, 0..255, and 255 where patches were refined; uint8 (H,W) each.

    Raises:
        ConfigError: The matting has no such maps.
    """
    if pipeline.maps is None and not has_torch():
        raise ConfigError(f"--error and --refined need torch, which is not installed. {ADD_TORCH}")
    if pipeline.maps is None:
        raise ConfigError(
            f"the matting {pipeline.matting.name} predicts no error and refines nothing. "
            "Run without --error and --refined, or with: --matting bgmv2"
        )
    rows, columns = pipeline.maps.refined.shape[2:]
    size = (rows * SIDE, columns * SIDE)
    error, refined = (pixels.to_host(each.float())[0, 0] for each in pipeline.maps)
    large = cv2.resize(error, size[::-1], interpolation=cv2.INTER_LINEAR)
    return copy_to_host(large[None, None]), copy_to_host(refined.repeat(SIDE, 0).repeat(SIDE, 1)[None, None])


def check_files_backdrop(spec: str, plate: object) -> None:
    """Check, before anything is loaded, that `spec` is a backdrop for results with the option `--plate` as given.

    Raises:
        ConfigError: It is none, or shows the room, of which no picture is given.
    """
    check_backdrop(spec)
    if str(plate) == NO_PLATE and room_blur(spec) == 0:
        raise ConfigError(f"the backdrop {spec} is the picture of the empty room. Run with: --plate FILE")


def open_backdrop(spec: str, size: Size, *, deep: bool = False, aspect: float = 1.0) -> Backdrop:
    """Make a backdrop as `make_backdrop` does, but a video runs by the time of the frames instead of the clock.

    Args:
        spec: One of `kinds.BACKDROPS`.
        size: Of the frames.
        deep: Whether a picture of 16 bits keeps them.
        aspect: Of the frames' pixels, width to height: the backdrop is squeezed as the frames are.

    Raises:
        ConfigError: The backdrop cannot be opened.
    """
    if aspect == 1:
        return make_backdrop(spec, size, paced=False, deep=deep)
    shown = Size.within(max(64, round(size.width * aspect / 4) * 4), size.height)
    return _Squeezed(make_backdrop(spec, shown, paced=False, deep=deep))


class _Squeezed:
    """A backdrop that is brought to the frames' size where it has another. See `Backdrop`."""

    def __init__(self, backdrop: Backdrop) -> None:
        self._backdrop = backdrop
        self.spec, self.needs_plate = backdrop.spec, backdrop.needs_plate
        self._last: tuple[Array, Array] | None = None  # a picture, and the same in the frames' size

    def picture(self, t: float, plate: Array, upload: Upload) -> Array:
        """See `Backdrop`."""
        found = self._backdrop.picture(t, plate, upload)
        if found.shape == plate.shape:
            return found
        if self._last is None or self._last[0] is not found:
            size = (plate.shape[2], plate.shape[3])
            self._last = found, _resize(found, size)
        return self._last[1]

    def close(self) -> None:
        """See `Backdrop`."""
        self._backdrop.close()


def _resize(picture: Array, size: tuple[int, int]) -> Array:
    """Resize (1,3,H,W) to `size` (height, width), where every pixel counts."""
    if pixels.is_host(picture):
        found = cv2.resize(pixels.interleave(picture), size[::-1], interpolation=cv2.INTER_AREA)
        return pixels.as_planes(np.asarray(found, np.uint8))
    from torch.nn import functional

    return functional.interpolate(picture, size, mode="bilinear", antialias=True)
