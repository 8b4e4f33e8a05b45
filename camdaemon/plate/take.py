"""Taking a plate from live frames."""

from __future__ import annotations

import math
from concurrent.futures import Future
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from camdaemon.errors import PlateRefused
from camdaemon.frames import pixels
from camdaemon.frames.card import TAKING, Card
from camdaemon.frames.job import JobFrame
from camdaemon.frames.picture import Picture
from camdaemon.plate.inspect import inspect, to_blocks
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
        self._reference: Tensor | None = None
        self._since = 0.0
        self._last_why = ""
        self._who = ""  # is in the picture, as far as is known
        self._frames: list[Tensor] = []

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
        small = F.avg_pool2d(pixels.unit(look.src).float(), _BLOCK, ceil_mode=True)
        why = find_bad_light(small)
        if not why and self._reference is not None:
            why = find_movement(self._reference, small)
        self.progress, self._last_why = PlateProgress(0.0, why or self._who), why or self._last_why
        if why or self._reference is None:
            self._reference, self._since, self._frames = small, look.t, []
        elif look.t - self._since >= self._rules.still_s:
            self._frames.append(pixels.as_bytes(look.src)[0].clone())
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
        plate = pixels.like(pixels.unit(pixels.tensor(median)), look.src).to(look.src.device)
        found = inspect(plate, look.matte_alone, None if self._anyway else self._pictures)
        if found is None:
            return Plate(median, pictures=self._pictures)
        rows, columns = (-(-length // _BLOCK) for length in median.shape[:2])
        if self._anyway:
            return Plate(median, pictures=to_blocks(found.doubtful, (rows, columns)))
        return f"{SOMEBODY} {found.where}" if found.where else Plate(median, pictures=self._pictures)


def find_bad_light(small: Tensor) -> str:
    """Return why a picture, (1,3,h,w), 0..1, is too dark or too bright for a plate; '' if it is not."""
    dark, bright = small.mean(), (small.amin(1) > 0.98).float().mean()
    if dark < 0.04:
        return f"the picture is nearly black (mean {dark:.0%} of full brightness): is the lens covered, is there light?"
    if bright > 0.4:
        return f"{bright:.0%} of the picture is blown out to white: lower the exposure, or close the curtain"
    return ""


def find_movement(before: Tensor, now: Tensor) -> str:
    """Return what changed between two pictures, (1,3,h,w), 0..1; '' for at most an even, slight change of light."""
    ratio = torch.log((now.mean(1) + 0.05) / (before.mean(1) + 0.05))[0]
    light = ratio.median()
    if light.abs() > _LIGHT:
        return f"the light is changing ({light.exp() - 1:+.0%})"
    moving = (ratio - light).abs() > _MOVED
    share = moving.float().mean()
    if share <= _MOVED_SHARE:
        return ""
    rows, columns = moving.nonzero(as_tuple=True)
    height, width = moving.shape
    down = ("top", "middle", "bottom")[int(3 * rows.float().median() / height)]
    across = ("left", "center", "right")[int(3 * columns.float().median() / width)]
    return f"something moves in the {down} {across} ({share:.1%} of the picture)"


def compute_median(frames: list[Tensor]) -> Picture:
    """Compute the median of frames, uint8 (3,H,W), as uint8 (H,W,3) in host memory; 64 rows at once, to save memory."""
    rows = [torch.stack([f[:, y : y + 64] for f in frames]).median(0).values for y in range(0, frames[0].shape[1], 64)]
    return torch.cat(rows, 1).permute(1, 2, 0).contiguous().cpu().numpy()
