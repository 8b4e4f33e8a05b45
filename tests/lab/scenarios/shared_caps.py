"""exclusive_caps off, as the module has it by default: the daemon plays, and doctor says what is wrong."""

from __future__ import annotations

import subprocess
import sys

from inside import module
from inside.bench import Bench

LOADED = False  # not as usual


def play(bench: Bench) -> None:
    module.load(exclusive=False)
    bench.started()
    viewer = bench.view()
    viewer.wait("composite", 15)
    viewer.close()
    said = subprocess.run([sys.executable, "-m", "camdaemon", "doctor"], capture_output=True, text=True, check=False)
    if "No such command" in said.stderr:
        bench.note(doctor="there is none yet")
    else:
        assert "exclusive_caps" in said.stdout, f"doctor does not mention exclusive_caps: {said.stdout[-500:]}"
