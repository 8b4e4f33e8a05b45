"""Mattes and the arithmetic after them: framing, composite, check. Pure functions of both kinds of picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.errors import MattingError
from camdaemon.frames import pixels
from camdaemon.frames.appearance import NOISE, Appearance, limits_of, reach_of
from camdaemon.frames.pixels import Array


@dataclass(frozen=True, slots=True, eq=False)
class Matte:
    """The person in one frame. Bytes or floats (see `pixels`), on the device of the frame.

    Attributes:
        alpha: (1,1,H,W), the maximum where the person is.
        foreground: (1,3,H,W), RGB: the person's own colors, which hold where alpha is above 0.
        seq: Of the frame that both were computed from.
    """

    alpha: Array
    foreground: Array
    seq: int


Bytes = NDArray[np.uint8]

_SPARSE = 12  # partly transparent pixels are looked up one by one if at most one in so many is; else row by row
_ROWS = 16  # at a time, so that intermediate results stay in the processor's cache
_PIXEL = np.dtype((np.void, 3))


def composite(matte: Matte, backdrop: Array, edge: float = 0.0) -> Array:
    """Composite a matte over a backdrop: C = αF + (1 - α)B (Lin et al. 2021, equation of §3).

    F is the predicted foreground, never the camera's pixels, so no fringe of the room comes along. Alpha is stretched
    so that its outermost 2 % become exactly 0 and 1.

    Args:
        matte: Of this frame.
        backdrop: (1,3,H,W).
        edge: Moves the contour of alpha, see `trim_bytes`; -1..1.

    Returns:
        (1,3,H,W), bytes or floats as `backdrop`.
    """
    if not pixels.is_host(backdrop):
        from camdaemon.frames.tensors import composite as tensors

        alpha, foreground = pixels.as_tensor(matte.alpha), pixels.as_tensor(matte.foreground)
        return tensors.composite(alpha, foreground, backdrop, edge)
    shares, colors = (pixels.interleave(pixels.as_bytes(part)) for part in (matte.alpha, matte.foreground))
    return composite_bytes(pixels.interleave(backdrop), colors, trim_bytes(shares, edge))


def mix(below: Array, above: Array, share: float) -> Array:
    """Mix two pictures (1,3,H,W): `share` (0..1) of `above`, the rest of `below`."""
    if not pixels.is_host(below):
        return below.lerp(pixels.as_tensor(above), share)
    both = pixels.interleave(pixels.to_host(above)), share, pixels.interleave(below), 1 - share
    return pixels.as_planes(_bytes(cv2.addWeighted(*both, 0)))


def composite_bytes(backdrop: Bytes, foreground: Bytes, alpha: Bytes) -> Bytes:
    """Composite (H,W,3) over (H,W,3) by (H,W): (1,3,H,W).

    Where the person is solid, the foreground is copied. Partly transparent pixels are mostly a contour; only they are
    looked up and computed.
    """
    out = backdrop.copy()
    between = _bytes(cv2.inRange(alpha, 1, 254))
    if cv2.countNonZero(between) * _SPARSE > between.size:
        _composite_rows(out, foreground, alpha)
        return pixels.as_planes(out)
    cv2.copyTo(foreground, cv2.inRange(alpha, 255, 255), out)
    at = np.flatnonzero((between & 1).view(bool))
    if len(at):
        near, far = (part.reshape(-1, 3).take(at, 0).reshape(1, -1) for part in (foreground, backdrop))
        share = _bytes(cv2.merge([alpha.reshape(1, -1)[:, at]] * 3)).reshape(1, -1)
        out.view(_PIXEL).reshape(-1)[at] = _blend(near, far, share).view(_PIXEL)[0]
    return pixels.as_planes(out)


def _composite_rows(out: Bytes, foreground: Bytes, alpha: Bytes) -> None:
    """Composite a matte with a wide soft rim, in place over the backdrop `out`.

    All of the rectangle that holds the person is computed, some rows at a time.
    """
    left, top, width, height = cv2.boundingRect(alpha)
    for y in range(top, top + height, _ROWS):
        there = (slice(y, min(y + _ROWS, top + height)), slice(left, left + width))
        out[there] = _blend(foreground[there], out[there], _bytes(cv2.merge([alpha[there]] * 3)))


def _blend(near: Bytes, far: Bytes, share: Bytes) -> Bytes:
    """Mix two byte arrays by a third of the same shape: `share` (0..255) of `near`, the rest of `far`. Rounded once."""
    both = np.multiply(near, share, dtype=np.uint16)  # 255·255 at most, together too
    both += np.multiply(far, cv2.bitwise_not(share), dtype=np.uint16)
    return _bytes(cv2.convertScaleAbs(both, alpha=1 / 255))


def trim_bytes(alpha: Bytes, edge: float) -> Bytes:
    """Move the contour of alpha (H,W) inwards (edge up to 1), or make its rim fuller (down to -1).

    It never grows beyond where alpha is above 0.02, because the foreground's colors out there may be the room's.
    """
    low, high = limits_of(edge)
    if edge > 0:
        side = 2 * reach_of(edge, alpha.shape[0]) + 1
        near = cv2.blur(alpha, (side, side), borderType=cv2.BORDER_REPLICATE)
        alpha = _bytes(cv2.min(alpha, cv2.subtract(near, cv2.bitwise_not(near))))  # 2·near − 1 is near − (1 − near)
    return _bytes(cv2.addWeighted(alpha, 1 / (high - low), alpha, 0, -255 * low / (high - low)))  # saturates at 0..255


def _bytes(found: object) -> Bytes:
    return np.asarray(found, np.uint8)


def apply_framing(picture: Array, appearance: Appearance) -> Array:
    """Crop and mirror (1,C,H,W) as `appearance` says; the crop is enlarged to the same shape."""
    if not pixels.is_host(picture):
        from camdaemon.frames.tensors import composite as tensors

        return tensors.apply_framing(picture, appearance)
    found = pixels.interleave(picture)
    height, width = found.shape[:2]
    if appearance.crop is not None:
        x, y, w, h = appearance.crop.box(width, height)
        found = cv2.resize(found[y : y + h, x : x + w], (width, height), interpolation=cv2.INTER_LINEAR)
    return pixels.as_planes(np.asarray(cv2.flip(found, 1) if appearance.mirror else found, picture.dtype))


def apply_framing_to_matte(matte: Matte, appearance: Appearance) -> Matte:
    """Crop and mirror a matte as `appearance` says.

    Enlarging a contour mixes in colors from next to the person, which may be the room's, so each is weighted by alpha.
    """
    alpha = apply_framing(matte.alpha, appearance)
    if appearance.crop is None:
        return Matte(alpha, apply_framing(matte.foreground, appearance), matte.seq)
    weighted = apply_framing(pixels.unit(matte.foreground) * pixels.unit(matte.alpha), appearance)
    colors = (weighted / pixels.unit(alpha).clip(NOISE, 1)).clip(0, 1)
    return Matte(alpha, pixels.like(colors, matte.foreground), matte.seq)


def check(matte: Matte, finished: Array, seq: int, max_coverage: float) -> None:
    """Refuse a composite that may not be shown. It fails closed.

    Args:
        matte: That the composite was made with.
        finished: The composite, (1,3,H,W).
        seq: Of the frame that it is to be shown for.
        max_coverage: The largest share of the picture, 0..1, that may be the person.

    Raises:
        MattingError: The matte is of another frame; or there is NaN or infinity anywhere; or the matte covers more of
            the picture than a person does, because the camera moved or a light went on, and the "person" is the room.
    """
    if matte.seq != seq:
        raise MattingError(
            f"the matte is of frame {matte.seq}, the picture of frame {seq}; restart with: camdaemon run"
        )
    # Bytes are always finite, even if made of NaN: then look at the foreground, which may still be floats.
    doubtful = matte.foreground if pixels.is_host(finished) else finished
    parts = (matte.alpha,) if doubtful.dtype == np.uint8 else (matte.alpha, doubtful)
    sums = pixels.means(*parts)
    if not all(math.isfinite(value) for value in sums):
        raise MattingError("the matte holds NaN or infinity; check the weights, then: camdaemon run --device cpu")
    if sums[0] > max_coverage:
        raise MattingError(
            f"the matte covers {sums[0]:.0%} of the picture (at most {max_coverage:.0%} may be a person): "
            "the camera or the light changed; take a new plate with: camdaemon plate"
        )
