"""`make lab`: every scenario with every v4l2loopback, each in a guest of its own, and one table. See docs/lab.md."""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import time
from pathlib import Path

_HERE = Path(__file__).parent
sys.path.insert(1, str(_HERE.parents[1]))

import catalogue  # noqa: E402
import kernel  # noqa: E402
import needs  # noqa: E402
import playing  # noqa: E402
import table  # noqa: E402
from catalogue import Scenario  # noqa: E402
from debian import LabError  # noqa: E402


def main() -> int:
    """0: all went well, or the lab cannot run here.   1: a scenario failed.   2: the lab did, or a wrong name."""
    asked = _asked()
    if asked.list:
        print("\n".join(f"{each.name:<20} {each.says}" for each in catalogue.scenarios()))
        return 0
    if why_not := needs.missing():
        print(f"The lab is left out: {why_not}")
        return 0
    try:
        plays = _plays(asked)
        build = kernel.built(asked.cache, lambda said: print(said, flush=True))
        footage = _footage(asked.cache)
        began = time.monotonic()
        results = playing.play_all(build, footage, plays, asked.output, asked.jobs)
    except LabError as wrong:
        print(f"lab: {wrong}", file=sys.stderr)
        return 2
    table.write(results, asked.output)
    failed = [each for each in results if each.outcome == "FAIL"]
    print(f"\n{table.markdown(results)}")
    took = time.monotonic() - began
    for each in failed:  # once more, since the end of a log is what is looked at first
        print(table.line(each))
    print(f"{len(results)} played in {took:.0f} s, {len(failed)} failed; all of it is in {asked.output}")
    return int(bool(failed))


def _asked() -> argparse.Namespace:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "camdaemon-lab"
    parser = argparse.ArgumentParser(prog="tests/lab", description=__doc__)
    parser.add_argument("--scenario", nargs="*", default=[], help="only these; see --list")
    parser.add_argument("--v4l2loopback", nargs="*", default=[], help="only these versions")
    parser.add_argument("--list", action="store_true", help="what scenarios there are")
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1), help="guests at once, each on a core")
    parser.add_argument("--output", type=Path, default=_HERE.parents[1] / "out" / "lab", help="folder for the results")
    parser.add_argument("--cache", type=Path, default=cache, help="folder in which the kernel is kept")
    asked = parser.parse_args()
    asked.output, asked.cache = asked.output.absolute(), asked.cache.absolute()
    return asked


def _plays(asked: argparse.Namespace) -> list[tuple[Scenario, str]]:
    known = {each.name: each for each in catalogue.scenarios()}
    for name in asked.scenario:
        if name not in known:
            raise LabError(f"there is no scenario {name!r}; there are: {', '.join(known)}")
    for version in asked.v4l2loopback:
        if version not in kernel.VERSIONS:
            raise LabError(f"there is no v4l2loopback {version} in the lab; there are: {', '.join(kernel.VERSIONS)}")
    chosen = [known[name] for name in asked.scenario] or list(known.values())
    versions = asked.v4l2loopback or list(kernel.VERSIONS)
    chosen.sort(key=lambda each: -each.timeout)  # the long ones first, so that none is left to play alone at the end
    return [(each, version) for each in chosen for version in versions]


def _footage(cache: Path) -> Path:
    import footage

    mark = hashlib.sha256((_HERE / "footage.py").read_bytes()).hexdigest()[:12]
    folder = cache / f"footage-{mark}"
    for old in cache.glob("footage-*"):
        if old != folder:
            shutil.rmtree(old)
    footage.render(folder)
    return folder


if __name__ == "__main__":
    sys.exit(main())
