"""Plates as they are in life: right, gone stale, or unknown in parts; each with its confidence.

A network that is only ever given the right plate calls all that differs from it the person. So most plates here are
not right, and most of these are given as certain: nobody tells the daemon that a chair was moved.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.tools.train.samples.augment import Alpha
from camdaemon.tools.train.samples.geometry import Pixels, Random, Size, chain, nudge, view_room, warp
from camdaemon.tools.train.samples.scene import Cast, Scene, SceneMaker, compose, show_room
from camdaemon.tools.train.samples.things import add_things, move_view, play_screens, stir, thing_cover

_BLOCKS = 45  # blocks of the daemon's check along the height of a frame
_TOLD = 0.25  # of the wrong plates: the daemon has noticed it, and has taken the confidence away where it can
_NOTICED = 24  # levels by which a block has to differ for that


class GivenPlate(NamedTuple):
    """What the network is told about the room.

    Attributes:
        plate: uint8 (H,W,3), RGB.
        confidence: float32 (H,W), 0..1.
    """

    plate: Pixels
    confidence: Alpha


class Source(NamedTuple):
    """What plates are made of.

    Attributes:
        maker: Of the scene.
        scene: The scene.
        cast: Its pictures.
        bare: The scene's bare room as it was photographed, nearly from the same place, uint8 (H,W,3).
        still: The same with the things that are in the scene's room.
    """

    maker: SceneMaker
    scene: Scene
    cast: Cast
    bare: Pixels
    still: Pixels

    @property
    def frame(self) -> Size:
        """Rows and columns."""
        return self.scene.alpha.shape

    @property
    def other(self) -> Pixels:
        """Another room's photograph."""
        return self.maker.plates.picture(self.cast.other)

    def show_other(self, rng: Random) -> Pixels:
        """Return a view of another room."""
        view = view_room(rng, self.other.shape[:2], self.frame)
        return show_room(self.other, view, self.frame, self.scene.detail)


def photograph(rng: Random, maker: SceneMaker, scene: Scene, cast: Cast) -> Source:
    """Photograph the room of a scene, nearly from the same place."""
    frame = scene.alpha.shape
    later = nudge(rng, frame)
    bare = show_room(scene.photograph, chain(scene.view, later), frame, scene.detail)
    return Source(maker, scene, cast, bare, bare if scene.room is scene.bare else warp(scene.room, later, frame))


def _take_other_room(rng: Random, source: Source) -> Pixels:
    return source.show_other(rng)


def _change_parts(rng: Random, source: Source) -> Pixels:
    """Replace up to half of the room by that of another one."""
    return compose(source.show_other(rng), _part(rng, source), source.still)


def _bring_things(rng: Random, source: Source) -> Pixels:
    """Leave out of the plate what stands in the room now, or add what no longer does; often both."""
    plate = source.still
    if source.scene.room is not source.scene.bare and rng.random() < 0.85:
        plate = source.bare
        if rng.random() < 0.7:
            return plate
    return add_things(rng, plate, source.other)


def _include_person(rng: Random, source: Source) -> Pixels:
    """Somebody was in the room when the plate was taken: another person, or in a third of the cases the same one."""
    same = rng.random() < 0.35
    layer = source.maker.place(rng, source.cast.first if same else source.cast.second, source.frame)
    return compose(*layer, source.still)


def _move_camera(rng: Random, source: Source) -> Pixels:
    """The camera was moved since: by up to a third of the picture, turned, or set to another zoom."""
    far = 0.04 if rng.random() < 0.5 else 0.33
    return warp(source.still, move_view(rng, source.frame, far), source.frame)


def _let_things_move(rng: Random, source: Source) -> Pixels:
    """Something in the room moves all the time."""
    plate = source.still
    return stir(rng, plate) if rng.random() < 0.5 else play_screens(rng, plate, source.other)


class _Fault(NamedTuple):
    share: float
    spoil: Callable[[Random, Source], Pixels]


_WRONG = (
    _Fault(0.20, _take_other_room),
    _Fault(0.14, _change_parts),
    _Fault(0.27, _bring_things),
    _Fault(0.15, _include_person),
    _Fault(0.14, _move_camera),
    _Fault(0.10, _let_things_move),
)
Kind = Literal["right", "wrong", "parts", "none"]
KINDS: dict[Kind, float] = {"right": 0.30, "wrong": 0.25, "parts": 0.27, "none": 0.18}  # shares of the plates


def draw_kind(rng: Random) -> Kind:
    """Draw a kind of plate: right, wrong but certain, unknown in parts, or none at all."""
    return tuple(KINDS)[rng.choice(len(KINDS), p=tuple(KINDS.values()))]


def give_plate(rng: Random, source: Source, kind: Kind) -> GivenPlate:
    """Draw a plate of this kind for a scene, and its confidence."""
    ones = np.ones(source.frame, np.float32)
    if kind == "right":
        return GivenPlate(source.still, ones)
    if kind == "parts":
        return GivenPlate(source.still, soften_confidence(rng, 1 - _part(rng, source)))
    if kind == "none":
        return GivenPlate(source.still, 0 * ones)
    fault = _WRONG[rng.choice(len(_WRONG), p=[each.share for each in _WRONG])]
    plate = fault.spoil(rng, source)
    if rng.random() < _TOLD:
        ones = notice(plate, source.still, source.scene.alpha)
    return GivenPlate(plate, ones)


def _part(rng: Random, source: Source) -> Alpha:
    """Draw a part of the frame, float32 (H,W), 0 or 1: where a person sits or sat, one side, blocks, things."""
    height, width = source.frame
    kind, cover = rng.random(), np.zeros(source.frame, np.float32)
    if kind < 0.45:
        return _never_seen(rng, source.scene.alpha)
    if kind < 0.6:
        who = source.cast.first if rng.random() < 0.5 else source.cast.second
        cover = _as_mask(source.maker.place(rng, who, source.frame).alpha > 0.1)
        reach = 1 + 2 * int(rng.integers(0, 1 + height // 20))
        return np.asarray(cv2.dilate(cover, np.ones((reach, reach), np.uint8)))
    if kind < 0.75:
        share = rng.uniform(0.1, 0.6)
        upright = rng.random() < 0.6
        cut = round(share * (width if upright else height))
        (cover if not upright else cover.T)[:cut] = 1
        return np.ascontiguousarray(cover[::-1, ::-1]) if rng.random() < 0.5 else cover
    if kind < 0.9:
        for _ in range(int(rng.integers(1, 8))):
            top, left = int(rng.integers(0, height)), int(rng.integers(0, width))
            cover[top : top + int(rng.integers(2, height // 2)), left : left + int(rng.integers(2, width // 2))] = 1
        return cover
    for _ in range(int(rng.integers(1, 4))):
        cover = np.maximum(cover, thing_cover(rng, source.frame))
    return _as_mask(cover > 0.5)


def _never_seen(rng: Random, alpha: Alpha) -> Alpha:
    """Return what a plate that grew beside this person does not know: wherever they have been, and what is below."""
    height, width = alpha.shape
    there = _as_mask(alpha > 0.02)
    cover = there.copy()
    far = 0.06 if rng.random() < 0.6 else 0.2  # a sway, or another place to sit
    for _ in range(int(rng.integers(0, 4))):
        by = np.array([[1, 0, rng.normal(0, far * width)], [0, 1, rng.normal(0, 0.02 * height)]])
        moved = cv2.warpAffine(there, by, (width, height), flags=cv2.INTER_NEAREST)
        cover = np.maximum(cover, np.asarray(moved, np.float32))
    reach = 1 + 2 * int(rng.integers(0, 1 + height // 12))
    cover = np.asarray(cv2.dilate(cover, np.ones((reach, reach), np.uint8)), np.float32)
    return np.asarray(np.maximum.accumulate(cover, axis=0) if rng.random() < 0.8 else cover, np.float32)


def soften_confidence(rng: Random, confidence: Alpha) -> Alpha:
    """Return `confidence` in blocks as the daemon's, with soft ends in half of the cases, lower in a few."""
    height, width = confidence.shape
    rows = max(1, round(_BLOCKS * min(1.0, height / 176)))
    size = max(1, round(rows * width / height)), rows
    blocks = cv2.resize(confidence, size, interpolation=cv2.INTER_AREA)
    soft = rng.random() < 0.5
    blocks = cv2.blur(blocks, (3, 3)) if soft else _as_mask(blocks > 0.99)
    scale = rng.uniform(0.5, 1) if rng.random() < 0.2 else 1.0
    return np.asarray(scale * cv2.resize(blocks, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def notice(plate: Pixels, room: Pixels, alpha: Alpha) -> Alpha:
    """Return the confidence, float32 (H,W), that is left by a check of blocks where no person is."""
    height, width = alpha.shape
    size = max(1, round(_BLOCKS * width / height)), _BLOCKS
    change = cv2.resize(cv2.absdiff(plate, room).max(2), size, interpolation=cv2.INTER_AREA)
    person = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
    wrong = ((change > _NOTICED) & (person < 0.02)).astype(np.uint8)
    known = _as_mask(cv2.dilate(wrong, np.ones((3, 3), np.uint8)) == 0)
    return np.asarray(cv2.resize(known, (width, height)), np.float32)


def _as_mask(where: NDArray[np.bool_]) -> Alpha:
    return where.astype(np.float32)
