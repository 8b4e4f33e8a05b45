"""The module cannot be unloaded while the daemon runs; after a stop it can, and the reloaded module works."""

from __future__ import annotations

import time

from inside import module
from inside.bench import Bench


def play(bench: Bench) -> None:
    daemon = bench.start()
    assert not module.unload(), "the kernel unloaded the module although the daemon has a node open"
    viewer = bench.view()
    viewer.wait("composite", 15)
    assert not module.unload(), "the kernel unloaded the module although a viewer has a node open"
    tried = time.monotonic()
    viewer.wait("composite", 5, since=tried)
    viewer.close()
    daemon.stop()
    assert bench.webcam_now is not None
    bench.webcam_now.close()
    assert module.unload(), "a node is still open"
    module.load()
    bench.start()
    bench.view().wait("composite", 15)
