"""A camera whose JPEGs lose data on the cable: viewers see the whole ones, and never the smeared room of the others."""

from __future__ import annotations

from inside.bench import Bench


def play(bench: Bench, kind: str = "mjpg") -> None:
    bench.webcam(f"{kind}-broken")
    daemon = bench.daemon()
    viewer = bench.view()
    first = viewer.wait("composite", 15)
    viewer.wait(lambda seen: seen.word == "composite" and seen.t > first.t + 8, 30)
    status = daemon.status()
    others = [seen.word for seen in viewer.between(first.t) if seen.word != "composite"]
    assert not others, viewer.story()
    counts = dict(status["counts"])
    bench.note(fps_in=status["fps_in"], fps_out=status["fps_out"], held_back=counts.get("held_back", 0))
    assert not counts.get("reconnects", 0), "the camera was given up"
