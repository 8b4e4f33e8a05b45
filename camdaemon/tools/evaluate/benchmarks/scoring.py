"""Mattings on published test sets. Leak and holes are of the viewers' alpha, the papers' figures of the network's."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np

from camdaemon.errors import ConfigError
from camdaemon.frames import picture
from camdaemon.frames.picture import Picture
from camdaemon.plate.parts import Plate
from camdaemon.tools.evaluate.benchmarks.figures import score_frame, score_photo, to_own_alpha
from camdaemon.tools.evaluate.benchmarks.layouts import BenchmarkClip
from camdaemon.tools.evaluate.comparison import KeepStrip, read_alpha, to_alpha, to_gray
from camdaemon.tools.evaluate.composites import Case
from camdaemon.tools.evaluate.mattings import NamedMatting
from camdaemon.tools.evaluate.metrics import Alpha, Figures, dtssd, find_room
from camdaemon.tools.evaluate.scores import LeakedRoom, MattingScores, look

OpenMattings = Callable[[int, int], list[NamedMatting]]  # for clips of a width and height
Found = tuple[str, Figures, float]  # name of a matting, figures of a frame, and what of the room has leaked so far
_Pixels = TypeVar("_Pixels", Picture, Alpha)
_AGAIN = "Unpack the test set again"


def score_samples(
    title: str, cases: Iterable[Case], mattings: list[NamedMatting], keep: KeepStrip
) -> Iterator[list[MattingScores]]:
    """Score every matting on every composite (Lin et al. 2021, §5.1); yields the scores so far after each composite.

    Raises:
        ConfigError: A picture cannot be read.
        MattingError: A picture cannot be matted.
    """
    rows = [MattingScores(title, matting.name, benchmark="photos") for matting in mattings]
    for case in cases:
        room, plate, alphas = find_room(case.alpha), Plate(case.plate), []
        for row, matting in zip(rows, mattings, strict=True):
            matte = matting.pipeline.matte_picture(case.frame, plate)
            alphas.append(to_own_alpha(matte))
            row.add(case.name, score_photo(alphas[-1], matte, case))
            row.add(case.name, look(to_alpha(matte), case.alpha, room, card=matting.is_card(matte)))
        keep(f"{title}-{case.name}", [case.frame, to_gray(case.alpha), *map(to_gray, alphas)])
        yield rows


def score_clips(
    title: str, clips: list[BenchmarkClip], open_mattings: OpenMattings, keep: KeepStrip
) -> Iterator[list[MattingScores]]:
    """Score every matting on every frame of every clip (Lin et al. 2022, §5.1); yields the scores so far after each.

    A matting gets the room of the clip's first frame as its plate, as Background Matting V2 does there. There is a row
    for all clips, and one for each group where there are several.

    Raises:
        ConfigError: A picture cannot be read, or has another size than its clip.
        MattingError: A frame cannot be matted.
    """
    table = _Table(title, [clip.group for clip in clips])
    opened: dict[tuple[int, int], list[NamedMatting]] = {}
    for clip in clips:
        plate = _read(clip.plate)
        size = plate.shape[1], plate.shape[0]
        if size not in opened:
            opened[size] = open_mattings(*size)
        for frame, found in _score_clip(clip, Plate(plate), opened[size], keep):
            table.add(clip, frame, found)
            yield table.rows


class _Table:
    """The rows of each group of clips, if there are several, and of all clips.

    Args:
        title: Of the row of all clips.
        groups: Group of each clip.
    """

    def __init__(self, title: str, groups: list[str]) -> None:
        self._title, self._is_split = title, len(set(groups)) > 1
        self._rows: dict[tuple[str, str], MattingScores] = {}
        self._ever: dict[tuple[str, str], dict[str, float]] = {}

    @property
    def rows(self) -> list[MattingScores]:
        return sorted(self._rows.values(), key=lambda row: row.on == self._title)  # all clips last

    def add(self, clip: BenchmarkClip, frame: str, found: list[Found]) -> None:
        """Add the figures of a frame; what leaked ever is the mean over the clips."""
        name = f"{clip.group}/{clip.name}"
        for matting, figures, ever in found:
            for on in (f"{self._title}, {clip.group}", self._title)[0 if self._is_split else 1 :]:
                row = self._rows.setdefault((on, matting), MattingScores(on, matting, benchmark="clips"))
                row.add(f"{name}/{frame}", figures)
                each = self._ever.setdefault((on, matting), {})
                each[name] = ever
                known = [value for value in each.values() if math.isfinite(value)]
                row.ever = sum(known) / len(known) if known else math.nan


def _score_clip(
    clip: BenchmarkClip, plate: Plate, mattings: list[NamedMatting], keep: KeepStrip
) -> Iterator[tuple[str, list[Found]]]:
    """Yield the name of each frame and what each matting made of it."""
    shape = plate.rgb.shape[:2]
    leaked = [LeakedRoom(shape) for _ in mattings]
    for matting in mattings:
        matting.pipeline.rewind()
    before: list[Alpha] = []
    for seq, (composite, truth) in enumerate(clip.frames):
        rgb, true = _read(composite), _crop(read_alpha(truth))
        if rgb.shape[:2] != shape or true.shape != shape:
            raise ConfigError(f"{composite}, its alpha and its room have different sizes. {_AGAIN}")
        room, alphas, found = find_room(true), [], []
        for index, matting in enumerate(mattings):
            matte = matting.pipeline.matte_frame(rgb, plate, seq)
            alphas.append(to_own_alpha(matte))
            # The published evaluation counts a clip's first frame as 0.
            flicker = dtssd(alphas[-1], before[index + 1], true, before[0]) if before else 0.0
            card, shown = matting.is_card(matte), to_alpha(matte)
            ever = leaked[index].add(np.zeros_like(shown) if card else shown, room)
            figures = score_frame(alphas[-1], true) | {"dtSSD": flicker} | look(shown, true, room, card=card)
            found.append((matting.name, figures, ever))
        if not before:
            keep(f"{clip.group}-{clip.name}", [rgb, to_gray(true), *map(to_gray, alphas)])
        before = [true, *alphas]
        yield composite.stem, found


def _read(path: Path) -> Picture:
    return _crop(picture.read(path, "to unpack the test set again"))


def _crop(pixels: _Pixels) -> _Pixels:
    """Cut the sides of (H,W,…) to multiples of 4."""
    height, width = (side // 4 * 4 for side in pixels.shape[:2])
    return pixels[:height, :width]
