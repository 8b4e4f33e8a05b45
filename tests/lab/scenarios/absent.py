"""Without the module camdaemon exits with 3 and says how to load it."""

from __future__ import annotations

from inside import module
from inside.bench import Bench

LOADED = False


def play(bench: Bench) -> None:
    module.load_vivid()
    daemon = bench.daemon("--source", module.VIVID, ready=False)
    assert daemon.ended(30) == 3, f"it exits with 3 for a device: {daemon.log()}"
    said = daemon.log().strip().splitlines()[-1]
    assert "/dev/video10 does not exist" in said, said
    assert "modprobe v4l2loopback" in said, said
