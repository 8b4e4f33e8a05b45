"""`make lab`: play every scenario with every v4l2loopback, each in its own guest. See docs/lab.md."""

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
    """Play what was asked for.

    Returns:
        0: everything passed, or the lab cannot run here. 1: a scenario failed. 2: the lab failed, or a name is unknown.
    """
    options = _parse()
    if options.list:
        print("\n".join(f"{each.name:<20} {each.claim}" for each in catalogue.scenarios()))
        return 0
    if why_not := needs.missing():
        print(f"lab skipped: {why_not}")
        return 0
    try:
        plays = _select(options)
        build = kernel.build(options.cache, lambda line: print(line, flush=True))
        footage = _render(options.cache)
        began = time.monotonic()
        results = playing.play_all(build, footage, plays, options.output, options.jobs)
    except LabError as exc:
        print(f"lab: {exc}", file=sys.stderr)
        return 2
    table.write(results, options.output)
    failed = [each for each in results if each.outcome == "FAIL"]
    print(f"\n{table.format_markdown(results)}")
    took = time.monotonic() - began
    for each in failed:  # again, since readers look at the end of a log first
        print(table.format_line(each))
    print(f"{len(results)} played in {took:.0f} s, {len(failed)} failed; logs and pictures: {options.output}")
    return int(bool(failed))


def _parse() -> argparse.Namespace:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "camdaemon-lab"
    parser = argparse.ArgumentParser(prog="tests/lab", description=__doc__)
    parser.add_argument("--scenario", nargs="*", default=[], help="names of the scenarios to play; default: all")
    parser.add_argument("--v4l2loopback", nargs="*", default=[], help="versions to play them with; default: all")
    parser.add_argument("--list", action="store_true", help="list the scenarios and exit")
    parser.add_argument(
        "--jobs",
        type=int,
        default=min(4, os.cpu_count() or 1),
        help="number of concurrent guests, each on its own core",
    )
    parser.add_argument("--output", type=Path, default=_HERE.parents[1] / "out" / "lab", help="folder for the results")
    parser.add_argument("--cache", type=Path, default=cache, help="folder for the built kernel")
    options = parser.parse_args()
    options.output, options.cache = options.output.absolute(), options.cache.absolute()
    return options


def _select(options: argparse.Namespace) -> list[tuple[Scenario, str]]:
    known = {each.name: each for each in catalogue.scenarios()}
    for name in options.scenario:
        if name not in known:
            raise LabError(f"unknown scenario {name!r}: there are {', '.join(known)}")
    for version in options.v4l2loopback:
        if version not in kernel.VERSIONS:
            raise LabError(f"unknown v4l2loopback {version}: there are {', '.join(kernel.VERSIONS)}")
    chosen = [known[name] for name in options.scenario] or list(known.values())
    versions = options.v4l2loopback or list(kernel.VERSIONS)
    chosen.sort(key=lambda each: -each.timeout)  # long ones first, so that none plays alone at the end
    return [(each, version) for each in chosen for version in versions]


def _render(cache: Path) -> Path:
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
