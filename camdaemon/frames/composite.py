"""Mattes and the arithmetic after them: framing, composite, check. Pure functions of tensors on any device."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from camdaemon.errors import MattingError
from camdaemon.frames import fused, pixels
from camdaemon.frames.appearance import Appearance


@dataclass(frozen=True, slots=True, eq=False)
class Matte:
    """The person in one frame. Bytes or floats (see `pixels`), on the device of the frame.

    Attributes:
        alpha: (1,1,H,W), the maximum where the person is.
        foreground: (1,3,H,W), RGB: the person's own colors, which hold where alpha is above 0.
        seq: Of the frame that both were computed from.
    """

    alpha: Tensor
    foreground: Tensor
    seq: int


Bytes = NDArray[np.uint8]

_NOISE = 0.02  # alpha below this is noise of the network; shown, it would be a faint print of the room
_SPARSE = 12  # partly transparent pixels are looked up one by one if at most one in so many is; else row by row
_ROWS = 16  # at a time, so that intermediate results stay in the processor's cache
_PIXEL = np.dtype((np.void, 3))
_MAX_EDGE = 1 / 240  # of the height: how far the edge moves inwards at its tightest, 3 pixels of 720


def composite(matte: Matte, backdrop: Tensor, edge: float = 0.0) -> Tensor:
    """Composite a matte over a backdrop: C = αF + (1 - α)B (Lin et al. 2021, equation of §3).

    F is the predicted foreground, never the camera's pixels, so no fringe of the room comes along. Alpha is stretched
    so that its outermost 2 % become exactly 0 and 1.

    Args:
        matte: Of this frame.
        backdrop: (1,3,H,W).
        edge: Moves the contour of alpha, see `trim`; -1..1.

    Returns:
        (1,3,H,W), bytes or floats as `backdrop`.
    """
    if fused.is_usable(backdrop.device):
        return fused.blend(_move_contour(matte.alpha, edge), matte.foreground, backdrop, *limits_of(edge))
    if backdrop.is_floating_point():
        return torch.lerp(backdrop, matte.foreground, trim(matte.alpha, edge))
    alpha, colors = (pixels.array(pixels.as_bytes(part)) for part in (matte.alpha, matte.foreground))
    return composite_bytes(pixels.array(backdrop), colors, trim_bytes(alpha, edge))


def mix(below: Tensor, above: Tensor, share: float) -> Tensor:
    """Mix two pictures (1,3,H,W): `share` (0..1) of `above`, the rest of `below`."""
    if below.is_floating_point():
        return torch.lerp(below, above, share)
    return pixels.tensor(_bytes(cv2.addWeighted(pixels.array(above), share, pixels.array(below), 1 - share, 0)))


def composite_bytes(backdrop: Bytes, foreground: Bytes, alpha: Bytes) -> Tensor:
    """Composite (H,W,3) over (H,W,3) by (H,W).

    Where the person is solid, the foreground is copied. Partly transparent pixels are mostly a contour; only they are
    looked up and computed.
    """
    out = backdrop.copy()
    between = _bytes(cv2.inRange(alpha, 1, 254))
    if cv2.countNonZero(between) * _SPARSE > between.size:
        _composite_rows(out, foreground, alpha)
        return pixels.tensor(out)
    cv2.copyTo(foreground, cv2.inRange(alpha, 255, 255), out)
    at = np.flatnonzero((between & 1).view(bool))
    if len(at):
        near, far = (part.reshape(-1, 3).take(at, 0).reshape(1, -1) for part in (foreground, backdrop))
        share = _bytes(cv2.merge([alpha.reshape(1, -1)[:, at]] * 3)).reshape(1, -1)
        out.view(_PIXEL).reshape(-1)[at] = _blend(near, far, share).view(_PIXEL)[0]
    return pixels.tensor(out)


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


def trim(alpha: Tensor, edge: float) -> Tensor:
    """Move the contour of alpha (1,1,H,W), floats 0..1, inwards (edge up to 1), or make its rim fuller (down to -1).

    It never grows beyond where alpha is above 0.02, because the foreground's colors out there may be the room's.
    """
    low, high = limits_of(edge)
    return (_move_contour(alpha, edge) - low).mul_(1 / (high - low)).clamp_(0, 1)


def _move_contour(alpha: Tensor, edge: float) -> Tensor:
    """Move the contour of `alpha`, floats, to where a tighter edge has it."""
    if edge <= 0:
        return alpha
    reach = _reach(edge, alpha.shape[2])
    near = F.avg_pool2d(F.pad(alpha, (reach,) * 4, mode="replicate"), 2 * reach + 1, 1)
    return torch.minimum(alpha, 2 * near - 1)  # 1/2 at a straight contour, 1 at `reach` inside of it


def trim_bytes(alpha: Bytes, edge: float) -> Bytes:
    """Do what `trim` does, for bytes (H,W)."""
    low, high = limits_of(edge)
    if edge > 0:
        side = 2 * _reach(edge, alpha.shape[0]) + 1
        near = cv2.blur(alpha, (side, side), borderType=cv2.BORDER_REPLICATE)
        alpha = _bytes(cv2.min(alpha, cv2.subtract(near, cv2.bitwise_not(near))))  # 2·near − 1 is near − (1 − near)
    return _bytes(cv2.addWeighted(alpha, 1 / (high - low), alpha, 0, -255 * low / (high - low)))  # saturates at 0..255


def limits_of(edge: float) -> tuple[float, float]:
    """Return the alpha up to which it becomes 0, and from which on it becomes 1."""
    return _NOISE + 0.3 * max(edge, 0.0), 1 - _NOISE - 0.6 * max(-edge, 0.0)


def _reach(edge: float, height: int) -> int:
    """Return how far a contour moves inwards, in pixels."""
    return max(1, round(edge * _MAX_EDGE * height))


def _bytes(found: object) -> Bytes:
    return np.asarray(found, np.uint8)


def apply_framing(picture: Tensor, appearance: Appearance) -> Tensor:
    """Crop and mirror (1,C,H,W) as `appearance` says; the crop is enlarged to the same shape."""
    height, width = picture.shape[-2:]
    if appearance.crop is not None:
        x, y, w, h = appearance.crop.box(width, height)
        picture = F.interpolate(picture[..., y : y + h, x : x + w], (height, width), mode="bilinear")
    return picture.flip(3) if appearance.mirror else picture


def apply_framing_to_matte(matte: Matte, appearance: Appearance) -> Matte:
    """Crop and mirror a matte as `appearance` says.

    Enlarging a contour mixes in colors from next to the person, which may be the room's, so each is weighted by alpha.
    """
    alpha = apply_framing(matte.alpha, appearance)
    if appearance.crop is None:
        return Matte(alpha, apply_framing(matte.foreground, appearance), matte.seq)
    weighted = apply_framing(pixels.unit(matte.foreground) * pixels.unit(matte.alpha), appearance)
    colors = (weighted / pixels.unit(alpha).clamp(min=_NOISE)).clamp_(0, 1)
    return Matte(alpha, pixels.like(colors, matte.foreground), matte.seq)


def check(matte: Matte, finished: Tensor, seq: int, max_coverage: float) -> None:
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
    doubtful = finished if finished.is_floating_point() else matte.foreground
    parts = (matte.alpha, doubtful) if doubtful.is_floating_point() else (matte.alpha,)
    sums = torch.stack([pixels.mean(part) for part in parts]).tolist()
    if not all(math.isfinite(value) for value in sums):
        raise MattingError("the matte holds NaN or infinity; check the weights, then: camdaemon run --device cpu")
    if sums[0] > max_coverage:
        raise MattingError(
            f"the matte covers {sums[0]:.0%} of the picture (at most {max_coverage:.0%} may be a person): "
            "the camera or the light changed; take a new plate with: camdaemon plate"
        )
