"""What happens during a call. Each fault is the plate in use at the start, and how frames change from then on.

Lengths are in pixels of 720 lines; what a moved camera sees beyond the picture's edge is the room mirrored there, and
below it the person, too, who goes on there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import cv2
import numpy as np

from camdaemon.frames.picture import Picture
from camdaemon.plate.parts import Plate
from camdaemon.tools.evaluate.faults import OBJECT, draw_object, lay_over, shift_person
from tests.plate_faults.footage import Footage, Seen, as_bytes

EVENT_S = 3.0  # when it happens
_LAMP_S = 6.0  # for so long the lamp is on
_QUICK_S, _OBJECT_S, _GROWN_S = 3.0, 10.0, 60.0
_SMALL = ("bump of 3 px", "bump of 8 px", "bump of 20 px")  # nothing to speak of is revealed

Change = Callable[[Seen, float], Seen]  # a frame and its time in seconds → the frame as it would have been


@dataclass(frozen=True)
class Fault:
    """One thing that happens.

    Attributes:
        name: For the table.
        plate: In use when it begins; None for none.
        change: What becomes of each frame.
        event_s: When it happens; 0 if it was so before.
        good_s: Seconds after which the matte should be as good as undisturbed; None if it cannot be compared.
        length_s: Seconds to play.
        settled: The same as it is in the end, from the first frame on and with the right plate for it, to compare with;
            None: the clip as it is.
    """

    name: str
    plate: Plate | None
    change: Change = field(default=lambda seen, t: seen)
    event_s: float = EVENT_S
    good_s: float | None = _QUICK_S
    length_s: float = 14.0
    settled: Fault | None = None

    @property
    def plate_grows(self) -> bool:
        """Whether the plate has to begin with nothing."""
        return self.good_s == _GROWN_S


def list_faults(clip: Footage, other: Footage) -> Iterator[Fault]:
    """List the faults of a clip; things and people come from the `other` one."""
    right = Plate(clip.plate)
    yield Fault("right plate", right, event_s=0)
    for name, by in list_movements(clip.size).items():
        good_s = _QUICK_S if name in _SMALL else _OBJECT_S
        move = partial(warp, matrix=by)
        settled = Fault(
            f"{name}, from the start", Plate(move(clip.seen(0)._replace(room=clip.plate)).room), _from(0, move)
        )
        yield Fault(name, right, _from(EVENT_S, move), good_s=good_s, settled=settled)
    yield Fault("lamp on and off", right, _between(EVENT_S, EVENT_S + _LAMP_S, _light_left))
    yield Fault("light down by 40 %", right, _dim, length_s=EVENT_S + 14)
    yield Fault("exposure pumps", right, _pump)
    yield from _list_things(clip, other)
    yield from _list_people(clip, other)


def list_movements(size: tuple[int, int]) -> dict[str, np.ndarray]:
    """List how cameras are moved: matrices (3,3) of pixels of pictures of `size`, width and height, by their names."""
    (width, height), turn = size, math.radians(20)
    found = {}
    for length in (3, 8, 20, 80, 200):
        far = length * height / 720
        found[f"bump of {length} px"] = _translate(far * math.cos(turn), far * math.sin(turn))
    for name, degrees, scale in (("rotation 2°", 2.0, 1.0), ("scale 5 %", 0.0, 1.05)):
        found[name] = np.vstack([cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale), [0, 0, 1]])
    return found | {"lid tilt": _tilt(width, height)}


def _list_things(clip: Footage, other: Footage) -> Iterator[Fault]:
    right, rng = Plate(clip.plate), np.random.default_rng(7)
    here, there = _draw_beside(clip, rng), _draw_beside(clip, rng)
    with_thing = Plate(np.where(here[..., None], other.plate, clip.plate))
    thing = partial(put_behind, room=other.plate)
    gone = _until(EVENT_S, partial(thing, where=here))
    yield Fault("object taken away", with_thing, gone, good_s=_OBJECT_S, length_s=18)
    brought = _from(EVENT_S, partial(thing, where=here))
    yield Fault("object brought", right, brought, good_s=_OBJECT_S, length_s=18)

    def move(seen: Seen, t: float) -> Seen:
        return thing(seen, where=here if t < EVENT_S else there)

    yield Fault("object moved", with_thing, move, good_s=_OBJECT_S, length_s=18)
    screen = np.zeros(clip.plate.shape[:2], bool)
    width, height = clip.size
    screen[int(0.1 * height) : int(0.35 * height), int(0.7 * width) : int(0.95 * width)] = True

    def play(seen: Seen, t: float) -> Seen:
        shown = other.frames[other.index(round(t * other.fps))][0]
        return put_behind(seen, np.asarray(shown[:, ::-1]), screen)

    yield Fault("screen that plays", right, play, event_s=0, good_s=_OBJECT_S)


def _list_people(clip: Footage, other: Footage) -> Iterator[Fault]:
    right, rng = Plate(clip.plate), np.random.default_rng(8)
    rgb, alpha = clip.frames[len(clip.frames) // 2]
    colors, cover = shift_person(rgb, np.asarray(alpha / 255, np.float32), rng)
    taken = Plate(lay_over(clip.plate, colors, cover))  # that part is not used, so it grows from nothing
    yield Fault("person in the plate", taken, event_s=0, good_s=_GROWN_S, length_s=70)
    yield Fault("plate of another room", Plate(other.plate), event_s=0, good_s=_GROWN_S, length_s=70)
    yield Fault("no plate", None, event_s=0, good_s=_GROWN_S, length_s=70)

    def join(seen: Seen, t: float) -> Seen:
        return _beside(seen, other.frames[other.index(round(t * other.fps))], -0.3 * clip.size[0])

    yield Fault("two people", right, _from(EVENT_S, lambda seen: seen, join), good_s=None)


def sit_still(clip: Footage, seconds: float) -> Fault:
    """Somebody who sits still: they breathe and sway by a pixel, and the sensor is noisy."""
    rgb, alpha = clip.frames[0]
    room = clip.seen(0).room
    rng = np.random.default_rng(9)
    noise = rng.normal(0, 2.5, (24, *rgb.shape)).astype(np.float32)

    def sway(seen: Seen, t: float) -> Seen:
        x, y = math.sin(0.9 * t), 0.7 * math.sin(1.6 * t)
        by = np.array([[1, 0, x], [0, 1, y]])
        cover, person = (cv2.warpAffine(each, by, clip.size, borderMode=cv2.BORDER_REPLICATE) for each in (alpha, rgb))
        share = cv2.dilate(cover, np.ones((25, 25), np.uint8))[..., None] / np.float32(255)
        mixed = rgb * (1 - share) + person * share + noise[round(5 * t) % len(noise)]
        return Seen(as_bytes(mixed), room, np.asarray(cover, np.uint8))

    return Fault("sits still", Plate(clip.plate), sway, event_s=0, good_s=None, length_s=seconds)


def _from(begin: float, change: Callable[[Seen], Seen], after: Change | None = None) -> Change:
    def apply(seen: Seen, t: float) -> Seen:
        if t < begin:
            return seen
        return change(seen) if after is None else after(seen, t)

    return apply


def _until(end: float, change: Callable[[Seen], Seen]) -> Change:
    return lambda seen, t: change(seen) if t < end else seen


def _between(begin: float, end: float, change: Callable[[Seen], Seen]) -> Change:
    return lambda seen, t: change(seen) if begin <= t < end else seen


def _translate(right: float, down: float) -> np.ndarray:
    return np.array([[1, 0, right], [0, 1, down], [0, 0, 1]], np.float64)


def _tilt(width: int, height: int) -> np.ndarray:
    """Turn a laptop's lid back: the room sinks by a tenth, and its lines lean."""
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    down, lean = 0.1 * height, 0.02 * width
    by = np.array([[-lean, down], [lean, down], [0, down], [0, down]], np.float32)
    return np.asarray(cv2.getPerspectiveTransform(corners, corners + by))


def warp(seen: Seen, matrix: np.ndarray) -> Seen:
    """Move the camera."""
    height, width = seen.alpha.shape
    far = height // 2
    back = _translate(far, far)
    moved = (
        cv2.warpPerspective(part, matrix @ np.linalg.inv(back), (width, height), borderMode=cv2.BORDER_REFLECT_101)
        for part in _look_around(seen, far)
    )
    return Seen(*(np.asarray(part, np.uint8) for part in moved))


def _look_around(seen: Seen, far: int) -> Iterator[np.ndarray]:
    """Return each part of a frame with `far` more pixels on each side: nobody is there, but below."""
    height, width = seen.alpha.shape
    nobody = np.ones((height + 2 * far, width + 2 * far), bool)
    nobody[far:, far : far + width] = False
    for part, empty in ((seen.rgb, seen.room), (seen.room, seen.room), (seen.alpha, np.zeros_like(seen.alpha))):
        wide, bare = (cv2.copyMakeBorder(each, far, far, far, far, cv2.BORDER_REFLECT_101) for each in (part, empty))
        yield np.where(nobody[..., None] if part.ndim == 3 else nobody, bare, wide)


def _scale(seen: Seen, factor: np.ndarray | float) -> Seen:
    return Seen(as_bytes(seen.rgb * factor), as_bytes(seen.room * factor), seen.alpha)


def _light_left(seen: Seen) -> Seen:
    return _scale(seen, np.linspace(1.35, 1, seen.alpha.shape[1])[None, :, None])


def _dim(seen: Seen, t: float) -> Seen:
    return _scale(seen, 1 - 0.4 * min(max((t - EVENT_S) / 10, 0), 1))


def _pump(seen: Seen, t: float) -> Seen:
    return _scale(seen, 1 + (0.15 * math.sin(2 * math.pi * (t - EVENT_S) / 3) if t >= EVENT_S else 0))


def _draw_beside(clip: Footage, rng: np.random.Generator) -> np.ndarray:
    """Draw the outline of an object, (H,W), most of which is beside the person."""
    person = np.maximum.reduce([alpha for _, alpha in clip.frames[:: max(1, len(clip.frames) // 8)]]) > 128
    near = np.ones((2 * (person.shape[1] // 30) + 1,) * 2, np.uint8)
    person = np.asarray(cv2.dilate(person.astype(np.uint8), near) > 0)
    while True:
        where = draw_object(person.shape, OBJECT, rng)
        if person[where].mean() < 0.1:
            return where


def put_behind(seen: Seen, room: Picture, where: np.ndarray) -> Seen:
    """Put what `room` (H,W,3) shows where (H,W) is true, behind the person."""
    change = np.where(where[..., None], room.astype(np.float32) - seen.room, 0)
    behind = 1 - seen.alpha[..., None] / np.float32(255)
    return Seen(as_bytes(seen.rgb + behind * change), as_bytes(seen.room + change), seen.alpha)


def _beside(seen: Seen, person: tuple[Picture, Picture], right: float) -> Seen:
    """Put another clip's person beside the first."""
    by = np.array([[1, 0, right], [0, 1, 0.05 * seen.alpha.shape[0]]], np.float64)
    rgb, alpha = (cv2.warpAffine(part, by, seen.alpha.shape[::-1]) for part in person)
    share = alpha[..., None] / np.float32(255)
    return Seen(as_bytes(seen.rgb * (1 - share) + rgb * share), seen.room, np.maximum(seen.alpha, alpha))
