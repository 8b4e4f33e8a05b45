"""The last arithmetic before viewers: pure functions of tensors, any device."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from camdaemon.errors import MattingError
from camdaemon.matte import Matte

_LEAST = 0.02  # below this a network's alpha is its own noise; shown, it would be a faint print of the room


def composite(matte: Matte, backdrop: Tensor) -> Tensor:
    """C = αF + (1 − α)B (Lin et al. 2021, eq. of §3): matte over `backdrop` (1,3,H,W), 0..1 → (1,3,H,W), 0..1.

    F is the predicted foreground, never the camera's pixels, so that no fringe of the room comes along. Alpha is
    stretched so that its outermost 2 % become exactly 0 and 1.
    """
    alpha = (matte.alpha - _LEAST).mul_(1 / (1 - 2 * _LEAST)).clamp_(0, 1)
    return torch.lerp(backdrop, matte.foreground, alpha)


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
