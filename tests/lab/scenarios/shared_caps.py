"""exclusive_caps is off, the module's default: the daemon works, and doctor names the problem."""

from __future__ import annotations

import subprocess
import sys

from inside import module
from inside.bench import Bench

LOADED = False  # loaded below, with other options


def play(bench: Bench) -> None:
    module.load(exclusive=False)
    bench.start()
    viewer = bench.view()
    viewer.wait("composite", 15)
    viewer.close()
    said = subprocess.run([sys.executable, "-m", "camdaemon", "doctor"], capture_output=True, text=True, check=False)
    if "No such command" in said.stderr:
        bench.note(doctor="there is none yet")
    else:
        assert "exclusive_caps" in said.stdout, f"doctor does not mention exclusive_caps: {said.stdout[-500:]}"
