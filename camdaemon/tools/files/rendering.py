"""Mattes as arrays on the host, in 8 or 16 bits, and as floats; what live would be shown of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from camdaemon.errors import MattingError
from camdaemon.frames import pixels
from camdaemon.frames.appearance import limits_of
from camdaemon.frames.composite import Matte, check, trim_bytes
from camdaemon.frames.picture import copy_to_host
from camdaemon.frames.pixels import Array

Pixels: TypeAlias = NDArray[np.uint8 | np.uint16]  # (H,W) gray, (H,W,3) RGB or (H,W,4) RGBA, each in its full range


def to_pixels(x: Array, *, deep: bool) -> Pixels:
    """Return (1,C,H,W), bytes or floats, as uint16 if `deep`, else uint8, (H,W,C) or (H,W), rounded.

    Bytes may be over the same memory.
    """
    if not deep:
        return pixels.interleave(x) if x.dtype == np.uint8 and pixels.is_host(x) else copy_to_host(x)
    return np.asarray(to_numbers(x) * np.float32(65535) + np.float32(0.5), np.uint16)


def to_numbers(x: Array) -> NDArray[np.float32]:
    """Return (1,C,H,W), bytes or floats, as float32 0..1 on the host, (H,W,C) or (H,W); in memory of its own."""
    floats = np.asarray(pixels.to_host(pixels.unit(x)), np.float32)
    return np.asarray(np.clip(pixels.interleave(floats), 0, 1), np.float32)


def render_alpha(matte: Matte, *, deep: bool = False) -> Pixels:
    """Return alpha as `composite` uses it, (H,W): its outermost 2 % stretched to exactly nothing and all."""
    if matte.alpha.dtype != np.uint8:
        return to_pixels(stretch_alpha(matte), deep=deep)
    return trim_bytes(pixels.interleave(matte.alpha), 0)


def stretch_alpha(matte: Matte) -> Array:
    """Return alpha as `composite` uses it, (1,1,H,W), floats 0..1: its outermost 2 % stretched to exactly 0 and 1."""
    low, high = limits_of(0.0)
    found: Array = ((pixels.unit(matte.alpha) - low) * (1 / (high - low))).clip(0, 1)
    return found


def explain_card(matte: Matte, max_coverage: float) -> str:
    """Return why a live picture would be the privacy card instead of `matte`; '' if it would not."""
    try:
        check(matte, matte.foreground, matte.seq, max_coverage)
    except MattingError as exc:
        return str(exc)
    return ""


def to_floats(matte: Matte) -> Matte:
    """Return a matte in floats 0..1; itself if it is."""
    return replace(matte, alpha=pixels.unit(matte.alpha), foreground=pixels.unit(matte.foreground))


def find_mean(one: Matte, other: Matte) -> Matte:
    """Return the mean of two mattes of one frame, in floats."""
    return replace(one, alpha=(one.alpha + other.alpha) / 2, foreground=(one.foreground + other.foreground) / 2)
