"""Matching the plate to each frame's exposure and white balance."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from camdaemon.frames import pixels
from camdaemon.frames.picture import Upload
from camdaemon.plate.take import Plate


class PlateMatcher:
    """Brings the plate to the exposure and white balance of each frame. Used by the worker alone.

    Model: frame = g·plate where the room shows, one gain g per colour channel (a change of exposure or white balance
    is close to a factor, and g moves smoothly). g is the median of the ratio over the blocks that the last frame's
    matte called room; what is learnt from an old frame steers only the plate, never the matte that is published.
    """

    _LARGE = 500_000  # pixels; from there on blocks are larger: enough to judge by, and few enough for one thread
    _STEP = 1 / 256  # of a gain: smaller changes, one level of 255 at most, are not worth a new plate
    _FOLLOW = 0.35  # share of the way to a new gain in each frame, against flicker
    _JUMP = 0.03  # a lamp that goes on is followed at once, if enough room is seen: waiting would show it

    def __init__(self, upload: Upload, *, enabled: bool) -> None:
        self._upload, self._enabled = upload, enabled
        self._plate: Plate | None = None
        self._clean: Tensor | None = None
        self._block = 8  # pixels along a side
        self._small: Tensor | None = None
        self._room: Tensor | None = None
        self._gain: Tensor | None = None
        self._matched: tuple[Tensor, Tensor] | None = None  # the gain, and the plate with it

    def clean(self, plate: Plate) -> Tensor:
        """`plate` as it was taken: (1,3,H,W), in the device's levels, the same tensor for the same plate."""
        if self._plate is not plate or self._clean is None:
            self._clean = self._upload(plate.rgb)
            self._plate, self._room, self._gain, self._matched = plate, None, None, None
            self._block = 16 if self._clean[0, 0].numel() > self._LARGE else 8
            self._small = pixels.blocks(self._clean, self._block)
        return self._clean

    def matched(self, plate: Plate, src: Tensor) -> Tensor:
        """`plate` as the camera would have taken `src`; of bytes, the same tensor while nothing changes."""
        clean = self.clean(plate)
        if not self._enabled or self._small is None:
            return clean
        now, then = pixels.blocks(src, self._block), self._small
        usable = (then > 0.08) & (then < 0.95) & (now > 0.04) & (now < 0.97)
        if self._room is not None:
            usable = usable & self._room
        ratio = torch.where(usable, now / then, torch.nan).flatten(2)
        gain = ratio.nanmedian(2).values.clamp(0.5, 2.0)[:, :, None, None]
        seen = usable.flatten(2).float().mean(2)[:, :, None, None]  # share of the picture to judge by
        before = torch.ones_like(gain) if self._gain is None else self._gain
        least = 0.0 if self._gain is None else self._JUMP  # the first frame has none before it to flicker against
        jumped = ((gain - before).abs() > least * before) & (seen > 0.25)
        followed = torch.where(jumped, gain, before + self._FOLLOW * (gain - before))
        self._gain = torch.where((seen > 0.03) & gain.isfinite(), followed, before)
        if clean.is_floating_point():  # asking whether it moved would wait for the accelerator
            return brightened(clean, self._gain)
        if self._matched is None or bool(((self._gain - self._matched[0]).abs() > self._STEP).any()):
            self._matched = self._gain, brightened(clean, self._gain)
        return self._matched[1]

    def learn(self, alpha: Tensor) -> None:
        """Remember where this frame's `alpha` (1,1,H,W) saw nothing but room."""
        self._room = pixels.peaks_below(alpha, self._block, 0.02)


def brightened(clean: Tensor, gain: Tensor) -> Tensor:
    """`clean`, either of `levels`, times `gain` (1,3,1,1), held to what a picture can be."""
    if clean.is_floating_point():
        return (clean * gain.to(clean.dtype)).clamp_(0, 1)
    return pixels.tensor(
        np.asarray(cv2.transform(pixels.array(clean), np.diag(gain.flatten().double().numpy())), np.uint8)
    )
