"""Play scenarios concurrently, each in its own guest, and collect the results."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import guest
import table
from catalogue import Scenario
from debian import LabError
from kernel import Build
from table import Result

_HERE = Path(__file__).parent
_CHECKOUT = _HERE.parents[1]  # whose camdaemon is played


def play_all(build: Build, footage: Path, plays: list[tuple[Scenario, str]], output: Path, jobs: int) -> list[Result]:
    """Play each scenario with its v4l2loopback, `jobs` at a time, each on its own core; print a line for each."""
    cores: SimpleQueue[int] = SimpleQueue()
    for core in sorted(os.sched_getaffinity(0), reverse=True)[:jobs]:
        cores.put(core)

    def play_one(what: tuple[Scenario, str]) -> Result:
        core = cores.get()
        try:
            result = _play(build, footage, *what, output, core)
        finally:
            cores.put(core)
        print(table.format_line(result), flush=True)
        return result

    with ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(play_one, plays))
    return sorted(results, key=lambda each: (each.scenario, each.version))


def _play(build: Build, footage: Path, scenario: Scenario, version: str, output: Path, core: int) -> Result:
    share = output / f"{scenario.name}-{version}"
    shutil.rmtree(share, ignore_errors=True)
    share.mkdir(parents=True)
    environment = {"LAB_LOOPBACK": str(build.loopback(version)), "LAB_VERSION": version, "PYTHONPATH": str(_CHECKOUT)}
    timeout = scenario.timeout
    if scenario.name == "soak" and (minutes := os.environ.get("SOAK_MINUTES")):
        environment["SOAK_MINUTES"] = minutes
        timeout += 60 * float(minutes)
    command = [sys.executable, str(_HERE / "play.py"), scenario.name, str(footage), str(share)]
    start = time.monotonic()
    try:
        guest.run(build, guest.Job(command, share, timeout, core, environment))
        found = json.loads((share / "result.json").read_text())
    except (LabError, OSError) as exc:
        log = share / "log"
        tail = log.read_text(errors="replace")[-300:] if log.exists() else ""
        found = {"outcome": "FAIL", "reason": " ".join(f"{exc} {tail}".split()), "figures": {}}
    outcome, reason = found["outcome"], found["reason"]
    if scenario.xfail and outcome == "FAIL":
        outcome, reason = "xfail", f"{scenario.xfail} ({reason})"
    return Result(scenario.name, version, outcome, reason, round(time.monotonic() - start, 1), found["figures"])
