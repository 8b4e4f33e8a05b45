"""vivid's webcam: its colour bars are the room (magenta is among them), the square that it draws is the person."""

from __future__ import annotations

from inside import module
from inside.bench import Bench
from inside.module import VIVID
from inside.viewer import Viewer

_QUIET = {"osd_text_mode": 2, "horizontal_movement": 3, "vertical_movement": 3}  # nothing written, nothing moves


def play(bench: Bench) -> None:
    started(bench)
    viewer = bench.view()
    bench.note(first_composite_s=viewer.wait("composite", 20).t - viewer.began)
    assert _middle(viewer) < 190, "there is somebody in the empty room"
    module.control(VIVID, show_square=1)
    bench.until(lambda: _middle(viewer) > 220, 10, "viewers see the square, which is bright green")
    viewer.wait("composite", 5, since=viewer.seen[-1].t + 2)


def _middle(viewer: Viewer) -> float:
    """How green the middle of the picture is, 0..255."""
    assert viewer.last is not None
    return float(viewer.last[170:190, 310:330, 1].mean())


def started(bench: Bench) -> None:
    """The daemon on vivid, with a plate of the bars taken."""
    module.load_vivid()
    module.control(VIVID, **_QUIET)
    daemon = bench.daemon("--source", VIVID, plate="auto")
    daemon.wait(lambda status: status["plate"] == "taken", 30)
