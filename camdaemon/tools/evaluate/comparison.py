"""Several mattings on the same cases."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from camdaemon.config.schema import Config
from camdaemon.errors import ConfigError
from camdaemon.frames import picture
from camdaemon.frames.composite import Matte
from camdaemon.frames.picture import Picture, from_tensor
from camdaemon.linux.listing import list_files
from camdaemon.matting import find_matting
from camdaemon.plate.take import Plate, PlateRules
from camdaemon.tools.evaluate.clips import Clip, read_truth
from camdaemon.tools.evaluate.composites import Case
from camdaemon.tools.evaluate.metrics import Alpha, Figures, dtssd, foreground_mse, score
from camdaemon.tools.files.offline import OfflinePipeline, stretch_alpha
from camdaemon.tools.files.video import get_plate

KeepStrip = Callable[[str, list[Picture]], None]  # name of a case; frame, true alpha, and each matting's alpha


@dataclass(slots=True)
class MattingScores:
    """The scores of one matting on one set.

    Attributes:
        on: Name of the set.
        matting: Name of the matting.
        cases: The figures of each picture or frame, by its name; `flatten` names the figures.
    """

    on: str
    matting: str
    cases: dict[str, Figures] = field(default_factory=dict)

    def add(self, case: str, figures: Figures) -> None:
        """Add figures of a case."""
        self.cases.setdefault(case, {}).update(figures)

    def means(self) -> Figures:
        """Return the mean of each figure over the cases that have it."""
        names = dict.fromkeys(name for figures in self.cases.values() for name in figures)
        found = {}
        for name in names:
            values = [figures[name] for figures in self.cases.values() if math.isfinite(figures.get(name, math.nan))]
            found[name] = sum(values) / len(values) if values else math.nan
        return found


@dataclass(frozen=True, slots=True)
class NamedMatting:
    """A matting with the name that it has in tables."""

    name: str
    pipeline: OfflinePipeline


def open_mattings(specs: list[str], exposures: list[bool], device: str, *, live: bool = False) -> list[NamedMatting]:
    """Open every matting of `specs` with every exposure matching of `exposures`.

    Args:
        specs: Names of mattings, with the default weights, or NAME:FILE with other weights.
        exposures: Whether the plate is matched to each picture's exposure.
        device: auto, cpu or cuda.
        live: Spend no more work than on live frames on that device.

    Raises:
        ConfigError: A spec or the device does not exist, or a matting cannot be opened.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"there is no device {device!r}. Run with: --device auto, cpu or cuda")
    return [
        NamedMatting(_name(spec, match), OfflinePipeline(_config(spec, device, match=match), live=live))
        for spec in specs
        for match in exposures
    ]


def _name(spec: str, match: bool) -> str:
    kind, _, file = spec.partition(":")
    return (f"{kind} {Path(file).stem}" if file else kind) + ("" if match else ", unmatched")


def _config(spec: str, device: str, *, match: bool) -> Config:
    name, _, file = spec.partition(":")
    uses_weights = find_matting(name).uses_weights
    if file and not uses_weights:
        raise ConfigError(f"no such matting {spec!r}: {name} has no weights. Run with: --matting {name}")
    return Config(matting=name, weights=file or "default", device=device, match_exposure=match)


def score_composites(
    name: str, cases: Iterable[Case], mattings: list[NamedMatting], keep: KeepStrip
) -> Iterator[list[MattingScores]]:
    """Score every matting on every composite; yields the scores so far after each composite."""
    rows = [MattingScores(name, matting.name) for matting in mattings]
    for case in cases:
        plate = Plate(case.plate)
        found = [matting.pipeline.matte_picture(case.frame, plate) for matting in mattings]
        alphas = [to_alpha(matte) for matte in found]
        for row, matte, alpha in zip(rows, found, alphas, strict=True):
            row.add(case.name, flatten(score(alpha, case.alpha)))
            row.add(case.name, {"FG MSE": foreground_mse(from_tensor(matte.foreground), case.foreground, case.alpha)})
        keep(case.name, [case.frame, to_gray(case.alpha), *map(to_gray, alphas)])
        yield rows


def score_clip(clip: Clip, mattings: list[NamedMatting], every: int, keep: KeepStrip) -> Iterator[list[MattingScores]]:
    """Score every matting on a clip as live; yields the scores so far after each frame.

    dtSSD uses every frame, the other figures every `every`-th one.

    Raises:
        ConfigError: The truth ends before the clip, or a file cannot be read.
        PlateRefused: The clip gives no plate.
        MattingError: A frame cannot be matted.
    """
    rows = [MattingScores(clip.name, matting.name) for matting in mattings]
    plate = get_plate(clip.video, mattings[0].pipeline, clip.plate, PlateRules())
    for matting in mattings:
        matting.pipeline.rewind()
    truths = read_truth(clip.alpha, clip.video.size)
    before: list[Alpha] = []
    for seq, (name, _, rgb) in enumerate(clip.video.frames()):
        true = next(truths, None)
        if true is None:
            raise ConfigError(f"{clip.alpha} ends before its clip, after {seq} frames: make it again from the clip")
        alphas = [to_alpha(matting.pipeline.matte_frame(rgb, plate, seq)) for matting in mattings]
        scored = seq % every == 0
        for index, (row, alpha) in enumerate(zip(rows, alphas, strict=True)):
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
    return np.asarray(from_tensor(stretch_alpha(matte)), np.float32) / np.float32(255)


def flatten(regions: dict[str, Figures]) -> Figures:
    """Return figures by region and name: {'unknown SAD': …, 'whole SAD': …}."""
    return {f"{region} {name}": value for region, figures in regions.items() for name, value in figures.items()}


def to_gray(alpha: Alpha) -> Picture:
    """Convert (H,W), 0..1, to uint8 (H,W,3)."""
    return np.asarray(cv2.cvtColor((alpha * 255 + 0.5).astype(np.uint8), cv2.COLOR_GRAY2RGB), np.uint8)
