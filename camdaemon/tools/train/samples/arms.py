"""Arms raised apart from the body, in the colors of the person whose they are.

People in photographs of clothes let their arms hang. A network trained on those alone loses a hand that is raised far
from the head.
"""

from __future__ import annotations

import cmath
import math
from typing import NamedTuple

import cv2
import numpy as np

from camdaemon.tools.train.samples.augment import Alpha, smooth_noise
from camdaemon.tools.train.samples.degrade import add_motion_blur
from camdaemon.tools.train.samples.geometry import Pixels, Random, Size, random_sign
from camdaemon.tools.train.samples.limbs import Floats, Look, Part, draw_hand, paint_parts, point_up

_WITH_ARMS = 0.22  # of the people
_BOTH = 0.3  # of those raise both arms
_FROM_SHOULDER = 0.45  # of the arms; the others come from an edge of the frame
_BEHIND = 0.2  # of the arms are behind the person
_MOVING = 0.25  # of the arms are blurred
_TRIES = 5
_APART = 0.4  # of an arm has to be beside the person
_SEEN = 0.1  # of alpha, from which on a point is on the person
_LEAST_ARM = 0.006  # of the frame
_LEAST_PERSON = 0.02  # of the frame; nobody can be measured below it
_SHOULDERS = 45.0  # centimeters; all lengths below are centimeters, too
_FACE = 26.0
_PALE, _DARK = np.array([246.0, 212, 190]), np.array([92.0, 58, 42])  # skin where no face is seen


class _Body(NamedTuple):
    """A person in the frame.

    Attributes:
        top: The head's top, as `limbs` has points.
        unit: Pixels along a centimeter.
    """

    top: complex
    unit: float


class _Pose(NamedTuple):
    """How an arm is held.

    Attributes:
        shoulder: Its upper end, as `limbs` has points.
        elbow: Between the upper arm and the forearm.
        wrist: Where the hand begins.
        heading: Where the forearm points, of length 1.
        unit: Pixels along a centimeter of it.
        enters: Whether it comes from outside of the frame, and not from the person's shoulder.
    """

    shoulder: complex
    elbow: complex
    wrist: complex
    heading: complex
    unit: float
    enters: bool


def raise_arms(rng: Random, color: Pixels, alpha: Alpha) -> tuple[Pixels, Alpha]:
    """Raise one or both arms of the person, in 22 % of the samples: they are foreground, too.

    Args:
        rng: Randomness.
        color: (H,W,3), of the person.
        alpha: (H,W).

    Returns:
        Color and alpha with the arms; the same ones if there are none.
    """
    if rng.random() >= _WITH_ARMS or (alpha > 0.5).mean() < _LEAST_PERSON:
        return color, alpha
    body, bare = _measure(alpha), alpha
    look, sleeve = _draw_look(rng, color, alpha, body), _draw_sleeve(rng)
    side = random_sign(rng)
    sides = (side, -side) if rng.random() < _BOTH else (side,)
    for each in sides:
        arm = _draw_arm(rng, body, each, sleeve, look, bare)
        if arm is not None:
            color, alpha = _add(arm, color, alpha, behind=rng.random() < _BEHIND)
    return color, alpha


def _measure(alpha: Alpha) -> _Body:
    """Find the head's top, and tell the size by the shoulders' width."""
    solid = alpha > 0.5
    rows = np.flatnonzero(solid.any(1))
    wide = float(np.percentile(solid.sum(1)[rows], 80).clip(0.15 * len(alpha), 1.3 * len(alpha)))
    head = solid[rows[0] : rows[0] + max(1, round(0.4 * wide))]
    return _Body(complex(np.median(np.nonzero(head)[1]) + 0.5, rows[0]), wide / _SHOULDERS)


def _draw_look(rng: Random, color: Pixels, alpha: Alpha, body: _Body) -> Look:
    """Draw skin of the face's color and clothes of the body's texture, with a light that is the same on both arms."""
    frame = alpha.shape
    noise = 0.04 * smooth_noise(rng, frame, 12) + 0.02 * rng.standard_normal(frame, np.float32)
    skin = _find_skin(rng, color, alpha, body) * np.exp(rng.normal(0, 0.08))
    folds = np.exp(rng.uniform(0, 0.2) * smooth_noise(rng, frame, 16))[:, :, None]
    light = rng.uniform(0.05, 0.35) * point_up(rng.uniform(0, 1.8), random_sign(rng))
    cloth = _spread_cloth(rng, color, alpha, body) * folds
    return Look((skin * (1 + noise[:, :, None])).astype(np.float32), cloth, light, rng.uniform(1, 2))


def _find_skin(rng: Random, color: Pixels, alpha: Alpha, body: _Body) -> Floats:
    """Return the color (3,) of the skin in the upper part of a person, or of anybody's if it shows none."""
    top, left = round(body.top.imag), round(body.top.real - 0.5 * _FACE * body.unit)
    reach = max(2, round(_FACE * body.unit))
    part = np.s_[max(0, top) : top + reach, max(0, left) : max(1, left + reach)]
    _, red, blue = np.moveaxis(cv2.cvtColor(color[part], cv2.COLOR_RGB2YCrCb), 2, 0)
    likely = (red > 136) & (red < 180) & (blue > 80) & (blue < 128) & (alpha[part] > 0.9)
    anybody = _PALE + rng.random() * (_DARK - _PALE)
    return np.asarray(np.median(color[part][likely], 0) if likely.mean() > 0.05 else anybody, np.float32)


def _spread_cloth(rng: Random, color: Pixels, alpha: Alpha, body: _Body) -> Floats:
    """Return float32 (H,W,3): a piece of the person's clothes, mirrored again and again."""
    height, width = alpha.shape
    rows, columns = np.nonzero(alpha > 0.9 * alpha.max())
    low = rows >= min(body.top.imag + 1.4 * _FACE * body.unit, np.percentile(rows, 70))
    at, half = int(rng.integers(low.sum())), max(2, round(rng.uniform(3, 7) * body.unit))
    row, column = rows[low][at], columns[low][at]
    piece = color[max(0, row - half) : row + half, max(0, column - half) : column + half]
    fold = cv2.BORDER_REFLECT
    spread = cv2.copyMakeBorder(piece, 0, height - min(height, len(piece)), 0, width - min(width, piece.shape[1]), fold)
    return np.asarray(spread[:height, :width], np.float32)


def _draw_sleeve(rng: Random) -> float:
    """Draw where the sleeves end: 0 at the shoulder, 1 at the elbow, 2 at the wrist."""
    ends = ((0, 0), (0.4, 0.8), (1.2, 1.7), (1.82, 1.95))
    return float(rng.uniform(*ends[rng.choice(len(ends), p=(0.15, 0.15, 0.15, 0.55))]))


def _draw_arm(rng: Random, body: _Body, side: float, sleeve: float, look: Look, alpha: Alpha) -> Floats | None:
    """Draw an arm that is apart from the person, as `paint_parts` returns it; None if there is no place for it."""
    for _ in range(_TRIES):
        pose = _draw_pose(rng, body, side, alpha.shape)
        if not _is_apart(pose, alpha):
            continue
        layer = paint_parts(_dress_arm(rng, pose, sleeve), look, alpha.shape)
        cover = layer[:, :, 3] / 255
        if cover.mean() > _LEAST_ARM and (cover * (1 - alpha)).sum() > _APART * cover.sum():
            return np.asarray(add_motion_blur(rng, (layer + 0.5).astype(np.uint8), _MOVING), np.float32)
    return None


def _draw_pose(rng: Random, body: _Body, side: float, frame: Size) -> _Pose:
    """Draw an arm from the shoulder, or from below or beside the frame, up to a hand beside or above the head."""
    unit = body.unit * math.exp(rng.uniform(-0.15, 0.3))  # a hand is nearer than the head, mostly
    if rng.random() < _FROM_SHOULDER:
        shoulder = body.top + body.unit * complex(side * rng.uniform(12, 20), rng.uniform(28, 36))
        elbow = shoulder + unit * rng.uniform(18, 31) * point_up(rng.uniform(0.4, 2.4), side)
        heading = point_up(rng.uniform(-0.6, 1), side)
        return _Pose(shoulder, elbow, elbow + unit * rng.uniform(15, 27) * heading, heading, unit, enters=False)
    place = body.top + body.unit * complex(side * rng.uniform(16, 80), rng.uniform(-20, 45))
    wrist = complex(np.clip(place.real, 0, frame[1]), np.clip(place.imag, 0.1 * frame[0], 0.95 * frame[0]))
    lean = rng.uniform(-0.6, 0.6) if rng.random() < 0.7 else rng.uniform(-1.5, -0.8)
    heading = point_up(lean, side)
    elbow = wrist - unit * rng.uniform(20, 27) * heading
    shoulder = elbow - unit * 40 * point_up(lean + rng.normal(0, 0.2), side)
    return _Pose(shoulder, elbow, wrist, heading, unit, enters=True)


def _is_apart(pose: _Pose, alpha: Alpha) -> bool:
    """Whether the palm is in the frame and not on the person, and an arm that enters the frame begins outside."""
    palm, frame = pose.wrist + 6 * pose.unit * pose.heading, alpha.shape
    if not _is_inside(palm, frame) or (pose.enters and _is_inside(pose.shoulder, frame)):
        return False
    return bool(alpha[int(palm.imag), int(palm.real)] < _SEEN)


def _is_inside(point: complex, frame: Size) -> bool:
    return 0 <= point.imag < frame[0] and 0 <= point.real < frame[1]


def _dress_arm(rng: Random, pose: _Pose, sleeve: float) -> list[Part]:
    """Return an arm with its hand, and with a sleeve that ends where `_draw_sleeve` says."""
    unit = pose.unit
    upper = Part(pose.shoulder, pose.elbow, 5.5 * unit, 4.5 * unit)
    fore = Part(pose.elbow, pose.wrist, 4.5 * unit, 2.8 * unit)
    wider = unit * rng.uniform(0.4, 2)
    sleeves = [part.sleeve(min(1, sleeve - at), wider) for at, part in enumerate((upper, fore)) if sleeve > at]
    hand = draw_hand(rng, pose.wrist, pose.heading * cmath.rect(1, rng.normal(0, 0.25)), unit)
    return [upper, fore, *hand, *sleeves]


def _add(arm: Floats, color: Pixels, alpha: Alpha, *, behind: bool) -> tuple[Pixels, Alpha]:
    """Composite an arm, float32 (H,W,4) as `paint_parts` returns it, over a person or behind them."""
    cover = arm[:, :, 3] / 255
    arm_left = (1 - alpha if behind else np.ones_like(alpha))[:, :, None]
    left = alpha if behind else alpha * (1 - cover)
    whole = np.minimum(cover + alpha * (1 - cover), np.float32(1))
    mixed = (arm[:, :, :3] * arm_left + left[:, :, None] * color) / np.maximum(whole, 1e-3)[:, :, None]
    return np.where(cover[:, :, None] > 0.01, (mixed + 0.5).clip(0, 255), color).astype(np.uint8), np.asarray(
        whole, np.float32
    )
