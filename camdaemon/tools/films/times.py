"""Times of a folder of frames whose rate varies: an FFmpeg script beside them, from which FFmpeg makes a video."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from camdaemon.linux.files import replace_atomically

TIMES_FILE = "frames.ffconcat"
_RATE = 1000  # of a single picture: FFmpeg rounds the durations to its period


def are_even(times: Sequence[float]) -> bool:
    """Whether `times`, in seconds, are those of a constant frame rate: none is off by a quarter of the period."""
    if len(times) < 3:
        return True
    period = (times[-1] - times[0]) / (len(times) - 1)
    return all(abs(t - times[0] - i * period) <= period / 4 for i, t in enumerate(times))


def write_times(path: Path, times: Mapping[str, float]) -> None:
    """Write a script for FFmpeg's format concat: every file of `times` and how long it is shown.

    Args:
        path: The script, in the folder of the files.
        times: When each file is shown, in seconds, in order; the last one is shown as long as the one before.

    Raises:
        OSError: It cannot be written.
    """
    lines = ["ffconcat version 1.0"]
    seconds = list(times.values())
    shown = [later - t for t, later in itertools.pairwise(seconds)]
    for name, duration in zip(times, [*shown, *shown[-1:]], strict=True):
        lines += [f"file '{_quote(name)}'", f"option framerate {_RATE}", f"duration {duration:.6f}"]
    replace_atomically(path, "\n".join([*lines, ""]).encode(errors="surrogateescape"))


def _quote(name: str) -> str:
    return name.replace("'", "'\\''")
