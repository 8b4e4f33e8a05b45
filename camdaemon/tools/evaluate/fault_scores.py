"""Mattings with wrong plates: what of the room is published when every gate is off.

A wrong plate is given with full confidence, so a matting is told nothing of the fault. The randomness of a fault
depends on the seed, the picture's number and the fault's name alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from camdaemon.errors import ConfigError
from camdaemon.frames import pixels
from camdaemon.frames.composite import Matte, composite
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import Color, Picture, copy_to_host
from camdaemon.plate.parts import Plate
from camdaemon.plate.take import PlateRules
from camdaemon.tools.evaluate.clips import Clip, read_pairs
from camdaemon.tools.evaluate.comparison import to_alpha, to_gray
from camdaemon.tools.evaluate.composites import Case, Composites
from camdaemon.tools.evaluate.faults import BROUGHT, FAULTS, OBJECT, Others, bring, draw_object, shift_person
from camdaemon.tools.evaluate.mattings import NamedMatting
from camdaemon.tools.evaluate.metrics import Alpha, Mask, find_room
from camdaemon.tools.evaluate.scores import LeakedRoom, MattingScores, look
from camdaemon.tools.films.plates import get_plate

Mattes = list[tuple[Alpha, Matte]]  # of each matting: alpha as it is published, and what it is made of
KeepRow = Callable[[str, Callable[[], list[Picture]]], None]  # name of a sheet, and what makes a row of it

_VIVID: Color = (255, 0, 255)  # behind the published person: no room has this color, so what leaks is seen
_PERSON = 0.05  # of the picture at least: somebody who can be put into a plate


class _Table:
    """The scores of each matting with each fault, in the order in which they come."""

    def __init__(self, on: str) -> None:
        self._on, self._rows = on, dict[tuple[str, str], MattingScores]()

    @property
    def rows(self) -> list[MattingScores]:
        return list(self._rows.values())

    def row(self, fault: str, matting: str) -> MattingScores:
        return self._rows.setdefault((fault, matting), MattingScores(self._on, matting, fault=fault))


def score_composites_with_faults(
    name: str, cases: Composites, mattings: list[NamedMatting], keep: KeepRow
) -> Iterator[list[MattingScores]]:
    """Score every matting on every composite with every fault; yields the scores so far after each composite.

    Raises:
        ConfigError: There is only one room or person, or a file cannot be read.
        MattingError: A picture cannot be matted.
    """
    table = _Table(name)
    for number, case in enumerate(cases):
        seed = (cases.seed, number)
        others, room = cases.draw_others(case, _random(seed, "others")), find_room(case.alpha)
        for fault, frame, plate in _spoil(case, others, seed):
            found: Mattes = []
            for matting in mattings:
                matte = matting.pipeline.matte_picture(frame, plate)
                row = table.row(fault, matting.told(plate))
                found.append((_record(row, case.name, matte, case.alpha, room), matte))
            keep(f"{name} {fault}", partial(_show, frame, plate.rgb, found))
        yield table.rows


def _spoil(case: Case, others: Others, seed: tuple[int, int]) -> Iterator[tuple[str, Picture, Plate]]:
    """Yield name, frame and plate of each fault."""
    for fault, make in FAULTS.items():
        yield fault, case.frame, make(case.plate, others, _random(seed, fault))
    where = draw_object(case.alpha.shape, OBJECT, _random(seed, BROUGHT))
    yield BROUGHT, bring(case.frame, case.foreground, case.alpha, others.room, where), Plate(case.plate)


def score_clip_with_faults(
    clip: Clip, cases: Composites, mattings: list[NamedMatting], every: int, keep: KeepRow
) -> Iterator[list[MattingScores]]:
    """Score every matting on every `every`-th frame of a clip with every fault of its plate.

    Other rooms come from `cases`; the person in the plate is the clip's own, of another frame, moved sideways.

    Yields:
        The scores so far, after each frame.

    Raises:
        ConfigError: A file cannot be read, or the truth ends before the clip.
        PlateRefused: The clip gives no plate.
        MattingError: A frame cannot be matted.
    """
    seed, size = (cases.seed, 0), Size(*clip.video.size)
    right = get_plate(clip.video, mattings[0].pipeline, clip.plate, PlateRules()).rgb
    person = shift_person(*_find_person(clip, _random(seed, "frame")), _random(seed, "place"))
    others = Others(cases.draw_room(size, _random(seed, "room")), *person)
    table = _Table(clip.name)
    for fault, make in FAULTS.items():
        plate = make(right, others, _random(seed, fault))
        leaked = [LeakedRoom(right.shape[:2]) for _ in mattings]
        for matting in mattings:
            matting.pipeline.rewind()
        for seq, (name, rgb, true) in enumerate(read_pairs(clip)):
            if seq % every:
                continue
            seen, found = find_room(true), Mattes()
            for matting, so_far in zip(mattings, leaked, strict=True):
                matte = matting.pipeline.matte_frame(rgb, plate, seq)
                row = table.row(fault, matting.told(plate))
                found.append((_record(row, name, matte, true, seen), matte))
                row.ever = so_far.add(found[-1][0], seen)
            if true.mean() > _PERSON:
                keep(f"{clip.name} {fault}", partial(_show, rgb, plate.rgb, found))
            yield table.rows


def _find_person(clip: Clip, rng: np.random.Generator) -> tuple[Picture, Alpha]:
    """Return a frame of the clip with somebody in it, and its alpha."""
    there = [seq for seq, (_, _, true) in enumerate(read_pairs(clip)) if true.mean() > _PERSON]
    if not there:
        raise ConfigError(f"there is nobody in {clip.video.path}. Name a folder of other clips with: --clips FOLDER")
    chosen = rng.choice(there)
    return next((rgb.copy(), true) for seq, (_, rgb, true) in enumerate(read_pairs(clip)) if seq == chosen)


def _random(seed: tuple[int, int], name: str) -> np.random.Generator:
    return np.random.default_rng((*seed, zlib.crc32(name.encode())))


def _record(row: MattingScores, case: str, matte: Matte, truth: Alpha, room: Mask) -> Alpha:
    """Add the figures of a matte to `row`; returns its alpha as it is published."""
    alpha = to_alpha(matte)
    row.add(case, {"whole MAD": 1000 * float(np.abs(alpha - truth).mean())})
    row.add(case, look(alpha, truth, room))
    return alpha


def _show(frame: Picture, plate: Picture, mattes: Mattes) -> list[Picture]:
    """Return frame, plate, and for each matting its alpha and what viewers would see over a vivid color."""
    shown = [frame, plate]
    for alpha, matte in mattes:
        backdrop = pixels.to_picture_of(matte.foreground, np.full(frame.shape, _VIVID, np.uint8))
        published = composite(matte, backdrop)
        shown += [to_gray(alpha), copy_to_host(published)]
    return shown
