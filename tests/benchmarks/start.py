"""`python tests/benchmarks/start.py --other FOLDER`: how long a start takes, beside another checkout's, in turns.

A start is the time from the process's beginning to the first card and to the first composite that a sink is given. The
other checkout runs with this one's packages.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

HERE = Path(__file__).parents[2]
PARTS = ("card", "composite")

# Run where only `camdaemon` can be imported, of either checkout. The sink is one that people watch, so there is a card.
ONE_START = """
import json, os, signal, sys, time

def find_age():
    with open("/proc/self/stat") as stat, open("/proc/uptime") as uptime:
        began = int(stat.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        return float(uptime.read().split()[0]) - began

began, seen = time.monotonic() - find_age(), {}
from camdaemon.output import null

def write(self, frame):
    seen.setdefault(str(frame.content), time.monotonic() - began)
    if "composite" in seen:
        print(json.dumps(seen), flush=True)
        os.kill(os.getpid(), signal.SIGTERM)

null.NullSink.write, null.NullSink.live, null.NullSink.can_reopen = write, True, True
from camdaemon.__main__ import main
main()
"""


def time_start(checkout: Path, words: list[str], home: Path) -> dict[str, float]:
    """Return the seconds to the first card and the first composite of `camdaemon run` with `words`."""
    own = {f"XDG_{name}_HOME": str(home / checkout.name / name) for name in ("CONFIG", "STATE", "DATA", "CACHE")}
    own |= {"PYTHONPATH": str(checkout), "CAMDAEMON_SOCKET": str(home / "control.sock")}
    command = [sys.executable, "-c", ONE_START, "run", "--sink", "null", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | own, cwd=home)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise SystemExit(f"benchmarks: no composite came from {checkout}: {done.stderr[-500:]}")
    found: dict[str, float] = json.loads(lines[-1])
    return found


def describe(times: dict[str, list[dict[str, float]]]) -> list[str]:
    """Return a line for each part: the medians of either side, and the median of the rounds' ratios."""
    lines = []
    for part in PARTS:
        own, other = ([each[part] for each in times[side]] for side in ("this", "other"))
        ratios = [mine / theirs for mine, theirs in zip(own, other, strict=True)]
        lines.append(
            f"first {part}: {median(own):.2f} s, the other {median(other):.2f} s; "
            f"this takes {median(ratios):.2f} of its time ({min(ratios):.2f} to {max(ratios):.2f})"
        )
    return lines


def main(
    other: Annotated[Path, typer.Option(help="Folder of another checkout.")],
    rounds: Annotated[int, typer.Option(min=1, help="Starts of each, in turns, after one that fills the caches.")] = 5,
    source: Annotated[str, typer.Option(help="Camera or clip.")] = "pattern",
    plate: Annotated[str, typer.Option(help="As `camdaemon run --plate`.")] = "none",
) -> None:
    """Time the start of this checkout and of another one."""
    words = ["--source", source, "--backdrop", "blur", "--plate", plate, "--fresh"]
    times: dict[str, list[dict[str, float]]] = {"other": [], "this": []}
    with tempfile.TemporaryDirectory() as home:
        for checkout in (other.resolve(), HERE):
            time_start(checkout, words, Path(home))
        for _ in range(rounds):
            for side, checkout in (("other", other.resolve()), ("this", HERE)):
                times[side].append(time_start(checkout, words, Path(home)))
    for line in describe(times):
        typer.echo(line)


if __name__ == "__main__":
    typer.run(main)
