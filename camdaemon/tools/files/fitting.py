"""Pictures and plates brought to sizes that fit each other, in 8 or 16 bits."""

from __future__ import annotations

from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.errors import ConfigError
from camdaemon.frames.picture import DeepPicture, Picture
from camdaemon.plate.store import check_shape
from camdaemon.tools.files.progress import warn

_Pixels = TypeVar("_Pixels", bound=NDArray[Any])
_LARGEST_SIDE = 8192  # pixels
_DOUBTFUL = 0.1  # of the room's blocks differ from the plate; less is not worth a number


def resize(rgb: _Pixels, width: int, height: int) -> _Pixels:
    """Scale a picture (H,W) or (H,W,C); itself if it has that size."""
    if rgb.shape[1::-1] == (width, height):
        return rgb
    how = cv2.INTER_AREA if rgb.shape[1] > width else cv2.INTER_LINEAR
    found = cv2.resize(rgb, (width, height), interpolation=how)
    return np.asarray(found, rgb.dtype)  # type: ignore[return-value]


def pad_picture(rgb: _Pixels) -> _Pixels:
    """Repeat the right and lower edge of `rgb` (h,w,3) up to multiples of 4, at least 64.

    Raises:
        ConfigError: A side is too long.
    """
    height, width = rgb.shape[:2]
    if max(height, width) > _LARGEST_SIDE:
        raise ConfigError(f"the picture is {width}x{height}, larger than {_LARGEST_SIDE} pixels a side: scale it down")
    down, right = (max(64, -(-side // 4) * 4) - side for side in (height, width))
    if not down and not right:
        return rgb
    found = cv2.copyMakeBorder(rgb, 0, down, 0, right, cv2.BORDER_REPLICATE)
    return np.asarray(found, rgb.dtype)  # type: ignore[return-value]


def fit_plate(plate: Picture, like: DeepPicture, name: str, command: str = "image") -> Picture:
    """Resize `plate`, called `name`, to the size of the picture `like`; `command` is what is running.

    Raises:
        ConfigError: It has another shape.
    """
    (height, width), (high, wide) = plate.shape[:2], like.shape[:2]
    check_shape(plate, (wide, high), name, f"camdaemon {command} --plate FILE")
    if (width, height) == (wide, high):
        return plate
    warn(f"The plate {name} is {width}x{height} and was scaled to {wide}x{high}. One of the same size is more exact.")
    return resize(plate, wide, high)


def explain_misfit(share: float | None) -> str:
    """Return why a plate is probably of another room, and what to do.

    Args:
        share: Of the room's blocks, 0..1, that differ from it; None: it does not fit wherever the camera looked.
    """
    if share is None:
        return "the plate does not fit, wherever the camera looked. Name a plate of this room with: --plate FILE"
    why = f"{share:.0%} of what should be the room differs from it"
    if share <= _DOUBTFUL:
        why = "next to nothing of the picture looks like the room on it"
    return (
        f"the plate does not fit: {why}. Name a plate of this room, from the same place and in the same light: "
        "--plate FILE. If the camera was moved, run with: --align"
    )
