"""Scenes: people composited in front of a room, with exact labels; one at a time, on bytes."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch

from camdaemon.tools.train.draws import BatchRandom
from camdaemon.tools.train.samples.arms import raise_arms
from camdaemon.tools.train.samples.augment import Alpha, add_prop, camouflage, jitter_colors, relight
from camdaemon.tools.train.samples.decor import decorate_room
from camdaemon.tools.train.samples.degrade import add_motion_blur, soften
from camdaemon.tools.train.samples.geometry import Map, Pixels, Random, Size, chain, place_person, view_room, warp
from camdaemon.tools.train.samples.packing import PackedPictures
from camdaemon.tools.train.samples.soft import grow_soft_edges
from camdaemon.tools.train.samples.things import add_things

_EMPTY = 0.03  # of the scenes show no person
_TWO = 0.25  # of the scenes show a second person behind the first
_GROWN = 0.5  # of the scenes, if asked for, have soft edges grown on the people; the others stay as photographed
_WITH_THINGS = 0.4  # of the rooms have further things in them
_LEAST_ALPHA = 1e-3  # below this, a color cannot be recovered from its product with alpha


class Cast(NamedTuple):
    """Which pictures a scene is made of: numbers of the packed people and plates.

    Attributes:
        first: The person in front.
        second: The person behind, who is shown in some scenes.
        room: The room.
        other: Another room, of which plates that are wrong are made.
    """

    first: int
    second: int
    room: int
    other: int


class Layer(NamedTuple):
    """A person.

    Attributes:
        color: uint8 (H,W,3), not multiplied by alpha, of any value where that is 0.
        alpha: float32 (H,W), 0..1.
    """

    color: Pixels
    alpha: Alpha

    def over(self, below: Layer) -> Layer:
        """Return this layer composited over `below`."""
        left = below.alpha * (1 - self.alpha)
        alpha = self.alpha + left
        share = (left / np.maximum(alpha, _LEAST_ALPHA))[:, :, None]
        return Layer(np.asarray(self.color + share * (below.color.astype(np.float32) - self.color), np.uint8), alpha)


class Scene(NamedTuple):
    """A composite and its labels. Pictures are uint8 (H,W,3), RGB.

    Attributes:
        picture: The composite, as an ideal camera takes it.
        alpha: The truth, float32 (H,W), 0..1.
        foreground: The truth.
        room: The room without the person, as it is when the picture is taken, in the plate's light.
        bare: The same without the things that are not always there.
        photograph: The room's photograph, whole.
        view: From the photograph into the frame.
        detail: How much finer detail than its photograph the room has, 0..1.
    """

    picture: Pixels
    alpha: Alpha
    foreground: Pixels
    room: Pixels
    bare: Pixels
    photograph: Pixels
    view: Map
    detail: float


class SceneMaker:
    """Makes scenes of packed people and plates; the same random numbers give the same scene.

    Args:
        people: From `pack_people`.
        plates: From `pack_plates`.
        soft: Grow hair, fur and thin things on the people (for the refiner).
    """

    def __init__(self, people: PackedPictures, plates: PackedPictures, *, soft: bool = False) -> None:
        self.people, self.plates, self._soft = people, plates, soft

    def make(self, rng: Random, cast: Cast, frame: Size) -> Scene:
        """Make a scene of `frame` (rows, columns)."""
        photograph = decorate_room(rng, self.plates.picture(cast.room))
        view = view_room(rng, photograph.shape[:2], frame)
        detail = 0.6 * rng.random() ** 2 if self._soft else 0.0
        bare = show_room(photograph, view, frame, detail)
        room = bare
        if rng.random() < _WITH_THINGS:
            room = add_things(rng, bare, self.plates.picture(cast.other))
        color, alpha = self._make_people(rng, cast, room)
        picture = compose(color, alpha, relight(rng, room, alpha))
        return Scene(picture, alpha, color, room, bare, photograph, view, detail)

    def place(self, rng: Random, who: int, frame: Size) -> Layer:
        """Place a person somewhere in the frame."""
        cutout = self.people.picture(who)
        mapping = place_person(rng, cutout.shape[:2], frame)
        color = warp(np.ascontiguousarray(cutout[:, :, :3]), mapping, frame, border=cv2.BORDER_REPLICATE)
        alpha = warp(np.ascontiguousarray(cutout[:, :, 3]), mapping, frame, border=cv2.BORDER_CONSTANT)
        return Layer(jitter_colors(rng, color, 0.15, 0.05), to_alpha(alpha))

    def _make_people(self, rng: Random, cast: Cast, room: Pixels) -> Layer:
        frame, texture = room.shape[:2], np.roll(room, 1, 2)
        layer = self._dress(rng, cast.first, room)
        if rng.random() < _TWO:
            layer = layer.over(self._dress(rng, cast.second, room))
        if self._soft and rng.random() < _GROWN:
            layer = _grow(rng, layer, texture)
        color, alpha = add_prop(rng, *layer, texture[::-1])
        color, alpha = _blur(rng, color, alpha)
        empty = rng.random() < _EMPTY
        return Layer(color, np.zeros(frame, np.float32) if empty else alpha)

    def _dress(self, rng: Random, who: int, room: Pixels) -> Layer:
        color, alpha = raise_arms(rng, *self.place(rng, who, room.shape[:2]))
        return Layer(camouflage(rng, color, alpha, room), alpha)


def show_room(photograph: Pixels, view: Map, frame: Size, detail: float) -> Pixels:
    """Return a view of a room, with so much of the finer detail that photographs of 640 pixels lack."""
    seen = warp(photograph, view, frame)
    if not detail:
        return seen
    finer = warp(photograph, chain(np.array([[1 / 3, 0, 0], [0, 1 / 3, 0]]), view), frame).astype(np.float32)
    return np.asarray((seen + detail * (finer - cv2.blur(finer, (9, 9))) + 0.5).clip(0, 255), np.uint8)


def to_alpha(levels: Pixels) -> Alpha:
    """Convert 0..255 to 0..1."""
    return np.multiply(levels, np.float32(1 / 255), dtype=np.float32)


def compose(color: Pixels, alpha: Alpha, below: Pixels) -> Pixels:
    """Composite `color` with `alpha` over `below`."""
    return np.asarray(cv2.blendLinear(color, below, alpha, 1 - alpha), np.uint8)


def _blur(rng: Random, color: Pixels, alpha: Alpha) -> tuple[Pixels, Alpha]:
    """Blur or sharpen a person as a camera that is not in focus, or moves; as one picture, weighted by alpha."""
    premultiplied = np.dstack([cv2.blendLinear(color, np.zeros_like(color), alpha, 1 - alpha), alpha * 255 + 0.5])
    before = premultiplied.astype(np.uint8)
    after = add_motion_blur(rng, soften(rng, before, 0.2), 0.1)
    if after is before:
        return color, alpha
    alpha = to_alpha(after[:, :, 3])
    weighted = after[:, :, :3] / np.maximum(alpha, _LEAST_ALPHA)[:, :, None]
    return np.where(alpha[:, :, None] > 0.1, weighted.clip(0, 255), color).astype(np.uint8), alpha


def _grow(rng: Random, layer: Layer, texture: Pixels) -> Layer:
    """Grow soft things on a person; see `grow_soft_edges`."""
    draws = BatchRandom(1, int(rng.integers(1 << 60)), torch.device("cpu"))
    pictures = (np.ascontiguousarray(each) for each in (layer.color, texture))
    color, paint = (torch.from_numpy(each).permute(2, 0, 1)[None] / 255 for each in pictures)
    alpha = torch.from_numpy(layer.alpha)[None, None]
    weighted, alpha = grow_soft_edges(draws, color * alpha, alpha, paint)
    color = (weighted / alpha.clamp(min=_LEAST_ALPHA)).clamp(0, 1)
    return Layer((color[0] * 255).round().byte().permute(1, 2, 0).numpy(), alpha[0, 0].numpy())
