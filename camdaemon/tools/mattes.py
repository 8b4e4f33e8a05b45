"""Pictures and mattes as arrays of Python programs: checked, converted, composited. See `camdaemon.Matter`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from camdaemon.backdrop.still import ready_path
from camdaemon.errors import ConfigError
from camdaemon.frames import composite as frame_mattes
from camdaemon.frames import picture
from camdaemon.frames.frame import Size
from camdaemon.frames.kinds import READY
from camdaemon.frames.picture import DeepPicture
from camdaemon.linux.folders import expand_home
from camdaemon.tools.files.rendering import stretch_alpha, to_numbers, to_pixels

AnyPicture: TypeAlias = NDArray[np.uint8 | np.uint16 | np.float32]  # (H,W,3) RGB in full range; floats 0..1
_MOST = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535, np.dtype(np.float32): 1}
_SHAPE = "expected (height, width, 3), which is RGB"


@dataclass(frozen=True, slots=True, eq=False)
class Matte:
    """The person in a picture. Its arrays are the caller's: nobody else keeps or changes them.

    Attributes:
        alpha: How much of each pixel is the person: float32 (H,W), 0..1. As composites use it: below 0.02 it is 0 and
            above 0.98 it is 1.
        foreground: The person's own colors, RGB (H,W,3), in the dtype of the picture; not multiplied by alpha. Black
            where alpha is 0.
        warning: Why the matte may be bad, such as that the plate did not fit, for people to read; '' if nothing is
            known against it.
    """

    alpha: NDArray[np.float32]
    foreground: AnyPicture
    warning: str = ""


def composite(matte: Matte, backdrop: ArrayLike | str | os.PathLike[str]) -> AnyPicture:
    """Put a person over another backdrop: αF + (1 - α)B. Any thread may call it.

    Args:
        matte: The person.
        backdrop: A picture, RGB (h,w,3) of any size, uint8, uint16 or float32; one color (red, green, blue), integers
            0..255; the path of a picture's file; or the name of a picture that comes with camdaemon, such as 'hills'.
            A picture of another shape is cropped about its center, then scaled.

    Returns:
        RGB (H,W,3), in the dtype of the foreground and of its size.

    Raises:
        ConfigError: The backdrop cannot be read, or is no such array.
    """
    most = _MOST[matte.foreground.dtype]
    person = matte.foreground.astype(np.float32) / np.float32(most)
    behind = _read_backdrop(backdrop, *matte.alpha.shape)
    mixed = behind + matte.alpha[..., None] * (person - behind)
    if most == 1:
        return np.asarray(mixed, np.float32)
    return np.asarray(mixed * np.float32(most) + np.float32(0.5), matte.foreground.dtype)


def _read_backdrop(backdrop: ArrayLike | str | os.PathLike[str], height: int, width: int) -> NDArray[np.float32]:
    """Return a backdrop as float32 (H,W,3), or (3,) for one color, 0..1."""
    found: AnyPicture
    if isinstance(backdrop, str | os.PathLike):
        path = ready_path(str(backdrop)) if str(backdrop) in READY else expand_home(os.fspath(backdrop))
        found = picture.read_deep(path, f"another picture's path, or one of: {', '.join(READY)}", over=picture.CALM)
    elif np.shape(backdrop) == (3,):
        color = np.asarray(backdrop)
        if color.dtype.kind not in "iu" or color.min() < 0 or color.max() > 255:
            raise ConfigError(f"{backdrop} is no color: expected (red, green, blue), integers 0..255, as (47, 79, 95)")
        return np.asarray(color, np.float32) / np.float32(255)
    else:
        found = check_picture(backdrop, "backdrop")
    size = Size.around(width, height)
    covered = picture.cover(cast("DeepPicture", found), size)[:height, :width]
    return np.asarray(covered, np.float32) / np.float32(_MOST[found.dtype])


def check_picture(given: ArrayLike, name: str) -> AnyPicture:
    """Return a picture as a contiguous array.

    Args:
        given: RGB (H,W,3): uint8, uint16, or float32 from 0 to 1.
        name: What it is, for the error message.

    Raises:
        ConfigError: It is no such array.
    """
    found = np.asarray(given)
    if found.dtype not in _MOST:
        advice = "picture.astype(numpy.float32)" if found.dtype.kind == "f" else "numpy.asarray(PIL.Image.open(path))"
        raise ConfigError(
            f"the {name} is an array of {found.dtype}: expected uint8, uint16, or float32 from 0 to 1. Run: {advice}"
        )
    if found.ndim != 3 or found.shape[2] != 3:
        advice = {2: "numpy.dstack([picture] * 3)", 3: "picture[..., :3]"}.get(found.ndim, "picture[0]")
        raise ConfigError(f"the {name} has the shape {found.shape}: {_SHAPE}. Run: {advice}")
    if not found.size:
        raise ConfigError(f"the {name} has the shape {found.shape}, no pixel at all: {_SHAPE}")
    if found.dtype == np.float32:
        _check_range(found, name)
    return np.ascontiguousarray(found)


def _check_range(found: NDArray[np.float32], name: str) -> None:
    if not np.isfinite(found).all():
        raise ConfigError(f"the {name} has values that are not finite. Run: numpy.nan_to_num(picture)")
    low, high = float(found.min()), float(found.max())
    if low < 0 or high > 1:
        advice = "picture / 255" if high > 2 else "picture.clip(0, 1)"
        raise ConfigError(f"the {name} has values from {low:g} to {high:g}: floats are from 0 to 1. Run: {advice}")


def to_codes(rgb: AnyPicture) -> DeepPicture:
    """Return a picture as uint8 or uint16; itself unless it is of floats."""
    if rgb.dtype == np.float32:
        return np.asarray(rgb * np.float32(65535) + np.float32(0.5), np.uint16)
    return cast("DeepPicture", rgb)


def make_matte(found: frame_mattes.Matte, like: AnyPicture, warning: str) -> Matte:
    """Return a matte of a pipeline, in floats, as arrays of the size and dtype of the picture `like`."""
    height, width = like.shape[:2]
    alpha = to_numbers(stretch_alpha(found))[:height, :width].copy()
    colors = found.foreground[..., :height, :width]
    foreground: AnyPicture
    if like.dtype == np.float32:
        foreground = to_numbers(colors)
    else:
        foreground = np.ascontiguousarray(to_pixels(colors, deep=like.dtype == np.uint16))
    foreground[alpha == 0] = 0  # the network's colors there look much like the room
    return Matte(alpha, foreground, warning)
