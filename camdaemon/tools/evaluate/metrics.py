"""The figures of matting papers, and what viewers see of the room. Alphas are float (H,W), 0..1; no state.

Rhemann et al. 2009, "A perceptually motivated online benchmark for image matting" (CVPR), §4, gives SAD, MSE, gradient
and connectivity error; the constants are those of its published evaluation, and the scaling (SAD, Grad and Conn in
thousands, MSE and MAD times 1000) that of Lin et al. 2021 (Background Matting V2, Table 1). Lower is better.

Leak and holes are ours, of the alpha as viewers get it: shares of the room and of the person, in percent.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Alpha: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]
Figures: TypeAlias = dict[str, float]  # by the names in REGION_FIGURES; NaN: nothing to measure

REGION_FIGURES = ("MAD", "SAD", "MSE", "Grad", "Conn")
_SIGMA = 1.4
_STEP, _DISTANCE = 0.1, 0.15  # Rhemann et al. 2009, eq. 6: the thresholds' distance, and θ
_RIM = 12 / 720  # of the height: nearer to the person, a rim that is too wide is an error of the edge and no leak
_LEAKED, _SOLID, _WHOLE = 0.1, 0.99, 0.7


def unknown_region(truth: Alpha) -> Mask:
    """Return where a trimap made from `truth` is unknown, (H,W) (Lin et al. 2021, appendix D.2).

    It is 0.06 ≤ alpha ≤ 0.96, dilated ten times and eroded ten times by a 3×3 circle (which is a cross): a closing,
    which fills gaps of less than 20 pixels between soft edges.
    """
    soft = ((truth >= 0.06) & (truth <= 0.96)).astype(np.uint8)
    circle = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    closed = cv2.erode(cv2.dilate(soft, circle, iterations=10), circle, iterations=10)
    return np.asarray(closed > 0)


def score(alpha: Alpha, truth: Alpha) -> dict[str, Figures]:
    """Return the figures of `alpha` over the trimap's 'unknown' region and over the 'whole' picture."""
    difference = np.abs(alpha - truth)
    maps = difference, gradient_errors(alpha, truth), connectivity_errors(alpha, truth)
    everywhere = np.ones(truth.shape, np.bool_)
    return {"unknown": sum_up(*maps, unknown_region(truth)), "whole": sum_up(*maps, everywhere)}


def sum_up(difference: Alpha, gradient: Alpha, connectivity: Alpha, where: Mask) -> Figures:
    """Return the figures in REGION_FIGURES over `where` from |α − α*|, gradient and connectivity errors, (H,W) each."""
    if not where.any():
        return dict.fromkeys(REGION_FIGURES, math.nan)
    inside = difference[where].astype(np.float64)
    return {
        "MAD": 1000 * inside.mean(),
        "SAD": inside.sum() / 1000,
        "MSE": 1000 * np.square(inside).mean(),
        "Grad": gradient[where].sum(dtype=np.float64) / 1000,
        "Conn": connectivity[where].sum(dtype=np.float64) / 1000,
    }


def gradient_errors(alpha: Alpha, truth: Alpha) -> Alpha:
    """Return (|∇α| − |∇α*|)² at each pixel, (H,W) (Rhemann et al. 2009, eq. 4 with q = 2).

    ∇ is the convolution with first-order Gaussian derivatives, σ = 1.4, edges repeated. The published code first
    stretches both alphas to reach 0 and 1, which would raise the noise of an empty frame to a person; we do not.
    """
    return np.asarray(np.square(_steepness(alpha) - _steepness(truth)), np.float32)


def _steepness(alpha: Alpha) -> Alpha:
    bell, slope = derivative_filter()
    across = cv2.sepFilter2D(alpha, cv2.CV_32F, slope, bell, borderType=cv2.BORDER_REPLICATE)
    down = cv2.sepFilter2D(alpha, cv2.CV_32F, bell, slope, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(np.hypot(across, down), np.float32)


def derivative_filter() -> tuple[Alpha, Alpha]:
    """Return g(x) and g'(x) of σ = 1.4, 9 taps each; their outer product has an L2 norm of 1, as published."""
    radius = math.ceil(_SIGMA * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * _SIGMA * 0.01)))
    x = np.arange(-radius, radius + 1, dtype=np.float64)
    bell = np.exp(-(x**2) / (2 * _SIGMA**2))
    slope = -x * bell
    return (bell / np.linalg.norm(bell)).astype(np.float32), (slope / np.linalg.norm(slope)).astype(np.float32)


def connectivity_errors(alpha: Alpha, truth: Alpha) -> Alpha:
    """Return |φ(α) − φ(α*)| at each pixel, (H,W) (Rhemann et al. 2009, eq. 5 and 6, p = 1).

    Ω is the largest 4-connected region in which both alphas are at least a threshold; l is the last of the thresholds
    0, 0.1 … 1 up to which the pixel belonged to it; d = α − l, and φ = 1 − d where d ≥ 0.15, else 1.
    """
    level = np.full(truth.shape, -1, np.float32)
    for step in range(1, round(1 / _STEP) + 1):
        both = (np.minimum(alpha, truth) >= np.float32(step * _STEP)).astype(np.uint8)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(both, connectivity=4)
        sizes = stats[1:, cv2.CC_STAT_AREA]
        largest = labels == 1 + int(sizes.argmax()) if sizes.size else np.zeros(truth.shape, np.bool_)
        level[(level < 0) & ~largest] = (step - 1) * _STEP
    level[level < 0] = 1
    return np.asarray(np.abs(_connected(alpha - level) - _connected(truth - level)), np.float32)


def _connected(distance: Alpha) -> Alpha:
    return np.where(distance >= _DISTANCE, 1 - distance, np.float32(1))


def foreground_mse(found: NDArray[np.uint8], true: NDArray[np.uint8], truth: Alpha) -> float:
    """Return the mean squared error, times 1000, of colors (H,W,3), 0..255, as 0..1, where true alpha is above 0."""
    where = truth > 0
    if not where.any():
        return math.nan
    difference = (found[where].astype(np.float64) - true[where]) / 255
    return float(1000 * np.square(difference).mean())


def dtssd(alpha: Alpha, before: Alpha, truth: Alpha, truth_before: Alpha) -> float:
    """Return the flicker between two frames: 100 · √ mean((α − α₋₁) − (α* − α*₋₁))².

    The dtSSD of Erofeev et al. 2015, "Perceptually motivated benchmark for video matting", in the scale of Lin et al.
    2022 (Robust Video Matting).
    """
    change = (alpha.astype(np.float64) - before) - (truth.astype(np.float64) - truth_before)
    return float(100 * math.sqrt(np.square(change).mean()))


def find_room(truth: Alpha) -> Mask:
    """Return where there is surely the room, (H,W): alpha is 0, and the person at least 12 pixels of 720 lines away."""
    distance = cv2.distanceTransform((truth <= 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance >= _RIM * truth.shape[0])


def find_leaks(alpha: Alpha, room: Mask) -> Mask:
    """Return the pixels of `room` that viewers see: those published with an alpha over 0.1."""
    return np.asarray((alpha > _LEAKED) & room)


def leak(alpha: Alpha, room: Mask) -> float:
    """Return the share of `room` that leaks, in percent; NaN without a room."""
    return 100 * float(find_leaks(alpha, room).sum() / room.sum()) if room.any() else math.nan


def holes(alpha: Alpha, truth: Alpha) -> float:
    """Return the share of the solid person (true alpha over 0.99) published with less than 0.7, in percent."""
    solid = truth > _SOLID
    return 100 * float((alpha[solid] < _WHOLE).mean()) if solid.any() else math.nan
