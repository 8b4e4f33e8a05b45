"""The module cannot be unloaded under a running daemon; after a stop it can, and the reloaded one is used again."""

from __future__ import annotations

import time

from inside import module
from inside.bench import Bench


def play(bench: Bench) -> None:
    daemon = bench.started()
    assert not module.unload(), "the kernel let the module go although the daemon holds a node of it"
    viewer = bench.view()
    viewer.wait("composite", 15)
    assert not module.unload(), "the kernel let the module go although it is watched"
    tried = time.monotonic()
    viewer.wait("composite", 5, since=tried)
    viewer.close()
    daemon.stop()
    assert bench.webcam_now is not None
    bench.webcam_now.close()
    assert module.unload(), "somebody still holds a node"
    module.load()
    bench.started()
    bench.view().wait("composite", 15)
