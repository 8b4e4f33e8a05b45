"""Mattings on the same cases, side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from camdaemon.config.schema import Config
from camdaemon.errors import ConfigError
from camdaemon.frames.composite import Matte
from camdaemon.frames.picture import Picture, from_tensor
from camdaemon.plate.take import Plate, PlateRules
from camdaemon.tools.evaluate.clips import Clip, truth
from camdaemon.tools.evaluate.composites import Case
from camdaemon.tools.evaluate.metrics import Alpha, Figures, dtssd, foreground_mse, score
from camdaemon.tools.files.studio import Studio, shown_alpha
from camdaemon.tools.files.video import plate_of

Keep = Callable[[str, list[Picture]], None]  # name of a case; frame, true alpha, and each matting's alpha


@dataclass(slots=True)
class Row:
    """One matting on one set. cases: the figures of each picture or frame, by its name; see `flat` for their names."""

    on: str
    matting: str
    cases: dict[str, Figures] = field(default_factory=dict)

    def add(self, case: str, figures: Figures) -> None:
        """Add figures of the case `case`."""
        self.cases.setdefault(case, {}).update(figures)

    def means(self) -> Figures:
        """The mean of each figure over the cases that have it."""
        names = dict.fromkeys(name for figures in self.cases.values() for name in figures)
        found = {}
        for name in names:
            values = [figures[name] for figures in self.cases.values() if math.isfinite(figures.get(name, math.nan))]
            found[name] = sum(values) / len(values) if values else math.nan
        return found


@dataclass(frozen=True, slots=True)
class Entrant:
    """A matting under a name."""

    name: str
    studio: Studio


def entrants(specs: list[str], exposures: list[bool], device: str, *, live: bool = False) -> list[Entrant]:
    """Every matting of `specs` with every exposure matching of `exposures`.

    A spec is bgmv2 (the default weights), bgmv2:FILE, or difference.   live: with no more work than live
    frames get on that device. Raises ConfigError.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"there is no device {device!r}; try --device auto, cpu or cuda")
    return [
        Entrant(_name(spec, match), Studio(_config(spec, device, match=match), live=live))
        for spec in specs
        for match in exposures
    ]


def _name(spec: str, match: bool) -> str:
    kind, _, file = spec.partition(":")
    return (f"{kind} {Path(file).stem}" if file else kind) + ("" if match else ", unmatched")


def _config(spec: str, device: str, *, match: bool) -> Config:
    kind, _, file = spec.partition(":")
    match kind:
        case "bgmv2":
            return Config(weights=file or "default", device=device, match_exposure=match)
        case "difference" if not file:
            return Config(matting="difference", device=device, match_exposure=match)
        case _:
            raise ConfigError(f"there is no matting {spec!r}; try --matting bgmv2, bgmv2:FILE or difference")


def on_composites(name: str, cases: Iterable[Case], field_: list[Entrant], keep: Keep) -> Iterator[list[Row]]:
    """Score every entrant on every composite; gives the rows so far after each one."""
    rows = [Row(name, entrant.name) for entrant in field_]
    for case in cases:
        plate = Plate(case.plate)
        found = [entrant.studio.still(case.frame, plate) for entrant in field_]
        alphas = [alpha_of(matte) for matte in found]
        for row, matte, alpha in zip(rows, found, alphas, strict=True):
            row.add(case.name, flat(score(alpha, case.alpha)))
            row.add(case.name, {"FG MSE": foreground_mse(from_tensor(matte.foreground), case.foreground, case.alpha)})
        keep(case.name, [case.frame, to_gray(case.alpha), *map(to_gray, alphas)])
        yield rows


def on_clip(clip: Clip, field_: list[Entrant], every: int, keep: Keep) -> Iterator[list[Row]]:
    """Score every entrant on a clip as it would be live; gives the rows so far after each frame.

    dtSSD is of every frame, the rest of every `every`-th one. Raises ConfigError, PlateRefused, MattingError.
    """
    rows = [Row(clip.name, entrant.name) for entrant in field_]
    plate = plate_of(clip.film, field_[0].studio, clip.plate, PlateRules())
    for entrant in field_:
        entrant.studio.rewind()
    truths = truth(clip.alpha, clip.film.size)
    before: list[Alpha] = []
    for seq, (name, rgb) in enumerate(clip.film.frames()):
        true = next(truths, None)
        if true is None:
            raise ConfigError(f"{clip.alpha} ends before its clip, after {seq} frames; make it anew from the clip")
        alphas = [alpha_of(entrant.studio.frame(rgb, plate, seq)) for entrant in field_]
        scored = seq % every == 0
        for index, (row, alpha) in enumerate(zip(rows, alphas, strict=True)):
            if before:
                row.add(name, {"dtSSD": dtssd(alpha, before[index + 1], true, before[0])})
            if scored:
                row.add(name, flat(score(alpha, true)))
        if scored:
            keep(f"{clip.name}-{name}", [rgb, to_gray(true), *map(to_gray, alphas)])
        before = [true, *alphas]
        yield rows


def on_files(predicted: Path, true: Path) -> Iterator[list[Row]]:
    """Score alphas in files against the true ones of the same name; gives the row so far after each one.

    8 or 16 bits, gray (or colour, then its gray). Raises ConfigError.
    """
    names = sorted(path.name for path in true.glob("*.png"))
    if not names:
        raise ConfigError(f"{true} has no PNG files; name a folder of true alphas with --truth")
    if missing := [name for name in names if not (predicted / name).is_file()]:
        raise ConfigError(
            f"{len(missing)} of {len(names)} alphas are missing in {predicted}, the first is {missing[0]}; write them "
            "with: camdaemon image --src FOLDER --alpha FOLDER"
        )
    row = Row(true.name, predicted.name)
    for name in names:
        found, wanted = read_alpha(predicted / name), read_alpha(true / name)
        if found.shape != wanted.shape:
            raise ConfigError(
                f"{predicted / name} is {found.shape[1]}x{found.shape[0]}, the truth {wanted.shape[1]}x"
                f"{wanted.shape[0]}; write it anew at the picture's own size"
            )
        row.add(Path(name).stem, flat(score(found, wanted)))
        yield [row]


def read_alpha(path: Path) -> Alpha:
    """A gray picture as an alpha (H,W), 0..1. Raises ConfigError."""
    gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    if gray is None:
        raise ConfigError(f"{path} is not a picture that can be read; write it anew")
    return np.asarray(gray, np.float32) / np.float32(65535 if gray.dtype == np.uint16 else 255)


def alpha_of(matte: Matte) -> Alpha:
    """The alpha that is written and shown, in 8 bits, as (H,W), 0..1."""
    return np.asarray(from_tensor(shown_alpha(matte)), np.float32) / np.float32(255)


def flat(regions: dict[str, Figures]) -> Figures:
    """{'unknown SAD': …, 'whole SAD': …}."""
    return {f"{region} {name}": value for region, figures in regions.items() for name, value in figures.items()}


def to_gray(alpha: Alpha) -> Picture:
    """(H,W), 0..1 → uint8 (H,W,3)."""
    return np.asarray(cv2.cvtColor((alpha * 255 + 0.5).astype(np.uint8), cv2.COLOR_GRAY2RGB), np.uint8)
