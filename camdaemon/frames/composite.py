"""The last arithmetic before viewers: pure functions of tensors, any device."""

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


@dataclass(frozen=True, slots=True, eq=False)
class Matte:
    """The person in one frame.

    alpha: (1,1,H,W), most = person.   foreground: (1,3,H,W), RGB, the person's own colours, true where alpha > 0.
    seq: the frame they were computed from.   Levels (bytes or floats, see `levels`) and device as the frame's.
    """

    alpha: Tensor
    foreground: Tensor
    seq: int


@dataclass(frozen=True, slots=True)
class Crop:
    """The part of the camera's picture that fills the frame, in shares of its width and height, all 0..1."""

    left: float = 0.0
    top: float = 0.0
    width: float = 1.0
    height: float = 1.0

    def box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """(x, y, w, h) in pixels of a picture of width × height, at least one pixel, inside it."""
        x, y = min(width - 1, round(self.left * width)), min(height - 1, round(self.top * height))
        w, h = max(1, round(self.width * width)), max(1, round(self.height * height))
        return x, y, min(w, width - x), min(h, height - y)


@dataclass(frozen=True, slots=True)
class Appearance:
    """edge: −1 (wider) to 1 (tighter) matte.   blur: of the backdrop, sigma in pixels, 0: none.

    mirror: the person (and a backdrop made of the room), not the backdrop's writing.   crop: None is the whole picture.
    """

    edge: float = 0.0
    blur: float = 0.0
    mirror: bool = False
    crop: Crop | None = None


Bytes = NDArray[np.uint8]

_LEAST = 0.02  # below this a network's alpha is its own noise; shown, it would be a faint print of the room
_FEW = 12  # of so many pixels one may be between solid and nothing; with more, looking them up takes longer than rows
_ROWS = 16  # at a time, so that what is between stays in the processor's cache
_PIXEL = np.dtype((np.void, 3))
_MOST_EDGE = 1 / 240  # of the height: how far the edge moves inwards at its tightest, 3 pixels of 720


def composite(matte: Matte, backdrop: Tensor, edge: float = 0.0) -> Tensor:
    """C = αF + (1 − α)B (Lin et al. 2021, eq. of §3): matte over `backdrop` (1,3,H,W) → (1,3,H,W), in its `levels`.

    F is the predicted foreground, never the camera's pixels, so that no fringe of the room comes along. Alpha is
    stretched so that its outermost 2 % become exactly 0 and 1, and `edge` (see `trimmed`) moves its contour.
    """
    if fused.usable(backdrop.device):
        return fused.over(_moved(matte.alpha, edge), matte.foreground, backdrop, *_kept(edge))
    if backdrop.is_floating_point():
        return torch.lerp(backdrop, matte.foreground, trimmed(matte.alpha, edge))
    alpha, colours = (pixels.array(pixels.as_bytes(part)) for part in (matte.alpha, matte.foreground))
    return _over(pixels.array(backdrop), colours, _trimmed_bytes(alpha, edge))


def mixed(below: Tensor, above: Tensor, share: float) -> Tensor:
    """`share` (0..1) of the picture `above`, the rest of `below`."""
    if below.is_floating_point():
        return torch.lerp(below, above, share)
    return pixels.tensor(_bytes(cv2.addWeighted(pixels.array(above), share, pixels.array(below), 1 - share, 0)))


def _over(backdrop: Bytes, foreground: Bytes, alpha: Bytes) -> Tensor:
    """(H,W,3) twice and (H,W). Where the person is solid their colours are copied; what is between is mostly a contour,
    and looked up pixel by pixel. There is arithmetic for that alone."""
    out = backdrop.copy()
    between = _bytes(cv2.inRange(alpha, 1, 254))
    if cv2.countNonZero(between) * _FEW > between.size:
        _over_rows(out, foreground, alpha)
        return pixels.tensor(out)
    cv2.copyTo(foreground, cv2.inRange(alpha, 255, 255), out)
    at = np.flatnonzero((between & 1).view(bool))
    if len(at):
        near, far = (part.reshape(-1, 3).take(at, 0).reshape(1, -1) for part in (foreground, backdrop))
        share = _bytes(cv2.merge([alpha.reshape(1, -1)[:, at]] * 3)).reshape(1, -1)
        out.view(_PIXEL).reshape(-1)[at] = _blended(near, far, share).view(_PIXEL)[0]
    return pixels.tensor(out)


def _over_rows(out: Bytes, foreground: Bytes, alpha: Bytes) -> None:
    """The same for a wide blur, in place over the backdrop `out`: all of the rectangle that holds the person, some rows
    at a time."""
    left, top, width, height = cv2.boundingRect(alpha)
    for y in range(top, top + height, _ROWS):
        there = (slice(y, min(y + _ROWS, top + height)), slice(left, left + width))
        out[there] = _blended(foreground[there], out[there], _bytes(cv2.merge([alpha[there]] * 3)))


def _blended(near: Bytes, far: Bytes, share: Bytes) -> Bytes:
    """`share` (0..255) of `near`, the rest of `far`; three bytes of one shape. Rounded once."""
    both = np.multiply(near, share, dtype=np.uint16)  # 255·255 at most, together too
    both += np.multiply(far, cv2.bitwise_not(share), dtype=np.uint16)
    return _bytes(cv2.convertScaleAbs(both, alpha=1 / 255))


def trimmed(alpha: Tensor, edge: float) -> Tensor:
    """(1,1,H,W), floats 0..1 → the same, its contour moved inwards (edge up to 1) or its rim made fuller (down to −1).

    It never grows beyond where alpha is above 0.02: the foreground's colours out there may be the room's.
    """
    low, high = _kept(edge)
    return (_moved(alpha, edge) - low).mul_(1 / (high - low)).clamp_(0, 1)


def _moved(alpha: Tensor, edge: float) -> Tensor:
    """`alpha`, floats, with the contour where a tighter edge has it."""
    if edge <= 0:
        return alpha
    reach = _reach(edge, alpha.shape[2])
    near = F.avg_pool2d(F.pad(alpha, (reach,) * 4, mode="replicate"), 2 * reach + 1, 1)
    return torch.minimum(alpha, 2 * near - 1)  # 1/2 at a straight contour, 1 at `reach` inside of it


def _trimmed_bytes(alpha: Bytes, edge: float) -> Bytes:
    """`trimmed` for bytes (H,W)."""
    low, high = _kept(edge)
    if edge > 0:
        side = 2 * _reach(edge, alpha.shape[0]) + 1
        near = cv2.blur(alpha, (side, side), borderType=cv2.BORDER_REPLICATE)
        alpha = _bytes(cv2.min(alpha, cv2.subtract(near, cv2.bitwise_not(near))))  # 2·near − 1 is near − (1 − near)
    return _bytes(cv2.addWeighted(alpha, 1 / (high - low), alpha, 0, -255 * low / (high - low)))  # held to 0..255


def _kept(edge: float) -> tuple[float, float]:
    """What of alpha becomes 0, and from where on it becomes 1."""
    return _LEAST + 0.3 * max(edge, 0.0), 1 - _LEAST - 0.6 * max(-edge, 0.0)


def _reach(edge: float, height: int) -> int:
    """How far a contour moves inwards, in pixels."""
    return max(1, round(edge * _MOST_EDGE * height))


def _bytes(found: object) -> Bytes:
    return np.asarray(found, np.uint8)


def framed(picture: Tensor, appearance: Appearance) -> Tensor:
    """(1,C,H,W) → the same shape: its crop enlarged to fill the frame, then mirrored, as `style` says."""
    height, width = picture.shape[-2:]
    if appearance.crop is not None:
        x, y, w, h = appearance.crop.box(width, height)
        picture = F.interpolate(picture[..., y : y + h, x : x + w], (height, width), mode="bilinear")
    return picture.flip(3) if appearance.mirror else picture


def framed_matte(matte: Matte, appearance: Appearance) -> Matte:
    """`matte`, framed as `style` says.

    An enlarged contour mixes colours from beside the person in, which may be the room's: so each counts by its alpha.
    """
    alpha = framed(matte.alpha, appearance)
    if appearance.crop is None:
        return Matte(alpha, framed(matte.foreground, appearance), matte.seq)
    weighed = framed(pixels.unit(matte.foreground) * pixels.unit(matte.alpha), appearance)
    colours = (weighed / pixels.unit(alpha).clamp(min=_LEAST)).clamp_(0, 1)
    return Matte(alpha, pixels.like(colours, matte.foreground), matte.seq)


def check(matte: Matte, finished: Tensor, seq: int, max_coverage: float) -> None:
    """Raise MattingError unless `finished` (1,3,H,W) may be shown for frame `seq` (law 4).

    Refused: a matte of another frame, NaN or infinity anywhere, and a matte that covers more of the picture than a
    person does: that is a camera that moved or a light that went on, and the "person" would be the room.
    """
    if matte.seq != seq:
        raise MattingError(
            f"the matte is of frame {matte.seq}, the picture of frame {seq}; restart with: camdaemon run"
        )
    # Bytes are finite, and no longer show that what they were made of was not.
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
