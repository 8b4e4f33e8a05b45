"""One picture on v4l2loopback and in PipeWire at once: three programs see it, no room, and no frame is matted twice."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator

from footage import SIZE
from inside.bench import Bench
from inside.judge import COMPOSITE, ROOM, STRANGE, Judge
from inside.module import VIRTUAL, WEBCAM
from inside.process import Daemon

from tests.pipewire_readers import GstReader
from tests.pipewire_session import TOOLS, PipeWireSession, start_session

TIMEOUT = 300.0
_FRAMES = 20  # of each reader


def play(bench: Bench) -> None:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        bench.not_applicable(f"{', '.join(missing)} is not installed")
    with start_session() as session, _in_session(session):
        bench.webcam()
        daemon = bench.daemon("--sink", VIRTUAL, "--sink", "pipewire")
        viewer = bench.view()
        viewer.wait("composite", 15)
        bench.note(alone_ms=_cost(daemon))
        judge, readers = Judge(SIZE), {fmt: GstReader(session, "camdaemon", fmt, SIZE) for fmt in ("I420", "BGRx")}
        for reader in readers.values():
            reader.wait_for(_FRAMES)
        bench.note(with_pipewire_ms=_cost(daemon))
        viewer.close()
        assert daemon.status()["seen"]["state"] == "live", "the camera runs while PipeWire's readers stream"
        for fmt, reader in readers.items():
            reader.wait_for(len(reader.frames) + _FRAMES)
            reader.close()
            words = [judge(rgb).word for rgb in reader.pictures()]
            assert not {ROOM, STRANGE} & set(words), f"{fmt}: forbidden pictures: {words}"
            bench.note(**{f"{fmt}_composites": words.count(COMPOSITE)})
            assert words.count(COMPOSITE) >= _FRAMES, f"{fmt}: {words}"
        counts = daemon.counts()
        assert counts["published_composite"] <= counts["captured"], f"more mattes than frames: {counts}"
        bench.wait_until(lambda: WEBCAM not in daemon.nodes(), 30, "the camera closes after the last reader")
        assert daemon.stop() == 0


@contextlib.contextmanager
def _in_session(session: PipeWireSession) -> Iterator[None]:
    """Have the daemon, and who asks it, use the session; its folder also holds the control socket."""
    before = os.environ["XDG_RUNTIME_DIR"]
    os.environ["XDG_RUNTIME_DIR"] = session.environ["XDG_RUNTIME_DIR"]
    try:
        yield
    finally:
        os.environ["XDG_RUNTIME_DIR"] = before


def _cost(daemon: Daemon) -> float:
    """Return the milliseconds of a frame's steps, over three seconds."""
    time.sleep(3.5)
    return float(sum(daemon.status()["steps_ms"].values()))
