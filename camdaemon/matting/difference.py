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
from typing import Any

import cv2

from camdaemon.errors import MattingError
from camdaemon.frames import pixels
from camdaemon.frames.composite import Matte
from camdaemon.frames.frame import Size
from camdaemon.frames.pixels import Array
from camdaemon.matting import MattingSettings
from camdaemon.matting.effort import Effort, vary_rate_only
from camdaemon.matting.maps import ArrayMaps, Maps

_LOW, _HIGH, _SHARE = 0.06, 0.20, 0.7  # d below low: room; above high, and this share of the contrast: person
_CORE = 0.10
_COARSE = 4  # pixels of the frame along a pixel of the mask
_OPEN, _CLOSE, _EDGE = 1, 6, 2  # radii in pixels of the mask: specks, holes, width of the soft edge
_LEAST_ALPHA = 0.05  # dividing by less would amplify noise


def key_alpha(difference: Any, maps: Maps) -> Any:
    """Compute alpha from the difference of a frame and its plate.

    Args:
        difference: The largest of the channels', a map of H × W values, 0..1; H and W are multiples of 4.
        maps: What computes with such maps.

    Returns:
        Alpha, a map of H × W values, 0..1.
    """
    coarse = maps.mean_blocks(difference, _COARSE)
    mask = maps.exceeds(coarse, _CORE)
    mask = maps.dilate(maps.erode(mask, _OPEN), _OPEN)
    mask = maps.erode(maps.dilate(mask, _CLOSE), _CLOSE)
    high = (_SHARE * maps.dilate(coarse, _EDGE)).clip(_HIGH)
    regions = maps.erode(mask, _EDGE), maps.dilate(mask, _EDGE), high
    inside, near, high = (maps.enlarge(each, difference) for each in regions)
    x = ((maps.smooth(difference) - _LOW) / (high - _LOW)).clip(0, 1)
    return maps.maximum(inside, maps.minimum(near, x * x * (3 - 2 * x)))


class DifferenceMatting:
    """Difference keying as a matting; see the protocol `Matting`. Any device, bytes or floats."""

    name = "difference"
    uses_weights = doubts = False
    effort = Effort()  # there is only one way to work
    ladder = vary_rate_only(effort)
    settled = True

    @classmethod
    def open(cls, settings: MattingSettings, device: str) -> DifferenceMatting:
        """See MattingClass.open. It has nothing to set and works on any device."""
        return cls()

    def warm_up(self, size: Size) -> None:
        """See `Matting.warm_up`. There is nothing to warm up."""

    def prepare(self, src: Array, plate: Array, confidence: Array | None) -> None:
        """See `Matting.prepare`. It works on all of a frame at once."""

    def prepared_cost(self, seconds: float) -> float:
        """See `Matting.prepared_cost`. Nothing is prepared."""
        return seconds

    def __call__(
        self,
        src: Array,
        plate: Array,
        confidence: Array | None,
        seq: int,
        halfway: Callable[[], None] | None = None,
    ) -> Matte:
        """See `Matting.__call__`. It believes the plate."""
        maps = _find_maps(src)
        try:
            room = pixels.unit(plate)
            change = pixels.unit(src) - room
            alpha = key_alpha(maps.find_largest(change), maps)
            foreground = (room + change / maps.as_picture(alpha).clip(_LEAST_ALPHA)).clip(0, 1)
            sane = maps.is_finite(alpha) and maps.is_finite(foreground)
        except (RuntimeError, ValueError, MemoryError, cv2.error) as exc:
            first = next(iter(str(exc).splitlines()), type(exc).__name__)
            raise MattingError(f"matting of frame {seq} failed: {first}. Run: camdaemon run --device cpu") from exc
        if not sane:
            raise MattingError(
                f"matting of frame {seq} failed: NaN or infinite values. Run: camdaemon run --device cpu"
            )
        return Matte(pixels.like(maps.as_picture(alpha), src), pixels.like(foreground, src), seq)


def _find_maps(src: Array) -> Maps:
    if pixels.is_host(src):
        return ArrayMaps()
    from camdaemon.matting.tensor_maps import TensorMaps

    return TensorMaps()
