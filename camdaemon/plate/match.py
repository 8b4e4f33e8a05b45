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
    """Brings the plate to the exposure and white balance of each frame. For the worker alone.

    Model: where the room shows, frame = g·plate with one gain g per color channel, because a change of exposure or
    white balance is nearly a factor, and g changes smoothly. g is the median of the ratio over the blocks that the
    previous frame's matte called room. What is learnt from a previous frame changes only the plate: the published
    matte is always computed from its own frame.

    Args:
        upload: Brings a picture, uint8 (H,W,3), to the device.
        enabled: Whether to match at all; otherwise `match` returns the clean plate.
    """

    _LARGE = 500_000  # pixels; larger pictures get larger blocks: still enough of them, and few enough for one thread
    _STEP = 1 / 256  # of a gain; a smaller change is at most one level of 255 and not worth another plate
    _FOLLOW = 0.35  # share of the way to the new gain in each frame, against flicker
    _JUMP = 0.03  # relative; a larger change (a lamp goes on) is followed at once, as a delay would be visible

    def __init__(self, upload: Upload, *, enabled: bool) -> None:
        self._upload, self._enabled = upload, enabled
        self._plate: Plate | None = None
        self._clean: Tensor | None = None
        self._block = 8  # pixels along a side
        self._small: Tensor | None = None
        self._room: Tensor | None = None
        self._gain: Tensor | None = None
        self._matched: tuple[Tensor, Tensor] | None = None  # the gain, and the plate with it

    def upload_clean(self, plate: Plate) -> Tensor:
        """Return `plate` as it was taken, (1,3,H,W), in the device's dtype; the same tensor for the same plate."""
        if self._plate is not plate or self._clean is None:
            self._clean = self._upload(plate.rgb)
            self._plate, self._room, self._gain, self._matched = plate, None, None, None
            self._block = 16 if self._clean[0, 0].numel() > self._LARGE else 8
            self._small = pixels.blocks(self._clean, self._block)
        return self._clean

    def match(self, plate: Plate, src: Tensor) -> Tensor:
        """Return `plate` at the exposure and white balance of `src`.

        Args:
            plate: The plate.
            src: The camera's picture, (1,3,H,W), of the plate's size.

        Returns:
            (1,3,H,W), in the dtype of `src`. For bytes it is the same tensor as long as the gain does not change.
        """
        clean = self.upload_clean(plate)
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
        least = 0.0 if self._gain is None else self._JUMP  # the first frame cannot flicker
        jumped = ((gain - before).abs() > least * before) & (seen > 0.25)
        followed = torch.where(jumped, gain, before + self._FOLLOW * (gain - before))
        self._gain = torch.where((seen > 0.03) & gain.isfinite(), followed, before)
        if clean.is_floating_point():  # to compare gains would wait for the accelerator
            return apply_gain(clean, self._gain)
        if self._matched is None or bool(((self._gain - self._matched[0]).abs() > self._STEP).any()):
            self._matched = self._gain, apply_gain(clean, self._gain)
        return self._matched[1]

    def learn(self, alpha: Tensor) -> None:
        """Remember where a frame's alpha, (1,1,H,W), shows only the room, for the next frame's `match`."""
        self._room = pixels.peaks_below(alpha, self._block, 0.02)


def apply_gain(clean: Tensor, gain: Tensor) -> Tensor:
    """Multiply a picture, (1,3,H,W), bytes or floats, by gains, (1,3,1,1), and clamp it to a picture's range."""
    if clean.is_floating_point():
        return (clean * gain.to(clean.dtype)).clamp_(0, 1)
    return pixels.tensor(
        np.asarray(cv2.transform(pixels.array(clean), np.diag(gain.flatten().double().numpy())), np.uint8)
    )
