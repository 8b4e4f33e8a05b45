"""Taking a plate from live frames."""

from __future__ import annotations

import math
from concurrent.futures import Future
from dataclasses import dataclass, replace

import cv2
import numpy as np

from camdaemon.errors import PlateRefused
from camdaemon.frames import pixels
from camdaemon.frames.card import TAKING, Card
from camdaemon.frames.job import JobFrame
from camdaemon.frames.picture import Picture, copy_to_host
from camdaemon.frames.pixels import Array
from camdaemon.plate.inspect import inspect, to_blocks
from camdaemon.plate.light import Floats
from camdaemon.plate.parts import Mask, Plate

SOMEBODY = "somebody is in the picture,"  # in which part of it follows
_BLOCK = 16  # pixels along a side: averages out noise, but not a moving hand
_MOVED = 0.06  # relative to the whole picture's change; a block that changed by more has something moving in it
_MOVED_SHARE = 0.005  # of all blocks may move: the median removes a clock's hand or the corner of a screen
_LIGHT = 0.02  # relative drift of the whole picture between the first and the last frame of a plate


@dataclass(frozen=True, slots=True)
class PlateRules:
    """When a plate is accepted.

    Attributes:
        frames: Number of frames whose median becomes the plate.
        still_s: Seconds without movement before them.
        timeout_s: Seconds to wait for a still room.
    """

    frames: int = 15
    still_s: float = 0.5
    timeout_s: float = 15.0


@dataclass(frozen=True, slots=True)
class PlateProgress:
    """How far a plate is.

    Attributes:
        left_s: Seconds of the countdown that are left; 0 once it is over.
        waits_for: Why the plate is not taken yet: what moves, or what is wrong with the light; '' if nothing is.
    """

    left_s: float
    waits_for: str = ""


class PlateJob:
    """Takes a plate from the frames that the worker feeds it; see the protocol `Job`.

    After the countdown it waits until nothing has moved for a while, then takes the median of several frames. The
    median removes noise, and what crosses the picture for a moment. The result is a Plate, or PlateRefused if the room
    was not still, empty and well lit in time.

    Args:
        rules: When the room counts as still, and how long to wait for that.
        countdown: Seconds before the job looks at frames.
        pictures: Blocks (rows,columns) of the plate in use that look like a person and are a picture on the wall.
        anyway: Whether all that looks like a person is one.

    Attributes:
        progress: How far it is. Replaced whole, by one reference; any thread may read it.
        longest_s: Seconds after which it has ended, if frames come.
    """

    def __init__(
        self, rules: PlateRules, countdown: float, *, pictures: Mask | None = None, anyway: bool = False
    ) -> None:
        self.future: Future[Plate] = Future()
        self._rules, self._countdown = rules, countdown
        self._pictures, self._anyway = pictures, anyway
        self.longest_s = countdown + rules.timeout_s
        self._start: float | None = None
        self.progress = PlateProgress(countdown)
        self._reference: Floats | None = None
        self._since = 0.0
        self._last_why = ""
        self._who = ""  # is in the picture, as far as is known
        self._frames: list[Picture] = []

    def card(self) -> Card:
        """Return the card to show: the countdown, then 'stay out'. Why it takes so long is for the user alone."""
        left_s, waits_for = self.progress.left_s, self.progress.waits_for
        if left_s > 0:
            return replace(TAKING, hint="please step out of the picture", big=str(math.ceil(left_s)))
        if waits_for:
            return replace(TAKING, hint="please stay out of the picture", reason=waits_for)
        return TAKING

    def feed(self, look: JobFrame) -> Plate | None:
        """See Job.feed.

        Raises:
            PlateRefused: The room was not still and well lit in time.
        """
        self._start = look.t if self._start is None else self._start
        left_s = self._start + self._countdown - look.t
        if left_s > 0:
            self.progress = PlateProgress(left_s)
            return None
        small = _shrink(look.src)
        why = find_bad_light(small)
        if not why and self._reference is not None:
            why = find_movement(self._reference, small)
        self.progress, self._last_why = PlateProgress(0.0, why or self._who), why or self._last_why
        if why or self._reference is None:
            self._reference, self._since, self._frames = small, look.t, []
        elif look.t - self._since >= self._rules.still_s:
            self._frames.append(copy_to_host(look.src))
        if len(self._frames) == self._rules.frames:
            median = compute_median(self._frames)
            who = self._find_person(median, look)
            if isinstance(who, Plate):
                return who
            self._reference, self._frames, self._last_why, self._who = None, [], who, who
            self.progress = PlateProgress(0.0, who)
        if -left_s > self._rules.timeout_s:
            raise PlateRefused(self._explain_refusal())
        return None

    def _explain_refusal(self) -> str:
        if self._last_why.startswith(SOMEBODY):
            return (
                f"no plate: {self._last_why}. Step out of it, and run: camdaemon plate --countdown 5. "
                "If it is a picture on the wall, run: camdaemon plate take --anyway"
            )
        return (
            f"no plate after {self._rules.timeout_s:g} s: {self._last_why or 'too few frames came'}. "
            "Leave the picture empty and still. Run: camdaemon plate --countdown 5"
        )

    def _find_person(self, median: Picture, look: JobFrame) -> Plate | str:
        """Return the plate, or where somebody is in it, in words."""
        found = inspect(
            pixels.to_picture_of(look.src, median), look.matte_alone, None if self._anyway else self._pictures
        )
        if found is None:
            return Plate(median, pictures=self._pictures)
        rows, columns = (-(-length // _BLOCK) for length in median.shape[:2])
        if self._anyway:
            return Plate(median, pictures=to_blocks(found.doubtful, (rows, columns)))
        return f"{SOMEBODY} {found.where}" if found.where else Plate(median, pictures=self._pictures)


def _shrink(src: Array) -> Floats:
    """Return the means of a picture's blocks, (h,w,3), 0..1; the last ones may be smaller. Waits for the device."""
    rgb = pixels.interleave(pixels.as_bytes(src))
    down, right = (-length % _BLOCK for length in rgb.shape[:2])
    padded = cv2.copyMakeBorder(rgb, 0, down, 0, right, cv2.BORDER_REPLICATE).astype(np.float32)
    small = cv2.resize(padded, None, fx=1 / _BLOCK, fy=1 / _BLOCK, interpolation=cv2.INTER_AREA)
    return np.asarray(small / 255, np.float32)


def find_bad_light(small: Floats) -> str:
    """Return why a picture, (h,w,3), 0..1, is too dark or too bright for a plate; '' if it is not."""
    dark, bright = small.mean(), (small.min(2) > 0.98).mean()
    if dark < 0.04:
        return f"the picture is nearly black (mean {dark:.0%} of full brightness): is the lens covered, is there light?"
    if bright > 0.4:
        return f"{bright:.0%} of the picture is blown out to white: lower the exposure, or close the curtain"
    return ""


def find_movement(before: Floats, now: Floats) -> str:
    """Return what changed between two pictures, (h,w,3), 0..1; '' for at most an even, slight change of light."""
    ratio = np.log((now.mean(2) + 0.05) / (before.mean(2) + 0.05))
    light = float(np.median(ratio))
    if abs(light) > _LIGHT:
        return f"the light is changing ({math.exp(light) - 1:+.0%})"
    moving = np.abs(ratio - light) > _MOVED
    share = moving.mean()
    if share <= _MOVED_SHARE:
        return ""
    rows, columns = moving.nonzero()
    height, width = moving.shape
    down = ("top", "middle", "bottom")[int(3 * np.median(rows) / height)]
    across = ("left", "center", "right")[int(3 * np.median(columns) / width)]
    return f"something moves in the {down} {across} ({share:.1%} of the picture)"


def compute_median(frames: list[Picture]) -> Picture:
    """Compute the lower median of frames, uint8 (H,W,3); 64 rows at once, to save memory."""
    middle = (len(frames) - 1) // 2
    rows = range(0, len(frames[0]), 64)
    return np.concatenate([np.partition([each[y : y + 64] for each in frames], middle, 0)[middle] for y in rows])
