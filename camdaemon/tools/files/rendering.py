"""Mattes as arrays on the host, in 8 or 16 bits, and as floats; what live would be shown of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camdaemon.errors import MattingError
from camdaemon.frames import pixels
from camdaemon.frames.composite import Matte, check, composite, trim_bytes
from camdaemon.frames.picture import from_tensor

Pixels: TypeAlias = NDArray[np.uint8 | np.uint16]  # (H,W) gray, (H,W,3) RGB or (H,W,4) RGBA, each in its full range


def to_pixels(x: Tensor, *, deep: bool) -> Pixels:
    """Return (1,C,H,W), bytes or floats, as uint16 if `deep`, else uint8, (H,W,C) or (H,W), rounded.

    Bytes may be over the same memory.
    """
    if not deep:
        return pixels.array(x) if x.dtype == torch.uint8 and x.device.type == "cpu" else from_tensor(x)
    values = pixels.unit(x)[0].float().clamp(0, 1).permute(1, 2, 0).squeeze(2).cpu().numpy()
    return np.asarray(values * np.float32(65535) + np.float32(0.5), np.uint16)


def render_alpha(matte: Matte, *, deep: bool = False) -> Pixels:
    """Return alpha as `composite` uses it, (H,W): its outermost 2 % stretched to exactly nothing and all."""
    if matte.alpha.is_floating_point():
        return to_pixels(stretch_alpha(matte), deep=deep)
    return trim_bytes(pixels.array(matte.alpha), 0)


def stretch_alpha(matte: Matte) -> Tensor:
    """Return alpha as `composite` uses it, (1,1,H,W), floats 0..1: its outermost 2 % stretched to exactly 0 and 1.

    It is the composite of a white person over a black backdrop.
    """
    return composite(replace(matte, foreground=torch.ones_like(matte.alpha)), torch.zeros_like(matte.alpha))


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
