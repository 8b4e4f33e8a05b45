"""Several mattings on the same cases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from camdaemon.errors import ConfigError
from camdaemon.frames import picture
from camdaemon.frames.composite import Matte
from camdaemon.frames.picture import Picture, copy_to_host
from camdaemon.linux.listing import list_files
from camdaemon.plate.parts import Plate
from camdaemon.plate.take import PlateRules
from camdaemon.plate.unknown import make_blank_plate
from camdaemon.tools.evaluate.clips import Clip, read_pairs
from camdaemon.tools.evaluate.composites import Case
from camdaemon.tools.evaluate.mattings import NamedMatting
from camdaemon.tools.evaluate.metrics import Alpha, Figures, dtssd, find_room, foreground_mse, score
from camdaemon.tools.evaluate.scores import LeakedRoom, MattingScores, look
from camdaemon.tools.files.rendering import stretch_alpha
from camdaemon.tools.films.plates import get_plate

KeepStrip = Callable[[str, list[Picture]], None]  # name of a case; frame, true alpha, and each matting's alpha


def score_composites(
    name: str, cases: Iterable[Case], mattings: list[NamedMatting], keep: KeepStrip, *, plates: bool = True
) -> Iterator[list[MattingScores]]:
    """Score every matting on every composite; yields the scores so far after each composite.

    Args:
        name: Of the set.
        cases: The composites.
        mattings: What to score.
        keep: Given a strip of each composite.
        plates: Whether the mattings get a plate at all.
    """
    rows: list[MattingScores] = []
    for case in cases:
        room, plate = find_room(case.alpha), Plate(case.plate) if plates else make_blank_plate(*case.alpha.shape[::-1])
        rows = rows or [MattingScores(name, matting.told(plate)) for matting in mattings]
        alphas = []
        for row, matting in zip(rows, mattings, strict=True):
            matte = matting.pipeline.matte_picture(case.frame, plate)
            alphas.append(to_alpha(matte))
            colors = copy_to_host(matte.foreground)
            row.add(case.name, flatten(score(alphas[-1], case.alpha)))
            row.add(case.name, {"FG MSE": foreground_mse(colors, case.foreground, case.alpha)})
            row.add(case.name, look(alphas[-1], case.alpha, room, card=matting.is_card(matte)))
        keep(case.name, [case.frame, to_gray(case.alpha), *map(to_gray, alphas)])
        yield rows


def score_clip(
    clip: Clip, mattings: list[NamedMatting], every: int, keep: KeepStrip, *, plates: bool = True
) -> Iterator[list[MattingScores]]:
    """Score every matting on a clip as live; yields the scores so far after each frame.

    dtSSD, leak and holes use every frame, the other figures every `every`-th one.

    Raises:
        ConfigError: The truth ends before the clip, or a file cannot be read.
        PlateRefused: The clip gives no plate.
        MattingError: A frame cannot be matted.
    """
    plate = get_plate(clip.video, mattings[0].pipeline, clip.plate if plates else "none", PlateRules())
    rows = [MattingScores(clip.name, matting.told(plate)) for matting in mattings]
    leaked = [LeakedRoom(clip.video.size[::-1]) for _ in mattings]
    for matting in mattings:
        matting.pipeline.rewind()
    before: list[Alpha] = []
    for seq, (name, rgb, true) in enumerate(read_pairs(clip)):
        mattes = [matting.pipeline.matte_frame(rgb, plate, seq) for matting in mattings]
        alphas = [to_alpha(matte) for matte in mattes]
        room, scored = find_room(true), seq % every == 0
        for index, (row, alpha) in enumerate(zip(rows, alphas, strict=True)):
            card = mattings[index].is_card(mattes[index])
            row.add(name, look(alpha, true, room, card=card))
            row.ever = leaked[index].add(np.zeros_like(alpha) if card else alpha, room)
            if before:
                row.add(name, {"dtSSD": dtssd(alpha, before[index + 1], true, before[0])})
            if scored:
                row.add(name, flatten(score(alpha, true)))
        if scored:
            keep(f"{clip.name}-{name}", [rgb, to_gray(true), *map(to_gray, alphas)])
        before = [true, *alphas]
        yield rows


def score_files(predicted: Path, true: Path) -> Iterator[list[MattingScores]]:
    """Score alphas in files against the true ones of the same name; yields the scores so far after each file.

    Files have 8 or 16 bits, gray or color, which is converted to gray.

    Raises:
        ConfigError: Files are missing, unreadable or of different sizes.
    """
    names = [path.name for path in (list_files(true, (".png",)) if true.is_dir() else [])]
    if not names:
        raise ConfigError(f"{true} has no PNG files. Run with: --truth FOLDER")
    if missing := [name for name in names if not (predicted / name).is_file()]:
        raise ConfigError(
            f"{len(missing)} of {len(names)} alphas are missing in {predicted}, the first is {missing[0]}. "
            "To write them, run: camdaemon image --src FOLDER --alpha FOLDER"
        )
    row = MattingScores(true.name, predicted.name)
    for name in names:
        found, wanted = read_alpha(predicted / name), read_alpha(true / name)
        if found.shape != wanted.shape:
            raise ConfigError(
                f"{predicted / name} is {found.shape[1]}x{found.shape[0]}, the truth {wanted.shape[1]}x"
                f"{wanted.shape[0]}: write it again at the picture's own size"
            )
        row.add(Path(name).stem, flatten(score(found, wanted)))
        yield [row]


def read_alpha(path: Path) -> Alpha:
    """Read a gray picture as an alpha (H,W), 0..1.

    Raises:
        ConfigError: It cannot be read.
    """
    gray = picture.read_gray(path, "to write it again")
    return np.asarray(gray, np.float32) / np.float32(65535 if gray.dtype == np.uint16 else 255)


def to_alpha(matte: Matte) -> Alpha:
    """Return the alpha as it is written and shown, in 8 bits, as (H,W), 0..1."""
    return np.asarray(copy_to_host(stretch_alpha(matte)), np.float32) / np.float32(255)


def flatten(regions: dict[str, Figures]) -> Figures:
    """Return figures by region and name: {'unknown SAD': …, 'whole SAD': …}."""
    return {f"{region} {name}": value for region, figures in regions.items() for name, value in figures.items()}


def to_gray(alpha: Alpha) -> Picture:
    """Convert (H,W), 0..1, to uint8 (H,W,3)."""
    return np.asarray(cv2.cvtColor((alpha * 255 + 0.5).astype(np.uint8), cv2.COLOR_GRAY2RGB), np.uint8)
