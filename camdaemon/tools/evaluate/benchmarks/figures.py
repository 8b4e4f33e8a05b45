"""Figures as the published evaluations of the test sets compute them, from the definitions in `metrics`.

What differs from `metrics.score`: alpha is the network's own in 8 bits, not stretched for viewers; for Grad, both
alphas are stretched to reach 0 and 1 (Background Matting V2's `eval/`, Robust Video Matting's evaluation at 512x288;
that at 1920x1080 does not); and FG MSE is over the unknown region.
"""

from __future__ import annotations

import math

import numpy as np

from camdaemon.frames.composite import Matte
from camdaemon.frames.picture import copy_to_host
from camdaemon.tools.evaluate.composites import Case
from camdaemon.tools.evaluate.metrics import (
    Alpha,
    Figures,
    Mask,
    connectivity_errors,
    gradient_errors,
    sum_up,
    unknown_region,
)


def to_own_alpha(matte: Matte) -> Alpha:
    """Return the network's alpha in 8 bits, as (H,W), 0..1."""
    return np.asarray(copy_to_host(matte.alpha), np.float32) / np.float32(255)


def score_photo(alpha: Alpha, matte: Matte, case: Case) -> Figures:
    """Return the figures of Table 1 of Lin et al. 2021, over the unknown region, and the whole picture's MAD."""
    where = unknown_region(case.alpha)
    figures = _name("unknown", _measure(alpha, case.alpha, where))
    figures["FG MSE"] = _score_foreground(matte, case, where)
    return figures | {"whole MAD": 1000 * float(np.abs(alpha - case.alpha).mean())}


def score_frame(alpha: Alpha, truth: Alpha) -> Figures:
    """Return the figures of Table 1 of Lin et al. 2022 (Robust Video Matting) but dtSSD, over the whole frame."""
    return _name("whole", _measure(alpha, truth, np.ones(truth.shape, np.bool_)))


def _measure(alpha: Alpha, truth: Alpha, where: Mask) -> Figures:
    gradient = gradient_errors(_stretch(alpha), _stretch(truth))
    return sum_up(np.abs(alpha - truth), gradient, connectivity_errors(alpha, truth), where)


def _stretch(alpha: Alpha) -> Alpha:
    """Return `alpha` stretched to reach 0 and 1; one without contrast as it is."""
    least, most = alpha.min(), alpha.max()
    return np.asarray((alpha - least) / (most - least), np.float32) if most > least else alpha


def _score_foreground(matte: Matte, case: Case, where: Mask) -> float:
    """Return the mean squared error, times 1000, of colors as 0..1 over the unknown region.

    Where the true alpha is 0 there is no error, yet those pixels count in the mean, as in the published `benchmark.m`.
    """
    if not where.any():
        return math.nan
    difference = (copy_to_host(matte.foreground)[where].astype(np.float64) - case.foreground[where]) / 255
    return float(1000 * np.square(difference * (case.alpha[where] > 0)[:, None]).mean())


def _name(region: str, figures: Figures) -> Figures:
    return {f"{region} {name}": value for name, value in figures.items()}
