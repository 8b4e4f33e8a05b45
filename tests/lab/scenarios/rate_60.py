"""A camera of 60 fps is announced to viewers as 60, read back from the node."""

from __future__ import annotations

import subprocess

from inside.bench import Bench
from inside.module import VIRTUAL


def play(bench: Bench) -> None:
    bench.webcam(fps=60)
    daemon = bench.daemon("--fps", "60")
    parameters = subprocess.run(
        ["v4l2-ctl", "-d", VIRTUAL, "--get-parm"], capture_output=True, text=True, check=True
    ).stdout
    viewer = bench.view()
    first = viewer.wait("composite", 15)
    viewer.wait(lambda seen: seen.t > first.t + 4, 10)
    bench.note(declared=parameters.partition("second:")[2].split()[0], fps_out=daemon.status()["fps_out"])
    assert "60.000" in parameters, parameters
