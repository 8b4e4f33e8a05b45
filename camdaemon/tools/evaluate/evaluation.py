"""What `camdaemon evaluate` does with its options."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from camdaemon import __version__
from camdaemon.daemon.progress import show_progress
from camdaemon.errors import ConfigError
from camdaemon.frames.frame import Size
from camdaemon.linux.listing import list_files
from camdaemon.matting.bgmv2.weights import USES, find_weights
from camdaemon.tools.evaluate.benchmarks.run import MATTINGS, NO_BENCHMARKS, Benchmarks
from camdaemon.tools.evaluate.clips import Clip, find_clips
from camdaemon.tools.evaluate.comparison import score_clip, score_composites, score_files
from camdaemon.tools.evaluate.composites import Composites
from camdaemon.tools.evaluate.fault_scores import score_clip_with_faults, score_composites_with_faults
from camdaemon.tools.evaluate.faults import BROUGHT, FAULTS
from camdaemon.tools.evaluate.mattings import NamedMatting, Running, open_mattings
from camdaemon.tools.evaluate.scores import MattingScores
from camdaemon.tools.evaluate.strips import Strips
from camdaemon.tools.evaluate.tables import SCORES
from camdaemon.tools.own_folder import OwnFolder

_MATTINGS = ["bgmv2", "difference"]
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
    strips: Strips
    plate: str | None = None
    plate_faults: bool = False
    engine: str | None = None
    precision: str = "auto"
    benchmarks: Benchmarks = NO_BENCHMARKS

    def __post_init__(self) -> None:
        rooms = None if self.benchmarks and self.people is None else self.plates  # those may be for benchmarks alone
        pairs = ((self.people, rooms, "--people, --plates"), (self.predicted, self.truth, "--predicted, --truth"))
        for one, other, names in pairs:
            if (one is None) != (other is None):
                raise ConfigError(f"{names} belong together: name both folders")
        if self.people is None and self.clips is None and self.predicted is None and not self.benchmarks:
            raise ConfigError("nothing to score. Run with: --people DIR --plates DIR, or --clips DIR")
        if self.plate not in (None, "none"):
            raise ConfigError("every composite and clip has a plate of its own. To go without, run with: --plate none")
        if self.benchmarks and (self.plate is not None or self.plate_faults):
            raise ConfigError("benchmarks have plates of their own. Run without --plate and --plate-faults")
        if self.plate_faults and (self.people is None or self.plate is not None):
            raise ConfigError("--plate-faults puts rooms and people into plates. Run with: --people DIR --plates DIR")

    def claim_folders(self, output: Path, *, force: bool) -> OwnFolder:
        """Check that scores may be written to `output`, and strips to their folder; own files are replaced.

        Raises:
            ConfigError: They have files of others, and the user did not agree to lose them; or strips would be written
                into a folder that is read.
        """
        read = [self.people, self.plates, self.clips, self.predicted, self.truth, *self.benchmarks.read]
        pictures = self.strips.folder
        if pictures is not None:
            same = next((folder for folder in read if folder and folder.resolve() == pictures.resolve()), None)
            if same is not None:
                raise ConfigError(f"{same} is read. Name another folder with: --pictures FOLDER")
            OwnFolder(pictures).check([path.name for path in pictures.glob("*.png")], force=force)
        own = OwnFolder(output)
        own.check(SCORES, read, force=force)
        return own

    def run(self, mattings: list[str] | None, exposure: str | None) -> Iterator[list[MattingScores]]:
        """Score everything, with a progress bar; yields the scores of each set.

        Args:
            mattings: See `open_mattings`; None: the default ones.
            exposure: A name in `_EXPOSURES`; None: matched, but not for benchmarks.

        Raises:
            ConfigError: A file cannot be read, or an option is not valid.
            PlateRefused: A clip gives no plate.
            MattingError: A picture cannot be matted.
        """
        keep = self.strips.keep
        exposures = _EXPOSURES[exposure or "unmatched"]
        planned = self.benchmarks.plan(mattings or MATTINGS, exposures, self._running(), keep)
        if self.predicted is not None and self.truth is not None:
            count = len(list_files(self.truth, (".png",))) if self.truth.is_dir() else None
            yield _run_with_progress("alphas", count, score_files(self.predicted, self.truth))
        if self.people is not None or self.clips is not None:
            yield from self._run_own(mattings or _MATTINGS, _EXPOSURES[exposure or "matched"])
        for begin in planned:
            yield _run_with_progress(*begin())

    def _run_own(self, mattings: list[str], exposures: list[bool]) -> Iterator[list[MattingScores]]:
        """Score composites and clips."""
        clips = find_clips(self.clips, take_plates=self.take_plates) if self.clips is not None else []
        opened = open_mattings(mattings, exposures, self._running())
        cases = None
        if self.people is not None and self.plates is not None:
            cases = Composites(self.people, self.plates, Size.parse(self.size), self.count, self.seed)
        for name, total, steps in self._plan(cases, clips, opened):
            yield _run_with_progress(name, total, steps)

    def _running(self) -> Running:
        return Running(
            self.device,
            live=self.live,
            plates=self.plate is None,
            gated=not self.plate_faults,
            engine=self.engine,
            precision=self.precision,
        )

    def _plan(
        self, cases: Composites | None, clips: list[Clip], mattings: list[NamedMatting]
    ) -> Iterator[tuple[str, int | None, Iterator[list[MattingScores]]]]:
        """Yield name, number of steps, and the steps of each set."""
        keep, row, plates = self.strips.keep, self.strips.keep_row, self.plate is None
        if cases is not None:
            scored = (
                score_composites_with_faults("composites", cases, mattings, row)
                if self.plate_faults
                else score_composites("composites", cases, mattings, keep, plates=plates)
            )
            yield "composites", self.count, scored
        for clip in clips:
            frames = clip.video.count
            if self.plate_faults and cases is not None:
                steps = None if frames is None else len(FAULTS) * -(-frames // self.every)
                yield clip.name, steps, score_clip_with_faults(clip, cases, mattings, self.every, row)
            else:
                yield clip.name, frames, score_clip(clip, mattings, self.every, keep, plates=plates)

    def describe(self) -> dict[str, str]:
        """Describe what is scored, for the report; without paths."""
        facts = {"camdaemon": __version__, "default weights": describe_defaults()}
        if self.people is not None:
            facts["composites"] = f"{self.count} of {self.size}, seed {self.seed}; plates worsened as in appendix D.2"
        if self.clips is not None:
            how = "taken from their empty seconds" if self.take_plates else "as given"
            others = "the same" if self.plate_faults else "dtSSD, leak and holes of all"
            facts["clips"] = f"every {self.every}. frame scored, {others}; plates {how}"
        if self.plate is not None:
            facts["plate"] = "none"
        if self.plate_faults:
            facts["faults"] = f"{', '.join([*FAULTS, BROUGHT])}; full confidence except where unknown, every gate off"
        if self.engine is not None:
            facts["engine"] = f"{self.engine}, {self.precision}; in bytes, as the daemon on a CPU"
        if not self.benchmarks or self.people is not None or self.clips is not None:
            facts["effort"] = "as for live frames" if self.live else "as for files"
            facts["exposure"] = "the plate is matched to each picture as live, except for mattings called unmatched"
        return facts | self.benchmarks.describe(live=self.live)


def describe_defaults() -> str:
    """Return which weights are the default for each use.

    Raises:
        ConfigError: They are missing or damaged.
    """
    names = {("live", "cpu"): "live on a CPU", ("live", "cuda"): "live on CUDA", ("without_plate", "cpu"): "no plate"}
    return ", ".join(f"{names.get(use, use[0])}: {find_weights('default', *use).name}" for use in USES)


def _run_with_progress(what: str, total: int | None, steps: Iterator[list[MattingScores]]) -> list[MattingScores]:
    done: list[MattingScores] = []
    with show_progress(what, total) as advance:
        for rows in steps:
            done = rows
            advance()
    return done
