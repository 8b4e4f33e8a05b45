"""vivid's webcam is matted: its color bars, with magenta, are the room, the square that it draws is the person."""

from __future__ import annotations

from inside import module
from inside.bench import Bench
from inside.module import VIVID
from inside.viewer import Viewer

_QUIET = {"osd_text_mode": 2, "horizontal_movement": 3, "vertical_movement": 3}  # no text, no movement


def play(bench: Bench) -> None:
    start(bench)
    viewer = bench.view()
    bench.note(first_composite_s=viewer.wait("composite", 20).t - viewer.began)
    assert _middle(viewer) < 190, "a person is in the empty room"
    module.control(VIVID, show_square=1)
    bench.wait_until(lambda: _middle(viewer) > 220, 10, "viewers see the square, which is bright green")
    viewer.wait("composite", 5, since=viewer.seen[-1].t + 2)


def _middle(viewer: Viewer) -> float:
    """Return how green the middle of the picture is, 0..255."""
    assert viewer.last is not None
    return float(viewer.last[170:190, 310:330, 1].mean())


def start(bench: Bench) -> None:
    """Start the daemon on vivid and wait until it has taken a plate of the bars."""
    module.load_vivid()
    module.control(VIVID, **_QUIET)
    daemon = bench.daemon("--source", VIVID, plate="auto")
    daemon.wait(lambda status: status["plate"] == "taken", 30)
