"""What happens in the clip at each time: the pose of the figure, the camera's exposure and white balance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SECONDS = 12.0
ENTERS = 3.0  # seconds in which the room is empty
_WALK = 1.05  # seconds to its place
_WAVES, _LOOKS_ASIDE, _LOOKS_BACK = (4.5, 7.1), (7.3, 9.4), (9.9, 11.4)
_BLINKS = (4.3, 7.25, 9.35, 11.3)


@dataclass(frozen=True, slots=True)
class Pose:
    """The pose of the figure. Angles in radians, lengths in units.

    Attributes:
        x: Distance from its place, to the right.
        y: Distance from its place, downwards.
        lean: Angle of the whole body.
        roll: Angle of the head to the side.
        yaw: Angle of the head about the neck.
        nod: Distance of the head, downwards.
        arm: 0 below the picture, 1 raised.
        wave: Angle of the forearm.
        eyes_closed: Whether it blinks.
    """

    x: float
    y: float
    lean: float
    roll: float
    yaw: float
    nod: float
    arm: float
    wave: float
    eyes_closed: bool


def compute_pose(t: float, far: float) -> Pose | None:
    """Return the pose at `t` seconds of the clip; None while the room is empty. It enters from `far` units left."""
    s = t - ENTERS
    if s < 0:
        return None
    away = far * (1 - _ease(s / _WALK))
    rest = max(s - _WALK, 0)
    sway = 5 * math.sin(1.7 * s) + 2.5 * math.sin(2.9 * s)
    aside, wave = _during(t, _LOOKS_ASIDE), _during(t, _WAVES)
    return Pose(
        x=-away + 14 * math.exp(-rest / 0.35) * math.sin(8 * rest) + sway * _ease(s),
        y=3 + 12 * math.exp(-s / 0.5) * abs(math.sin(8.5 * s)) + 1.6 * math.sin(1.5 * s),  # steps, then breath
        lean=0.05 * _ease(away / 300) + 0.012 * math.sin(1.7 * s + 0.6),
        roll=0.03 * math.sin(0.9 * s) - 0.06 * aside + 0.05 * wave,
        yaw=0.05 * math.sin(0.7 * s + 2) + 0.21 * aside - 0.10 * _during(t, _LOOKS_BACK),
        nod=3 * math.sin(1.1 * s) + 5 * aside,
        arm=wave,
        wave=0.20 * wave * math.sin(9.5 * (t - _WAVES[0] - 0.4)),
        eyes_closed=any(0 <= t - at < 0.13 for at in _BLINKS),
    )


def compute_gains(t: float) -> NDArray[np.float64]:
    """Return the camera's gains of red, green and blue (3,): -6 % when the figure enters, later +4 % and warmer."""
    s = max(t - ENTERS - 0.2, 0)
    late = 1 - math.exp(-s / 2)
    exposure = 1 - 0.066 * (s / 0.5) * math.exp(1 - s / 0.5) + 0.034 * late + 0.005 * late * math.sin(2.3 * s)
    return exposure * np.array((1 + 0.03 * late, 1, 1 - 0.03 * late))


def _ease(share: float) -> float:
    """Map 0..1 to 0..1 with a smooth start and end."""
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)


def _during(t: float, span: tuple[float, float]) -> float:
    """Return 1 during the span and 0 outside, with half a second for each change."""
    return _ease((t - span[0]) / 0.55) * _ease((span[1] - t) / 0.55)
