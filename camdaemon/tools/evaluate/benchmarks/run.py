"""One evaluation on published test sets: every folder is looked through before the first picture is matted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from camdaemon.config.schema import RefineConfig
from camdaemon.errors import ConfigError
from camdaemon.linux.listing import list_files
from camdaemon.tools.evaluate.benchmarks.layouts import BenchmarkClip, find_videomatte
from camdaemon.tools.evaluate.benchmarks.samples import Degradation, Samples
from camdaemon.tools.evaluate.benchmarks.scoring import score_clips, score_samples
from camdaemon.tools.evaluate.benchmarks.specs import (
    PHOTO_SETS,
    PHOTO_WORK,
    VIDEOMATTE,
    VIDEOMATTE_TITLE,
    choose_clip_work,
    parse_benchmark,
    parse_range,
)
from camdaemon.tools.evaluate.comparison import KeepStrip
from camdaemon.tools.evaluate.mattings import NamedMatting, Running, open_mattings
from camdaemon.tools.evaluate.scores import MattingScores
from camdaemon.tools.files.listing import PICTURES

Steps = tuple[str, int | None, Iterator[list[MattingScores]]]  # name of a set, number of steps, and the steps
OpenFor = Callable[[RefineConfig], list[NamedMatting]]
MATTINGS = ["bgmv2:published", "difference"]


@dataclass(frozen=True, slots=True)
class Benchmarks:
    """What is asked for.

    Attributes:
        folders: NAME=FOLDER of each set.
        plates: Folder of pictures of rooms; None: there is none.
        seed: Of what is random.
        max_side: Of photos, in pixels; None: as they are.
        noise: LOW-HIGH, standard deviation of the noise in plates; None: as assumed of the paper.
    """

    folders: tuple[str, ...] = ()
    plates: Path | None = None
    seed: int = 1
    max_side: int | None = None
    noise: str | None = None

    def __bool__(self) -> bool:
        """Tell whether any set is asked for."""
        return bool(self.folders)

    @property
    def read(self) -> list[Path]:
        """The folders that are read. Raises ConfigError: see `parse_benchmark`."""
        return [parse_benchmark(text)[1] for text in self.folders]

    def plan(
        self, mattings: list[str], exposures: list[bool], running: Running, keep: KeepStrip
    ) -> list[Callable[[], Steps]]:
        """Find the samples of every set.

        Returns:
            For each set, what opens the mattings and begins.

        Raises:
            ConfigError: A folder is not laid out like its set, or there are no pictures of rooms.
        """

        def open_for(work: RefineConfig) -> list[NamedMatting]:
            # A live effort decides for itself; the papers' networks see no mirror image, either.
            how = replace(running, usually_matched=False)
            return open_mattings(mattings, exposures, how if how.live else replace(how, live=True, work=work))

        planned: list[Callable[[], Steps]] = []
        for name, folder in map(parse_benchmark, self.folders):
            if name == VIDEOMATTE:
                planned.append(partial(_begin_clips, find_videomatte(folder), open_for, keep))
            else:
                found = self._find_samples(name, folder)
                planned.append(partial(_begin_photos, PHOTO_SETS[name].title, found, open_for, keep))
        return planned

    def _find_samples(self, name: str, folder: Path) -> Samples:
        if self.plates is None or not self.plates.is_dir():
            raise ConfigError(f"{name} needs pictures of rooms. Run with: --benchmark {name}=FOLDER --plates FOLDER")
        rooms = sorted(list_files(self.plates, PICTURES))  # the order decides who is placed where
        degradation = Degradation() if self.noise is None else Degradation(parse_range(self.noise))
        chosen = PHOTO_SETS[name]
        found = Samples(chosen.find(folder), rooms, chosen.pairs, self.seed, self.max_side, degradation)
        found.check()
        return found

    def describe(self, *, live: bool) -> dict[str, str]:
        """Describe what is scored, for the report; without paths."""
        if not self:
            return {}
        low, high = Degradation().noise if self.noise is None else parse_range(self.noise)
        size = "as they are" if self.max_side is None else f"{self.max_side} pixels a side at most"
        return {
            "benchmarks": f"{', '.join(text.partition('=')[0] for text in self.folders)}; seed {self.seed}; photos "
            f"{size}, plates worsened as in appendix D.2 with noise of a σ of {low:g} to {high:g}",
            "benchmarks' effort": "as for live frames" if live else "base input and refined pixels as in the papers",
            "benchmarks' exposure": "the plate is used as it is, except by mattings called matched",
        }


NO_BENCHMARKS = Benchmarks()


def _begin_photos(title: str, found: Samples, open_for: OpenFor, keep: KeepStrip) -> Steps:
    return title, len(found), score_samples(title, found, open_for(PHOTO_WORK), keep)


def _begin_clips(clips: list[BenchmarkClip], open_for: OpenFor, keep: KeepStrip) -> Steps:
    count = sum(len(clip.frames) for clip in clips)

    def open_of_size(width: int, height: int) -> list[NamedMatting]:
        return open_for(choose_clip_work(width, height))

    return VIDEOMATTE_TITLE, count, score_clips(VIDEOMATTE_TITLE, clips, open_of_size, keep)
