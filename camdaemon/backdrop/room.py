"""The user's own room, clean or blurred: made of the plate, so that the person leaves no halo in it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from camdaemon.errors import ConfigError
from camdaemon.frames import pixels
from camdaemon.frames.kinds import DEFAULT_BLUR

if TYPE_CHECKING:
    from camdaemon.frames.frame import Size
    from camdaemon.frames.picture import Upload


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

    def picture(self, t: float, plate: Tensor, upload: Upload) -> Tensor:
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
        self._plate: Tensor | None = None
        self._blurred: Tensor | None = None

    @staticmethod
    def check(spec: str) -> None:
        """See BackdropClass.check."""
        _parse_sigma(spec)

    @classmethod
    def open(cls, spec: str, size: Size) -> BlurBackdrop:
        """See BackdropClass.open."""
        return cls(spec, _parse_sigma(spec))

    def picture(self, t: float, plate: Tensor, upload: Upload) -> Tensor:
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


def blur_picture(picture: Tensor, sigma: float) -> Tensor:
    """Blur a picture with a Gaussian; its edges are repeated.

    A wide blur works on a smaller copy.

    Args:
        picture: (1,C,H,W), bytes 0..255 or floats 0..1.
        sigma: Standard deviation, pixels, above 0.

    Returns:
        The blurred picture, with shape and dtype of `picture`.
    """
    height, width = picture.shape[-2:]
    step = max(1, int(sigma // 5))  # a blur of sigma removes all that a shrink by sigma/5 would
    margin = math.ceil(3 * sigma / step) * step  # the edges are repeated before the shrink, which would soften them
    padded = F.pad(
        pixels.unit(picture).float(),
        (margin, margin - width % -step, margin, margin - height % -step),
        mode="replicate",
    )
    small = F.avg_pool2d(padded, step)
    narrow = sigma / step
    radius = max(1, round(3 * narrow))
    x = torch.arange(-radius, radius + 1, device=picture.device, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (x / narrow) ** 2)
    kernel = (kernel / kernel.sum()).expand(small.shape[1], 1, 1, -1)
    blurred = F.conv2d(F.pad(small, (radius,) * 4, mode="replicate"), kernel, groups=small.shape[1])
    blurred = F.conv2d(blurred, kernel.transpose(2, 3), groups=small.shape[1])
    full = F.interpolate(blurred, padded.shape[-2:], mode="bicubic", align_corners=False)
    return pixels.like(full[..., margin : margin + height, margin : margin + width].clamp(0, 1), picture)
