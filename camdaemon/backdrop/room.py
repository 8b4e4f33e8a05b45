"""The user's own room, clean or blurred: made of the plate, so that the person leaves no halo in it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from camdaemon.errors import ConfigError
from camdaemon.frames import pixels
from camdaemon.frames.kinds import DEFAULT_BLUR

if TYPE_CHECKING:
    from camdaemon.frames.frame import Size
    from camdaemon.frames.picture import Upload
    from camdaemon.frames.pixels import Array


class PlateBackdrop:
    """The clean room as it is."""

    spec, needs_plate = "plate", True

    @staticmethod
    def check(spec: str) -> None:
        """See BackdropClass.check. The word is all there is to it."""

    @classmethod
    def open(cls, spec: str, size: Size) -> PlateBackdrop:
        """See BackdropClass.open."""
        return cls()

    def picture(self, t: float, plate: Array, upload: Upload) -> Array:
        """See Backdrop.picture."""
        return plate

    def close(self) -> None:
        """See Backdrop.close. Nothing runs."""


class BlurBackdrop:
    """The clean room under a Gaussian blur of `sigma` pixels, computed once for each plate.

    Without a plate it is the calm color that stands for one.
    """

    needs_plate = False

    def __init__(self, spec: str, sigma: float) -> None:
        self.spec = spec
        self._sigma = sigma
        self._plate: Array | None = None
        self._blurred: Array | None = None

    @staticmethod
    def check(spec: str) -> None:
        """See BackdropClass.check."""
        _parse_sigma(spec)

    @classmethod
    def open(cls, spec: str, size: Size) -> BlurBackdrop:
        """See BackdropClass.open."""
        return cls(spec, _parse_sigma(spec))

    def picture(self, t: float, plate: Array, upload: Upload) -> Array:
        """See Backdrop.picture."""
        if self._blurred is None or self._plate is not plate:
            self._plate, self._blurred = plate, blur_picture(plate, self._sigma)
        return self._blurred

    def close(self) -> None:
        """See Backdrop.close. Nothing runs."""


def _parse_sigma(spec: str) -> float:
    value = spec.partition(":")[2]
    try:
        sigma = float(value) if value else DEFAULT_BLUR
    except ValueError:
        sigma = 0.0
    if not 1 <= sigma <= 200:
        raise ConfigError(
            f"blur {value!r} is wrong: expected a sigma of 1 to 200 pixels. Run: camdaemon run --backdrop blur:24"
        )
    return sigma


def blur_picture(picture: Array, sigma: float) -> Array:
    """Blur a picture with a Gaussian; its edges are repeated.

    A wide blur works on a smaller copy.

    Args:
        picture: (1,C,H,W), bytes 0..255 or floats 0..1.
        sigma: Standard deviation, pixels, above 0.

    Returns:
        The blurred picture, with shape and dtype of `picture`.
    """
    step = max(1, int(sigma // 5))  # a blur of sigma removes all that a shrink by sigma/5 would
    margin = math.ceil(3 * sigma / step) * step  # the edges are repeated before the shrink, which would soften them
    if not pixels.is_host(picture):
        from camdaemon.frames.tensors.blur import blur

        return blur(picture, sigma, step, margin)
    rgb = pixels.interleave(picture)
    height, width = rgb.shape[:2]
    sides = margin, margin - height % -step, margin, margin - width % -step
    padded = cv2.copyMakeBorder(rgb.astype(np.float32), *sides, cv2.BORDER_REPLICATE)
    small = cv2.resize(padded, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)
    narrow = sigma / step
    side = 2 * max(1, round(3 * narrow)) + 1
    blurred = cv2.GaussianBlur(small, (side, side), narrow, borderType=cv2.BORDER_REPLICATE)
    full = cv2.resize(blurred, padded.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    found = full[margin : margin + height, margin : margin + width]
    return pixels.as_planes(np.asarray(np.rint(found).clip(0, 255), np.uint8))
