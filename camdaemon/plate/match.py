"""Matching the plate to each frame's exposure and white balance, and what the matte then leaves to compare it by."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from camdaemon.frames import pixels
from camdaemon.frames.picture import Upload
from camdaemon.plate.align import FINE, Bytes, Fit, Floats, Mask, spread_gains
from camdaemon.plate.take import Plate


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """A frame and its matched plate, block by block, in host memory.

    Attributes:
        now: Means of the frame's blocks, (rows, columns, 3), 0..1.
        then: Those of the plate as it was matched.
        room: Blocks in which the matte sees only the room, (rows, columns).
        gain: What the plate was multiplied by, (3,).
        side: Of a block, in pixels.
    """

    now: Floats
    then: Floats
    room: Mask
    gain: Floats
    side: int


@dataclass(frozen=True, slots=True, eq=False)
class _Matched:
    """A plate, (1,3,H,W), multiplied by a gain, (1,3,1,1)."""

    gain: Tensor
    plate: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class _Expected(_Matched):
    """The plate for a frame that comes next, `src`, and means of its blocks."""

    src: Tensor
    now: Tensor


class PlateMatcher:
    """Brings the plate to the exposure and white balance of each frame. For the worker alone.

    Model: where the room shows, frame = g·plate with one gain g per color channel, because a change of exposure or
    white balance is nearly a factor, and g changes smoothly. g is the median of the ratio over the blocks that the
    previous frame's matte called room. What is learnt from a previous frame changes only the plate: the published
    matte is always computed from its own frame.

    A frame that this does not explain may get a `Fit` (see `gate`): from then on the plate is moved and unevenly lit
    first, and matched after that.

    Args:
        upload: Brings a picture, uint8 (H,W,3), to the device.
        enabled: Whether to follow the gain at all; otherwise `match` returns the plate as it was taken, or fitted.

    Attributes:
        shift: (right, down) in pixels: how far the plate in use has been moved.
    """

    _LARGE = 500_000  # pixels; larger pictures get larger blocks: still enough of them, and few enough for one thread
    _STEP = 1 / 256  # of a gain; a smaller change is at most one level of 255 and not worth another plate
    _FOLLOW = 0.35  # share of the way to the new gain in each frame, against flicker
    _EVEN = 0.03  # of a cell's gain; less is the same light everywhere
    _JUMP = 0.03  # relative; a larger change (a lamp goes on) is followed at once, as a delay would be visible

    def __init__(self, upload: Upload, *, enabled: bool) -> None:
        self._upload, self._enabled = upload, enabled
        self._plate: Plate | None = None
        self._clean: Tensor | None = None
        self._fitted: Tensor | None = None  # the clean plate, moved and unevenly lit
        self.shift = (0, 0)
        self._block = 8  # pixels along a side
        self._small: Tensor | None = None  # means of the blocks of the fitted plate
        self._lit: Tensor | None = None  # those neither too dark nor clipped
        self._now: Tensor | None = None  # of the last frame
        self._peaks: tuple[Tensor, Tensor] | None = None  # an alpha, and where it shows only the room
        self._room: Tensor | None = None
        self._gain: Tensor | None = None
        self._matched: _Matched | None = None  # the last frame's
        self._expected: _Expected | None = None

    def upload_clean(self, plate: Plate) -> Tensor:
        """Return `plate` as it was taken, (1,3,H,W), in the device's dtype; the same tensor for the same plate."""
        if self._plate is not plate or self._clean is None:
            self._clean = self._upload(plate.rgb)
            self._plate, self._room = plate, None
            self._block = 16 if self._clean[0, 0].numel() > self._LARGE else 8
            self._use(self._clean, (0, 0), None)
        return self._clean

    def _use(self, fitted: Tensor, shift: tuple[int, int], gain: Tensor | None) -> None:
        """Match `fitted`, the clean plate moved by `shift`, from now on; `gain` is where to begin."""
        self._fitted, self.shift, self._gain = fitted, shift, gain
        self._matched = self._expected = None
        self._small = pixels.blocks(fitted, self._block)
        self._lit = (self._small > 0.08) & (self._small < 0.95)

    def adopt(self, fit: Fit) -> None:
        """Use the plate moved and lit as `fit` says, instead of as it was taken or as an earlier fit had it."""
        if self._clean is None:
            return
        gains = torch.from_numpy(fit.gains).permute(2, 0, 1)[None].to(self._clean.device)
        whole = gains.flatten(2).median(2).values[:, :, None, None]
        fitted = move(self._clean, *fit.shift) if fit.shift != (0, 0) else self._clean
        uneven = gains / whole
        if bool(((uneven - 1).abs() > self._EVEN).any()):
            fitted = light(fitted, uneven)
        self._use(fitted, fit.shift, whole)

    def match(self, plate: Plate, src: Tensor) -> Tensor:
        """Return `plate` at the exposure and white balance of `src`.

        Args:
            plate: The plate.
            src: The camera's picture, (1,3,H,W), of the plate's size.

        Returns:
            (1,3,H,W), in the dtype of `src`. For bytes it is the same tensor as long as the gain does not change.
        """
        self.upload_clean(plate)
        assert self._fitted is not None
        begun = self._expected if self._expected is not None and self._expected.src is src else None
        self._now, self._peaks = begun.now if begun else pixels.blocks(src, self._block), None
        if self._enabled and not plate.is_blank:
            self._gain = self._follow(self._now)
        if self._gain is None:
            return self._fitted
        if self._fitted.is_floating_point():  # to compare gains would wait for the accelerator
            return apply_gain(self._fitted, self._gain)
        self._matched = self._find_matched(self._fitted, self._gain, begun)
        return self._matched.plate

    def expect(self, plate: Plate, src: Tensor) -> Tensor:
        """Return what `match` is likely to return for `src`, the frame that comes next, after what it will have learnt.

        Args:
            plate: The plate of the last `match`.
            src: Bytes (1,3,H,W).
        """
        assert self._plate is plate
        assert self._fitted is not None
        now, gain = pixels.blocks(src, self._block), self._gain
        if self._enabled and not plate.is_blank:
            gain = self._follow(now)
        if gain is None:
            return self._fitted
        found = self._find_matched(self._fitted, gain)
        self._expected = _Expected(found.gain, found.plate, src, now)
        return found.plate

    def _follow(self, now: Tensor) -> Tensor:
        """Return the gain, (1,3,1,1), that brings the plate's blocks to the frame's, `now`."""
        assert self._small is not None
        assert self._lit is not None
        usable = self._lit & (now > 0.04) & (now < 0.97)
        if self._room is not None:
            usable = usable & self._room
        ratio = torch.where(usable, now / self._small, torch.nan).flatten(2)
        gain = ratio.nanmedian(2).values.clamp(0.5, 2.0)[:, :, None, None]
        seen = usable.flatten(2).float().mean(2)[:, :, None, None]  # share of the picture to judge by
        before = torch.ones_like(gain) if self._gain is None else self._gain
        least = 0.0 if self._gain is None else self._JUMP  # the first frame cannot flicker
        jumped = ((gain - before).abs() > least * before) & (seen > 0.25)
        followed = torch.where(jumped, gain, before + self._FOLLOW * (gain - before))
        return torch.where((seen > 0.03) & gain.isfinite(), followed, before)

    def _find_matched(self, fitted: Tensor, gain: Tensor, begun: _Matched | None = None) -> _Matched:
        """Return the plate with `gain`, or one whose gain is as good as that: what was `begun`, or the last frame's."""
        for made in (begun, self._matched):
            if made is not None and not bool(((gain - made.gain).abs() > self._STEP).any()):
                return made
        return _Matched(gain, apply_gain(fitted, gain))

    def learn(self, alpha: Tensor) -> None:
        """Remember where a frame's alpha, (1,1,H,W), shows only the room, for the next frame's `match`."""
        self._room = self._find_room(alpha)

    def _find_room(self, alpha: Tensor) -> Tensor:
        if self._peaks is None or self._peaks[0] is not alpha:
            self._peaks = alpha, pixels.peaks_below(alpha, self._block, 0.02)
        return self._peaks[1]

    def survey(self, alpha: Tensor) -> Survey:
        """Return the frame of the last `match` beside the plate as it was matched, by that frame's alpha, (1,1,H,W).

        Waits once for the accelerator.
        """
        assert self._now is not None
        assert self._small is not None
        gain = torch.ones_like(self._small[:, :, :1, :1]) if self._gain is None else self._gain
        parts = (self._now, (self._small * gain).clamp(0, 1), self._find_room(alpha).float(), gain.expand_as(self._now))
        maps = torch.cat(parts, 1)[0].permute(1, 2, 0).cpu().numpy()
        return Survey(maps[..., :3], maps[..., 3:6], maps[..., 6] > 0.5, maps[0, 0, 7:10], self._block)

    def shrink(self, src: Tensor) -> tuple[Bytes, Bytes]:
        """Return small copies of the frame `src` and of the plate as it was taken, (h,w,3), for `align`. Waits."""
        assert self._clean is not None
        now, then = (
            pixels.as_bytes(pixels.blocks(part, self._block // FINE)).cpu()[0].permute(1, 2, 0).contiguous().numpy()
            for part in (src, self._clean)
        )
        rows, columns = (FINE * (length // self._block) for length in src.shape[2:])
        return now[:rows, :columns], then[:rows, :columns]


def move(picture: Tensor, right: int, down: int) -> Tensor:
    """Move a picture (1,3,H,W), bytes or floats, by whole pixels; its edges are repeated."""
    if not picture.is_floating_point():
        by = np.array([[1, 0, right], [0, 1, down]], np.float64)
        rgb = pixels.array(picture)
        size, flags, edge = rgb.shape[1::-1], cv2.INTER_NEAREST, cv2.BORDER_REPLICATE
        return pixels.tensor(np.asarray(cv2.warpAffine(rgb, by, size, flags=flags, borderMode=edge), np.uint8))
    rows, columns = (
        (torch.arange(length, device=picture.device) - by).clamp_(0, length - 1)
        for length, by in zip(picture.shape[2:], (down, right), strict=True)
    )
    return picture[:, :, rows][..., columns]


def light(picture: Tensor, gains: Tensor) -> Tensor:
    """Multiply a picture (1,3,H,W), bytes or floats, by gains (1,3,r,c) that are spread smoothly over it."""
    if picture.is_floating_point():
        spread = F.interpolate(gains, picture.shape[2:], mode="bilinear", align_corners=False)
        return (picture * spread.to(picture.dtype)).clamp_(0, 1)
    rgb = pixels.array(picture)
    factors = spread_gains(gains[0].permute(1, 2, 0).contiguous().numpy(), rgb.shape[:2])
    return pixels.tensor(np.asarray(cv2.multiply(rgb, factors, dtype=cv2.CV_8U), np.uint8))


def apply_gain(clean: Tensor, gain: Tensor) -> Tensor:
    """Multiply a picture, (1,3,H,W), bytes or floats, by gains, (1,3,1,1), and clamp it to a picture's range."""
    if clean.is_floating_point():
        return (clean * gain.to(clean.dtype)).clamp_(0, 1)
    return pixels.tensor(
        np.asarray(cv2.transform(pixels.array(clean), np.diag(gain.flatten().double().numpy())), np.uint8)
    )
