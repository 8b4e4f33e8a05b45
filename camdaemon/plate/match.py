"""Matching the plate to each frame's exposure and white balance, and what the matte then leaves to compare it by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.frames import pixels
from camdaemon.frames.picture import Picture, Upload
from camdaemon.frames.pixels import Array
from camdaemon.plate.light import Floats, Light, apply_exact_gain, apply_gain, light, spread_gains
from camdaemon.plate.parts import Plate
from camdaemon.plate.survey import ROOM, Survey, choose_side, make_survey

Moment: TypeAlias = "tuple[Array | None, Array | None]"  # means of a frame's blocks, and the plate's gain


@dataclass(frozen=True, slots=True, eq=False)
class _Matched:
    """A plate, (1,3,H,W), multiplied by a gain, (1,3,1,1)."""

    gain: Array
    plate: Array


@dataclass(frozen=True, slots=True, eq=False)
class _Expected(_Matched):
    """The plate for a frame that comes next, `src`.

    Attributes:
        now: Means of the frame's blocks.
        sought: Its own gain, (1,3,1,1), to which that of the plate is near enough.
    """

    src: Array
    now: Array
    sought: Array


class PlateMatcher:
    """Brings the plate to the exposure and white balance of each frame. For the worker alone.

    Model: where the room shows, frame = g·plate with one gain g per color channel, because a change of exposure or
    white balance is nearly a factor, and g changes smoothly. g is the median of the ratio over the blocks that the
    previous frame's matte called room. What is learnt from a previous frame changes only the plate: the published
    matte is always computed from its own frame.

    Where a frame needs more than that (see `light`), the plate is unevenly lit first, and matched after that, and what
    lifts the blacks is added last.

    Args:
        upload: Brings a picture, uint8 (H,W,3), to the device.
        enabled: Whether to follow the gain at all; otherwise `match` returns the plate as it was taken, or lit.
        exact: For bytes, whether nothing is rounded to bytes on the way. Such a plate is never lit.

    Attributes:
        plate: Matched last; None before the first.
    """

    _STEP = 1 / 256  # of a gain; a smaller change is at most one level of 255 and not worth another plate
    _EXACT_STEP = 1 / 4096
    _FOLLOW = 0.35  # share of the way to the new gain in each frame, against flicker
    _EVEN = 0.03  # of a cell's gain; less is the same light everywhere
    _JUMP = 0.03  # relative; a larger change (a lamp goes on) is followed at once, as a delay would be visible

    def __init__(self, upload: Upload, *, enabled: bool, exact: bool = False) -> None:
        self._upload, self._enabled = upload, enabled
        self._find_blocks = pixels.exact_blocks if exact else pixels.blocks
        self._apply_gain = apply_exact_gain if exact else apply_gain
        self._step = self._EXACT_STEP if exact else self._STEP
        self.plate: Plate | None = None
        self._clean: Array | None = None
        self._uneven: Array | None = None  # gains on a grid, (1,3,r,c), whose median is 1
        self._lift: Array | None = None  # (1,3,1,1)
        self._lit: Array | None = None  # the clean plate, unevenly lit
        self._small: Array | None = None  # means of its blocks
        self._usable: Array | None = None  # those neither too dark nor clipped
        self._now: Array | None = None  # of the last frame
        self._peaks: tuple[Array, Array] | None = None  # an alpha, and where it shows only the room
        self._room: Array | None = None
        self._gain: Array | None = None
        self._matched: _Matched | None = None  # the last frame's
        self._expected: list[_Expected] = []  # in order; at most two

    def upload_clean(self, plate: Plate) -> Array:
        """Return `plate` as it was taken, (1,3,H,W), in the device's dtype; the same array for the same plate."""
        if self.plate is not plate or self._clean is None:
            self._room = self._gain = self._uneven = self._lift = None
            self._load(plate)
        assert self._clean is not None
        return self._clean

    def go_on(self, plate: Plate) -> None:
        """Go on with `plate`, which is the one before with other parts, in the same light."""
        self._load(plate)

    def _load(self, plate: Plate) -> None:
        self._clean, self.plate = self._upload(plate.rgb), plate
        self._apply_light()

    def _apply_light(self) -> None:
        assert self._clean is not None
        self._lit = self._clean if self._uneven is None else light(self._clean, self._uneven)
        self._matched, self._expected = None, []
        self._small = self._find_blocks(self._lit, self.side)
        self._usable = (self._small > 0.08) & (self._small < 0.95)

    @property
    def side(self) -> int:
        """Of a block, in pixels: larger ones for large pictures."""
        assert self._clean is not None
        return choose_side(self._clean.shape[2], self._clean.shape[3])

    def adopt(self, found: Light) -> None:
        """Light the plate as `found` says, instead of as it was taken or as an earlier light had it."""
        if self._clean is None:
            return
        gains = pixels.as_planes(found.gains)
        gain = pixels.nanmedian(gains.reshape(1, 3, -1))[:, :, None, None]
        uneven = gains / gain
        is_even = not (np.abs(uneven - 1) > self._EVEN).any()
        self._gain = pixels.to_kind_of(self._clean, gain)
        self._uneven = None if is_even else pixels.to_kind_of(self._clean, uneven)
        self._lift = pixels.to_kind_of(self._clean, found.lift.reshape(1, 3, 1, 1)) if found.lift.any() else None
        self._apply_light()

    def match(self, plate: Plate, src: Array) -> Array:
        """Return `plate` at the exposure and white balance of `src`.

        Args:
            plate: The plate.
            src: The camera's picture, (1,3,H,W), of the plate's size.

        Returns:
            (1,3,H,W), in the dtype of `src`; if exact, also float32 from 0 to 255. For bytes it is the same array as
            long as the gain does not change.
        """
        self.upload_clean(plate)
        assert self._lit is not None
        begun = self._take_expected(src)
        before, self._now = self._now, begun.now if begun else self._find_blocks(src, self.side)
        self._peaks = None
        if self._enabled:
            self._gain = self._drift(before, self._now) if plate.is_blank else self._follow(self._now, self._gain)
        if self._gain is None or plate.is_blank:
            return self._lit
        if not pixels.is_host(self._lit):  # to compare gains would wait for the accelerator
            return apply_gain(self._lit, self._gain, self._lift)
        self._matched = self._find_matched(self._lit, self._gain, begun)
        return self._matched.plate

    def expect(self, plate: Plate, src: Array) -> Array:
        """Return what `match` is likely to return for a frame that comes next, after what it will have learnt.

        Args:
            plate: The plate of the last `match`.
            src: Bytes (1,3,H,W): the frame after the last one that was given to this or to `match`.
        """
        assert self.plate is plate
        assert self._lit is not None
        before = self._expected[-1] if self._expected else None
        now, gain = self._find_blocks(src, self.side), self._gain if before is None else before.sought
        if self._enabled and not plate.is_blank:
            gain = self._follow(now, gain)
        if gain is None or plate.is_blank:
            return self._lit
        found = self._find_matched(self._lit, gain, before)
        self._expected = [*self._expected[-1:], _Expected(found.gain, found.plate, src, now, gain)]
        return found.plate

    def _take_expected(self, src: Array) -> _Expected | None:
        """Return what was expected for a frame, if anything was; what comes after it is kept."""
        place = next((n for n, each in enumerate(self._expected) if each.src is src), None)
        if place is None:
            return None
        found, self._expected = self._expected[place], self._expected[place + 1 :]
        return found

    def _follow(self, now: Any, last: Array | None) -> Array:
        """Return the gain, (1,3,1,1), that brings the plate's blocks to a frame's, `now`, after the gain `last`."""
        assert self._small is not None
        assert self._usable is not None
        usable = self._usable & (now > 0.04) & (now < 0.97)
        if self._room is not None:
            usable = usable & self._room
        xp = pixels.namespace(now)
        seen_now = now if self._lift is None else now - self._lift
        gain = _find_ratio(seen_now, self._small, usable).clip(0.5, 2.0)
        seen = pixels.share_of(usable)[:, :, None, None]  # of the picture, to judge by
        before = xp.ones_like(gain) if last is None else last
        least = 0.0 if last is None else self._JUMP  # the first frame cannot flicker
        jumped = (xp.abs(gain - before) > least * before) & (seen > 0.25)
        followed = xp.where(jumped, gain, before + self._FOLLOW * (gain - before))
        found: Array = xp.where((seen > 0.03) & xp.isfinite(gain), followed, before)
        return found

    def _drift(self, before: Any, now: Any) -> Any:
        """Return the gain, (1,3,1,1), of a frame over the first one, for the plate that is learned from it."""
        xp = pixels.namespace(now)
        if before is None or before.shape != now.shape or self._gain is None:
            return xp.ones_like(now[:, :, :1, :1])
        usable = (before > 0.08) & (before < 0.95) & (now > 0.04) & (now < 0.97)
        if self._room is not None:
            usable = usable & self._room
        ratio = _find_ratio(now, before, usable)
        return xp.where(xp.isfinite(ratio), self._gain * ratio, self._gain).clip(0.2, 5.0)

    def _find_matched(self, lit: Array, gain: Array, begun: _Matched | None = None) -> _Matched:
        """Return the plate with `gain`, or one whose gain is as good as that: what was `begun`, or the last frame's."""
        for made in (begun, self._matched):
            if made is not None and not _differ(gain, made.gain, self._step):
                return made
        return _Matched(gain, self._apply_gain(lit, gain, self._lift))

    def learn(self, alpha: Array) -> None:
        """Remember where a frame's alpha, (1,1,H,W), shows only the room, for the next frame's `match`."""
        self._room = self._find_room(alpha)

    def _find_room(self, alpha: Array) -> Array:
        if self._peaks is None or self._peaks[0] is not alpha:
            self._peaks = alpha, pixels.peaks_below(alpha, self.side, ROOM)
        return self._peaks[1]

    def save_state(self) -> dict[str, NDArray[Any]]:
        """Return what was learned from earlier frames, for `load_state` of another matcher with the same plate."""
        held = {"gain": self._gain, "room": self._room, "now": self._now}
        held["matched"] = None if self._matched is None else self._matched.gain
        return {name: pixels.to_host(each) for name, each in held.items() if each is not None}

    def load_state(self, plate: Plate, state: dict[str, NDArray[Any]]) -> None:
        """Go on with `plate` as the matcher that `save_state` was called of would."""
        clean = self.upload_clean(plate)
        found = {name: pixels.to_kind_of(clean, each.copy()) for name, each in state.items()}
        self._gain, self._room, self._now = (found.get(name) for name in ("gain", "room", "now"))
        if "matched" in found:
            self._matched = _Matched(found["matched"], self._apply_gain(clean, found["matched"], None))

    @property
    def moment(self) -> Moment:
        """What the last `match` has found, for a later `survey`."""
        return self._now, self._gain

    def survey(self, alpha: Array, moment: Moment | None = None) -> Survey:
        """Return the frame of the last `match` beside the plate as it was matched, by that frame's alpha, (1,1,H,W).

        Waits once for the accelerator.

        Args:
            alpha: Of the frame.
            moment: Of its `match`, if others have followed.
        """
        now, found = moment or self.moment
        assert now is not None
        assert self._small is not None
        gain = pixels.namespace(now).ones_like(self._small[:, :, :1, :1]) if found is None else found
        then = self._small * gain
        then = (then if self._lift is None else then + self._lift).clip(0, 1)
        return make_survey(now, then, gain, alpha, self._find_room(alpha), self.side)

    def clean_blocks(self) -> Floats:
        """Return means of the blocks of the plate as it was taken, (rows,columns,3), 0..1. Waits for the device."""
        assert self._clean is not None
        return pixels.interleave(pixels.to_host(pixels.blocks(self._clean, self.side)))

    def undo_light(self, picture: Picture) -> Picture:
        """Bring a picture of the camera, uint8 (H,W,3), to the light of the plate as it was taken."""
        lift = np.zeros(3) if self._lift is None else 255 * pixels.to_host(self._lift).reshape(-1).astype(float)
        gain = np.ones(3) if self._gain is None else pixels.to_host(self._gain).reshape(-1).astype(float)
        back = np.column_stack([np.diag(1 / gain), -lift / gain])
        even = np.asarray(cv2.transform(picture, back), np.uint8)
        if self._uneven is None:
            return even
        grid = pixels.interleave(1 / pixels.to_host(self._uneven))
        return np.asarray(cv2.multiply(even, spread_gains(grid, picture.shape[:2]), dtype=cv2.CV_8U), np.uint8)


def _find_ratio(now: Any, then: Any, usable: Any) -> Any:
    """Return the median ratio (1,3,1,1) of blocks (1,3,r,c) where they are usable; NaN where none are."""
    xp = pixels.namespace(now)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = xp.where(usable, now / then, xp.nan)
    return pixels.nanmedian(ratio.reshape(1, 3, -1))[:, :, None, None]


def _differ(one: Any, other: Any, least: float) -> bool:
    """Return whether two gains (1,3,1,1) differ by more than `least` in any channel."""
    return bool((abs(one - other) > least).any())
