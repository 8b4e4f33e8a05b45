"""The last arithmetic before viewers: pure functions of tensors, any device."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from camdaemon.errors import MattingError
from camdaemon.matte import Matte
from camdaemon.style import Style

_LEAST = 0.02  # below this a network's alpha is its own noise; shown, it would be a faint print of the room
_MOST_EDGE = 1 / 240  # of the height: how far the edge moves inwards at its tightest, 3 pixels of 720


def composite(matte: Matte, backdrop: Tensor, edge: float = 0.0) -> Tensor:
    """C = αF + (1 − α)B (Lin et al. 2021, eq. of §3): matte over `backdrop` (1,3,H,W), 0..1 → (1,3,H,W), 0..1.

    F is the predicted foreground, never the camera's pixels, so that no fringe of the room comes along. Alpha is
    stretched so that its outermost 2 % become exactly 0 and 1, and `edge` (see `trimmed`) moves its contour.
    """
    return torch.lerp(backdrop, matte.foreground, trimmed(matte.alpha, edge))


def trimmed(alpha: Tensor, edge: float) -> Tensor:
    """(1,1,H,W), 0..1 → the same, its contour moved inwards (edge up to 1) or its rim made fuller (down to −1).

    It never grows beyond where alpha is above 0.02: the foreground's colours out there may be the room's.
    """
    low, high = _LEAST, 1 - _LEAST
    if edge < 0:
        high -= 0.6 * -edge
    elif edge > 0:
        low += 0.3 * edge
        reach = max(1, round(edge * _MOST_EDGE * alpha.shape[2]))
        near = F.avg_pool2d(alpha, 2 * reach + 1, 1, reach, count_include_pad=False)
        alpha = torch.minimum(alpha, 2 * near - 1)  # 1/2 at a straight contour, 1 at `reach` inside of it
    return (alpha - low).mul_(1 / (high - low)).clamp_(0, 1)


def framed(picture: Tensor, style: Style) -> Tensor:
    """(1,C,H,W) → the same shape: its crop enlarged to fill the frame, then mirrored, as `style` says."""
    height, width = picture.shape[-2:]
    if style.crop is not None:
        x, y, w, h = style.crop.box(width, height)
        picture = F.interpolate(picture[..., y : y + h, x : x + w], (height, width), mode="bilinear")
    return picture.flip(3) if style.mirror else picture


def framed_matte(matte: Matte, style: Style) -> Matte:
    """`matte`, framed as `style` says.

    An enlarged contour mixes colours from beside the person in, which may be the room's: so each counts by its alpha.
    """
    alpha = framed(matte.alpha, style)
    if style.crop is None:
        return Matte(alpha, framed(matte.foreground, style), matte.seq)
    weighed = framed(matte.foreground * matte.alpha, style)
    return Matte(alpha, (weighed / alpha.clamp(min=_LEAST)).clamp_(0, 1), matte.seq)


def check(matte: Matte, finished: Tensor, seq: int, max_coverage: float) -> None:
    """Raise MattingError unless `finished` (1,3,H,W) may be shown for frame `seq` (law 4).

    Refused: a matte of another frame, NaN or infinity anywhere, and a matte that covers more of the picture than a
    person does: that is a camera that moved or a light that went on, and the "person" would be the room.
    """
    if matte.seq != seq:
        raise MattingError(
            f"the matte is of frame {matte.seq}, the picture of frame {seq}; restart with: camdaemon run"
        )
    sums = torch.stack((finished.float().mean(), matte.alpha.float().mean())).tolist()
    if not all(math.isfinite(value) for value in sums):
        raise MattingError("the matte holds NaN or infinity; check the weights, then: camdaemon run --device cpu")
    if sums[1] > max_coverage:
        raise MattingError(
            f"the matte covers {sums[1]:.0%} of the picture (at most {max_coverage:.0%} may be a person): "
            "the camera or the light changed; take a new plate with: camdaemon plate"
        )
