"""`camdaemon image`: pictures and their plates, matted one after the other, and read and written at the same time.

The network computes in the caller's thread alone, so that results are the same for any number of jobs.
"""

from __future__ import annotations

import contextlib
from functools import partial

from camdaemon.daemon.progress import show_progress
from camdaemon.errors import CamdaemonError, ConfigError, Interrupted, MattingError
from camdaemon.tools.files.jobs import Jobs
from camdaemon.tools.files.offline import OfflinePipeline
from camdaemon.tools.files.pair_matter import Depth, PairMatter, PairReader, Scene
from camdaemon.tools.files.pairs import Pair
from camdaemon.tools.files.progress import warn
from camdaemon.tools.files.rendering import Pixels
from camdaemon.tools.files.writers import write_pngs

_MOST_NAMES = 10  # that an error lists


def matte_pair(
    pipeline: OfflinePipeline,
    pair: Pair,
    backdrop: str,
    max_coverage: float,
    *,
    strict: bool = False,
    depth: Depth = "auto",
) -> str:
    """Matte one pair and write its results, all or none; returns a warning, or ''. See `PairMatter`.

    Raises:
        ConfigError: A file cannot be read or written.
        MattingError: The picture cannot be matted, or `strict` and the plate does not fit.
    """
    with contextlib.closing(PairMatter(pipeline, backdrop, max_coverage, strict=strict, depth=depth)) as matter:
        found, warning = matter.matte(pair, PairReader([pair]).read(pair))
    _write(pair, found, [])
    return warning


def matte_pairs(
    pipeline: OfflinePipeline,
    todo: list[Pair],
    backdrop: str,
    max_coverage: float,
    *,
    strict: bool = False,
    depth: Depth = "auto",
    jobs: int = 1,
) -> None:
    """Matte every pair and write the wanted results. See `PairMatter`.

    A pair that cannot be read or matted does not stop the others.

    Args:
        pipeline: Mattes them, in this thread.
        todo: The pairs.
        backdrop: Of composites.
        max_coverage: See `PairMatter`.
        strict: See `PairMatter`.
        depth: See `PairMatter`.
        jobs: Threads that read, and as many that write, while this one mattes; with 1 there are none.

    Raises:
        CamdaemonError: The only pair failed.
        ConfigError: A result cannot be written, or the backdrop cannot be opened. Earlier results stay.
        MattingError: Some of several pairs failed.
        Interrupted: The user has stopped it. Earlier results stay.
    """
    matter = PairMatter(pipeline, backdrop, max_coverage, strict=strict, depth=depth)
    failed: list[str] = []
    done: list[Pair] = []  # whose results are written
    try:
        with (
            contextlib.closing(matter),
            show_progress("pictures", len(todo) if len(todo) > 1 else 0) as advance,
            Jobs(min(jobs, len(todo))) as threads,
        ):
            for pair, scene in zip(todo, threads.read(PairReader(todo).try_to_read, todo), strict=True):
                found = _try_to_matte(matter, pair, scene)
                if not isinstance(found, CamdaemonError):
                    threads.write(partial(_write, pair, found, done))
                elif len(todo) == 1:
                    raise found
                else:
                    failed.append(pair.src.name)
                    told = str(found)
                    warn(told if pair.src.name in told else f"{pair.src.name}: {told}")
                advance()
            threads.finish()
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped after {len(done)} of {len(todo)} pictures. The results of those are written"
        ) from None
    if failed:
        raise _sum_up(failed, len(todo))


def _try_to_matte(
    matter: PairMatter, pair: Pair, scene: Scene | ConfigError
) -> dict[str, Pixels] | ConfigError | MattingError:
    """Return the results of a pair, or why there are none; print its warning. Raises what no pair would be spared."""
    if isinstance(scene, ConfigError):
        return scene
    try:
        found, warning = matter.matte(pair, scene)
    except MattingError as exc:
        return exc
    if warning:
        warn(f"{pair.src.name}: {warning}")
    return found


def _write(pair: Pair, found: dict[str, Pixels], done: list[Pair]) -> None:
    write_pngs({path: found[name] for name, path in pair.wanted.paths().items()})
    done.append(pair)


def _sum_up(failed: list[str], count: int) -> MattingError:
    names = ", ".join([*failed[:_MOST_NAMES], *(["…"] if len(failed) > _MOST_NAMES else [])])
    return MattingError(
        f"{len(failed)} of {count} pictures failed, and {count - len(failed)} are done: {names}. The lines above say "
        "why. When that is put right, run the same command with: --force"
    )
