"""Difference keying: a pixel that differs from the plate is the person. The baseline for networks; needs no weights.

Difference matting after Qian and Sezan 1999 ("Video background replacement without a blue screen"), with I the frame,
B the plate, both gamma-encoded RGB in 0..1:

    d      = max over the channels of |I - B|                      (B,1,H,W), smoothed over 3x3 pixels against noise
    soft   = smoothstep((d - low) / (high - low))                  full resolution: the edge; high grows with the
                                                                   contrast near by, for alpha = |I - B| / |F - B|
    mask   = closing(opening(mean of d over 4x4 > core))           1/4 resolution: specks removed, holes filled
    alpha  = max(inside(mask), min(near(mask), soft))              inside: eroded mask; near: dilated mask
    F      = (I - (1 - alpha)·B) / alpha = B + (I - B) / alpha     clamped to 0..1

F solves the compositing equation I = alpha·F + (1 - alpha)·B (Porter and Duff 1984), which removes the plate's share
from the edge. Clothes of the plate's color become holes; a shadow or a change of exposure becomes person.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from camdaemon.errors import MattingError
from camdaemon.frames import pixels
from camdaemon.frames.composite import Matte
from camdaemon.frames.frame import Size
from camdaemon.matting import MattingSettings
from camdaemon.matting.effort import Effort, vary_rate_only

_LOW, _HIGH, _SHARE = (
    0.06,
    0.20,
    0.7,
)  # d below low: room; above high, and this share of the contrast: person
_CORE = 0.10
_COARSE = 4  # pixels of the frame along a pixel of the mask
_OPEN, _CLOSE, _EDGE = 1, 6, 2  # radii in pixels of the mask: specks, holes, width of the soft edge
_LEAST_ALPHA = 0.05  # dividing by less would amplify noise


def _dilate(x: Tensor, radius: int) -> Tensor:
    side = 2 * radius + 1  # a square, as a row and a column
    x = F.max_pool2d(x, (1, side), 1, (0, radius))
    return F.max_pool2d(x, (side, 1), 1, (radius, 0))


def _erode(x: Tensor, radius: int) -> Tensor:
    return -_dilate(-x, radius)  # no erosion from outside the picture, because a body may extend beyond it


def key_alpha(change: Tensor) -> Tensor:
    """Compute alpha from the difference of a frame and its plate.

    Args:
        change: Frame minus plate, (B,3,H,W), RGB, -1..1; H and W are multiples of 4.

    Returns:
        Alpha, (B,1,H,W), 0..1.
    """
    difference = change.abs().amax(1, keepdim=True)
    coarse = F.avg_pool2d(difference, _COARSE)
    mask = (coarse > _CORE).to(change.dtype)
    mask = _dilate(_erode(mask, _OPEN), _OPEN)
    mask = _erode(_dilate(mask, _CLOSE), _CLOSE)
    high = (_SHARE * _dilate(coarse, _EDGE)).clamp_min(_HIGH)
    regions = torch.cat([_erode(mask, _EDGE), _dilate(mask, _EDGE), high], 1)
    inside, near, high = F.interpolate(regions, change.shape[2:], mode="bilinear", align_corners=False).chunk(3, 1)
    smooth = F.avg_pool2d(difference, 3, 1, 1, count_include_pad=False)
    x = ((smooth - _LOW) / (high - _LOW)).clamp(0, 1)
    return torch.maximum(inside, torch.minimum(near, x * x * (3 - 2 * x)))


class DifferenceMatting:
    """Difference keying as a matting; see the protocol `Matting`. Any device, bytes or floats."""

    name = "difference"
    uses_weights = doubts = False
    effort = Effort()  # there is only one way to work
    ladder = vary_rate_only(effort)
    settled = True

    @classmethod
    def open(cls, settings: MattingSettings, on: torch.device) -> DifferenceMatting:
        """See MattingClass.open. It has nothing to set and works on any device."""
        return cls()

    def warm_up(self, size: Size) -> None:
        """See `Matting.warm_up`. There is nothing to warm up."""

    def prepare(self, src: Tensor, plate: Tensor, confidence: Tensor | None) -> None:
        """See `Matting.prepare`. It works on all of a frame at once."""

    def prepared_cost(self, seconds: float) -> float:
        """See `Matting.prepared_cost`. Nothing is prepared."""
        return seconds

    def __call__(
        self,
        src: Tensor,
        plate: Tensor,
        confidence: Tensor | None,
        seq: int,
        halfway: Callable[[], None] | None = None,
    ) -> Matte:
        """See `Matting.__call__`. It believes the plate."""
        try:
            with torch.inference_mode():
                room = pixels.unit(plate)
                change = pixels.unit(src) - room
                alpha = key_alpha(change)
                foreground = (room + change / alpha.clamp_min(_LEAST_ALPHA)).clamp(0, 1)
                sane = bool((alpha.sum(dtype=torch.float32) + foreground.sum(dtype=torch.float32)).isfinite())
        except RuntimeError as exc:
            first = next(iter(str(exc).splitlines()), type(exc).__name__)
            raise MattingError(f"matting of frame {seq} failed: {first}. Run: camdaemon run --device cpu") from exc
        if not sane:
            raise MattingError(
                f"matting of frame {seq} failed: NaN or infinite values. Run: camdaemon run --device cpu"
            )
        return Matte(pixels.like(alpha, src), pixels.like(foreground, src), seq)
