"""What `camdaemon evaluate` does with its options."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from camdaemon import __version__
from camdaemon.daemon.progress import show_progress
from camdaemon.errors import ConfigError
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import Picture
from camdaemon.linux.listing import list_files
from camdaemon.tools.evaluate.clips import find_clips
from camdaemon.tools.evaluate.comparison import MattingScores, open_mattings, score_clip, score_composites, score_files
from camdaemon.tools.evaluate.composites import Composites
from camdaemon.tools.evaluate.tables import SCORES
from camdaemon.tools.files.writers import write_png
from camdaemon.tools.own_folder import OwnFolder

_STRIP_HEIGHT = 270
_EXPOSURES = {"matched": [True], "unmatched": [False], "both": [True, False]}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The options of `camdaemon evaluate`; `cli` describes them.

    Raises:
        ConfigError: They do not fit together.
    """

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
    strips: list[str] = field(default_factory=list)  # files in `pictures` that were written

    def __post_init__(self) -> None:
        pairs = ((self.people, self.plates, "--people, --plates"), (self.predicted, self.truth, "--predicted, --truth"))
        for one, other, names in pairs:
            if (one is None) != (other is None):
                raise ConfigError(f"{names} belong together: name both folders")
        if self.people is None and self.clips is None and self.predicted is None:
            raise ConfigError("nothing to score. Run with: --people DIR --plates DIR, or --clips DIR")

    def claim_folders(self, output: Path, *, force: bool) -> OwnFolder:
        """Check that scores may be written to `output`, and strips to `pictures`; what an evaluation wrote is replaced.

        Raises:
            ConfigError: They have files of others, and the user did not agree to lose them; or strips would be written
                into a folder that is read.
        """
        read = [self.people, self.plates, self.clips, self.predicted, self.truth]
        if self.pictures is not None:
            same = next((folder for folder in read if folder and folder.resolve() == self.pictures.resolve()), None)
            if same is not None:
                raise ConfigError(f"{same} is read. Name another folder with: --pictures FOLDER")
            OwnFolder(self.pictures).check([path.name for path in self.pictures.glob("*.png")], force=force)
        own = OwnFolder(output)
        own.check(SCORES, read, force=force)
        return own

    def run(self, mattings: list[str], exposure: str) -> Iterator[list[MattingScores]]:
        """Score everything, with a progress bar; yields the scores of each set.

        Raises:
            ConfigError: A file cannot be read, or an option is not valid.
            PlateRefused: A clip gives no plate.
            MattingError: A picture cannot be matted.
        """
        if self.predicted is not None and self.truth is not None:
            count = len(list_files(self.truth, (".png",))) if self.truth.is_dir() else None
            yield _run_with_progress("alphas", count, score_files(self.predicted, self.truth))
        if self.people is None and self.clips is None:
            return
        clips = find_clips(self.clips, take_plates=self.take_plates) if self.clips is not None else []
        mattings_ = open_mattings(mattings, _EXPOSURES[exposure], self.device, live=self.live)
        if self.people is not None and self.plates is not None:
            cases = Composites(self.people, self.plates, Size.parse(self.size), self.count, self.seed)
            yield _run_with_progress(
                "composites", self.count, score_composites("composites", cases, mattings_, self._keep)
            )
        for clip in clips:
            yield _run_with_progress(clip.name, clip.video.count, score_clip(clip, mattings_, self.every, self._keep))

    def describe(self) -> dict[str, str]:
        """Describe what is scored, for the report; without paths."""
        facts = {"camdaemon": __version__}
        if self.people is not None:
            facts["composites"] = f"{self.count} of {self.size}, seed {self.seed}; plates worsened as in appendix D.2"
        if self.clips is not None:
            how = "taken from their empty seconds" if self.take_plates else "as given"
            facts["clips"] = f"every {self.every}. frame scored, dtSSD of all; plates {how}"
        facts["effort"] = "as for live frames" if self.live else "as for files"
        facts["exposure"] = "the plate is matched to each picture as live, except for mattings called unmatched"
        return facts

    def _keep(self, name: str, strip: list[Picture]) -> None:
        if self.pictures is not None:
            width = round(strip[0].shape[1] * _STRIP_HEIGHT / strip[0].shape[0])
            small = [cv2.resize(each, (width, _STRIP_HEIGHT), interpolation=cv2.INTER_AREA) for each in strip]
            write_png(self.pictures / f"{name}.png", np.asarray(np.hstack(small), np.uint8))
            self.strips.append(f"{name}.png")


def _run_with_progress(what: str, total: int | None, steps: Iterator[list[MattingScores]]) -> list[MattingScores]:
    done: list[MattingScores] = []
    with show_progress(what, total) as advance:
        for rows in steps:
            done = rows
            advance()
    return done
