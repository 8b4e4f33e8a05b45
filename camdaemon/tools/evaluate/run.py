"""What `camdaemon evaluate` was asked to do, checked and done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from camdaemon import __version__
from camdaemon.errors import ConfigError
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import Picture
from camdaemon.tools.evaluate.clips import find_clips
from camdaemon.tools.evaluate.composites import Composites
from camdaemon.tools.evaluate.contest import Row, entrants, on_clip, on_composites, on_files
from camdaemon.tools.files.files import write_png
from camdaemon.tools.files.progress import progress

_STRIP_HEIGHT = 270
_EXPOSURES = {"matched": [True], "unmatched": [False], "both": [True, False]}


@dataclass(frozen=True, slots=True)
class Plan:
    """The options of `camdaemon evaluate`. Raises ConfigError when they make no sense together."""

    people: Path | None
    plates: Path | None
    count: int
    seed: int
    size: str
    clips: Path | None
    every: int
    take_plates: bool
    predicted: Path | None
    truth: Path | None
    live: bool
    device: str
    pictures: Path | None

    def __post_init__(self) -> None:
        pairs = ((self.people, self.plates, "--people, --plates"), (self.predicted, self.truth, "--predicted, --truth"))
        for one, other, names in pairs:
            if (one is None) != (other is None):
                raise ConfigError(f"{names} belong together; name both folders")
        if self.people is None and self.clips is None and self.predicted is None:
            raise ConfigError("nothing to score is named; try --people DIR --plates DIR, or --clips DIR")

    def run(self, mattings: list[str], exposure: str) -> Iterator[list[Row]]:
        """Score everything; gives the rows of each set. A progress bar shows meanwhile.

        Raises ConfigError, PlateRefused, MattingError.
        """
        if self.predicted is not None and self.truth is not None:
            yield _watched("alphas", None, on_files(self.predicted, self.truth))
        if self.people is None and self.clips is None:
            return
        clips = find_clips(self.clips, take_plates=self.take_plates) if self.clips is not None else []
        field = entrants(mattings, _EXPOSURES[exposure], self.device, live=self.live)
        if self.people is not None and self.plates is not None:
            cases = Composites(self.people, self.plates, Size.parse(self.size), self.count, self.seed)
            yield _watched("composites", self.count, on_composites("composites", cases, field, self._keep))
        for clip in clips:
            yield _watched(clip.name, clip.film.count, on_clip(clip, field, self.every, self._keep))

    def facts(self) -> dict[str, str]:
        """What was done, in words, for the report; no paths."""
        facts = {"camdaemon": __version__}
        if self.people is not None:
            facts["composites"] = f"{self.count} of {self.size}, seed {self.seed}; plates worsened as in appendix D.2"
        if self.clips is not None:
            how = "taken from their empty seconds" if self.take_plates else "as given"
            facts["clips"] = f"every {self.every}. frame scored, dtSSD of all; plates {how}"
        facts["effort"] = "as for live frames" if self.live else "as for files"
        facts["exposure"] = "the plate is matched to each picture as live, but for mattings called unmatched"
        return facts

    def _keep(self, name: str, strip: list[Picture]) -> None:
        if self.pictures is not None:
            width = round(strip[0].shape[1] * _STRIP_HEIGHT / strip[0].shape[0])
            small = [cv2.resize(each, (width, _STRIP_HEIGHT), interpolation=cv2.INTER_AREA) for each in strip]
            write_png(self.pictures / f"{name}.png", np.asarray(np.hstack(small), np.uint8))


def _watched(what: str, total: int | None, steps: Iterator[list[Row]]) -> list[Row]:
    done: list[Row] = []
    with progress(what, total) as advance:
        for rows in steps:
            done = rows
            advance()
    return done
