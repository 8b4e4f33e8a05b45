"""How long `camdaemon card` and its like take beside a running daemon: `python -m tests.benchmarks.answers`.

Each call is a process of its own, as a key of the desktop starts it, and is timed from before it starts until it has
ended. The daemon plays the pattern through the network, as fast as a camera gives frames.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VERBS = (["card", "on"], ["card", "off"], ["pause", "on"], ["pause", "off"], ["mirror"], ["status"])


@contextmanager
def running(program: list[str], environment: dict[str, str]) -> Iterator[None]:
    """A daemon that publishes composites."""
    command = [*program, "run", "--source", "pattern", "--sink", "null", "--loop", "--plate", "auto"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as daemon:
        try:
            while not is_composing(program, environment):
                time.sleep(1)
            yield
        finally:
            daemon.terminate()


def is_composing(program: list[str], environment: dict[str, str]) -> bool:
    done = subprocess.run([*program, "status"], env=environment, capture_output=True, text=True, check=False)
    return "published_composite" in done.stdout


def measure(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Return (seconds, seconds of CPU) of one call that must succeed."""
    before, began = os.times(), time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    took, after = time.perf_counter() - began, os.times()
    return took, sum(after[2:4]) - sum(before[2:4])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100, help="of each verb")
    parser.add_argument("--program", nargs="+", default=[sys.executable, "-m", "camdaemon"])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "CAMDAEMON_SOCKET": str(Path(folder, "run", "c.sock")),
            **{f"XDG_{kind}_HOME": str(Path(folder, kind)) for kind in ("CONFIG", "STATE", "DATA")},
        }
        with running(asked.program, environment):
            print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors, {asked.calls} calls each")
            for verb in VERBS:
                found = [measure([*asked.program, *verb], environment) for _ in range(asked.calls)]
                took, cpu = sorted(each[0] for each in found), [each[1] for each in found]
                p95 = took[min(len(took) - 1, round(0.95 * len(took)) - 1)]
                print(
                    f"{' '.join(verb):10} p50 {1000 * statistics.median(took):4.0f} ms, p95 {1000 * p95:4.0f} ms, "
                    f"most {1000 * took[-1]:4.0f} ms, {1000 * statistics.median(cpu):3.0f} ms of CPU",
                    flush=True,
                )


if __name__ == "__main__":
    main()
